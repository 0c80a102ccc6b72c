"""Our items.jsonl: questions on when, how many, which text, which option, and on what is absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidagent.errors import UsageError
from vidagent.evaluation.formats.item import Benchmark, Item, Kind, Truth
from vidagent.evaluation.formats.rows import Row, read_rows, validated
from vidagent.types import Span


class _Own(Row):
    id: str
    video: str
    kind: str
    question: str
    options: list[str] | None = None
    answer: str
    start_s: float | None = None
    end_s: float | None = None
    tolerance_s: float | None = None
    split: str = ""
    hard: bool | None = None


def items(path: Path, answers: Path | None) -> Benchmark:
    """Read items.jsonl: `id, video, kind, question, options, answer, start_s, end_s, tolerance_s`, one a line.

    `kind` is `when`, `count`, `text`, `what`, `order` or `absent`. The answer of `when` is a range if it reads
    "… to …", else an instant within `[start_s, end_s]`.
    """
    return Benchmark("items", tuple(_item(row, path) for row in validated(read_rows(path), _Own, path)))


def truth_of(item: dict[str, Any]) -> Truth:
    """Return the right answer of one record."""
    return _truth(_Own.model_validate(item))


def _item(row: _Own, path: Path) -> Item:
    try:
        truth = _truth(row)
    except (UsageError, ValueError) as error:
        raise UsageError(f"{path}, {row.id}: {error}") from None
    sorted_under = {"kind": (row.kind,), "split": (row.split,) if row.split else ()}
    if row.hard is not None:
        sorted_under["hard"] = ("yes" if row.hard else "no",)
    options = tuple(row.options) if row.options else None
    return Item(row.id, row.video, row.question, truth, options, {k: v for k, v in sorted_under.items() if v})


def _truth(row: _Own) -> Truth:
    if row.kind == "absent":
        return Truth("absent")
    if row.options:
        if row.answer not in row.options:
            raise UsageError(f"the answer {row.answer!r} is none of the options {row.options}")
        return Truth("choice", choice=row.options.index(row.answer))
    if row.kind == "when":
        if row.start_s is None or row.end_s is None or row.tolerance_s is None:
            raise UsageError("a question of kind 'when' needs start_s, end_s and tolerance_s")
        kind: Kind = "span" if " to " in row.answer else "instant"
        return Truth(kind, spans=(Span(row.start_s, row.end_s),), tolerance_s=row.tolerance_s)
    return Truth("count" if row.kind == "count" else "text", text=row.answer)
