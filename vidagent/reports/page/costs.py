"""Tables of a run's cost by kind of step, and of its budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import get_args

from vidagent.reports.page.markup import Html, el, join
from vidagent.types import Answer, BudgetName, Step, StepUsage, Usage

_COLUMNS = {
    "seconds": "seconds",
    "model_calls": "model calls",
    "prompt_tokens": "prompt tokens",
    "cached_tokens": "of them cached",
    "completion_tokens": "generated tokens",
    "thinking_tokens": "of them thinking",
    "frames_decoded": "frames decoded",
    "frames_sent": "frames sent",
}


def costs(answer: Answer) -> Html:
    """Return the cost of each kind of step and of the run; parallel steps each count their own seconds."""
    by_step, names = answer.usage.by_step, list(_COLUMNS)
    rows = [
        _row(f"{step} × {count}" if (count := sum(one.step == step for one in by_step)) > 1 else step, values)
        for step in get_args(Step)
        if (values := _sums([one for one in by_step if one.step == step], names))
    ]
    total = _row("the run", [getattr(answer.usage, name) for name in names])
    head = el("tr", *(el("th", word, scope="col") for word in ("Step", *_COLUMNS.values())))
    table = el(
        "table", el("thead", head), el("tbody", *rows), el("tfoot", total), class_="numbers steps-cost"
    )
    return el("div", table, class_="wide")


def budgets(answer: Answer) -> Html:
    """Return each limit of the budget and what of it was used."""
    limit, ended_by = answer.budget.limit.to_dict(), answer.budget.ended_by
    rows = [
        _budget(name, value, _used(answer.usage, name), ended_by == name)
        for name in get_args(BudgetName)
        if (value := limit[name]) is not None
    ]
    if not rows:
        return el("p", "No budget was set.")
    head = el("tr", *(el("th", word, scope="col") for word in ("Budget", "used", "allowed", "")))
    return el("table", el("thead", head), el("tbody", *rows), class_="numbers")


def _sums(steps: Sequence[StepUsage], names: Sequence[str]) -> list[float]:
    return [sum(getattr(step, name) for step in steps) for name in names] if steps else []


def _row(name: str, values: Sequence[float]) -> Html:
    cells = [_cell(noun, value) for noun, value in zip(_COLUMNS.values(), values, strict=True)]
    return el("tr", el("th", name, scope="row"), *cells)


def _cell(noun: str, value: float) -> Html:
    """Return a number; on a phone its column's name stands behind it, and zeros are left out."""
    text = f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
    return el("td", text, class_=None if value else "none", data_noun=noun)


def _used(usage: Usage, name: BudgetName) -> float:
    values: dict[str, float] = {**dataclasses.asdict(usage), "frames": usage.frames_sent}
    return values[name]


def _budget(name: BudgetName, limit: float, used: float, ended: bool) -> Html:
    number = "{:,.1f}" if name == "seconds" else "{:,}"
    share = f"{used / limit:.0%}" if limit else ""
    words = join((share, el("b", " ended the run") if ended else None))
    name_cell = el("th", name.replace("_", " "), scope="row")
    return el("tr", name_cell, el("td", number.format(used)), el("td", number.format(limit)), el("td", words))
