"""The results as one self-contained HTML file: tables, and a chart beside each score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vidagent.evaluation.results.statistics import Interval
from vidagent.evaluation.results.summary import Score, Summary
from vidagent.evaluation.results.table import head, notes, rows, share
from vidagent.evaluation.runner import Mode
from vidagent.reports.page.markup import Html, el, join, quoted
from vidagent.reports.page.report_page import document, section

_WIDE, _HIGH = 1000, 20
_FILLS: Mapping[Mode, str] = {"direct": "seen", "agent": "answer"}
_MOST_LINES = 500
"""Most questions listed one by one."""
_BINS = 10


def page(summary: Summary, lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the document.

    Args:
        summary: What the lines come to.
        lines: The lines of results.
    """
    title = f"{summary.setting['benchmark']}: direct against agent"
    parts = [
        el("header", el("h1", title), el("p", head(summary)), *(el("p", note) for note in notes(summary))),
        section("Scores", _table(rows(summary))),
        section("Accuracy", _plot(summary), el("p", _LEGEND, class_="why")),
        *_overlaps(summary, lines),
        section("Questions", _questions(lines)),
    ]
    return document(title, *parts)


_LEGEND = (
    "Bars go from 0 to 100%; blue is the direct call, orange the agent. The thin line over a bar's end is the 95% "
    "confidence interval (Wilson)."
)


def _table(lines: Sequence[Sequence[str]]) -> Html:
    titles, *body = lines
    head_row = el("tr", *(el("th", title, scope="col") for title in titles))
    filled = [
        el("tr", el("th", quoted(line[0]), scope="row"), *(el("td", cell) for cell in line[1:]))
        for line in body
    ]
    return el("table", el("thead", head_row), el("tbody", *filled))


def _plot(summary: Summary) -> Html:
    """Draw a bar for each group and mode."""
    bars = []
    for name, value in _groups(summary):
        for mode, by in summary.scores.items():
            score = by.get(name, {}).get(value)
            if score is not None:
                label = f"{name}: {value}" if name else value
                bars.append(_bar(f"{label}, {mode}", score, mode))
    return _lanes(("Group", "Accuracy", "Picture"), bars)


def _groups(summary: Summary) -> Iterator[tuple[str, str]]:
    yield from dict.fromkeys(
        (name, value) for by in summary.scores.values() for name, values in by.items() for value in values
    )


def _bar(label: str, score: Score, mode: Mode) -> Html:
    shapes = (_rect(0.0, score.accuracy.value, mode), _whisker(score.accuracy))
    return _lane(label, f"{share(score.accuracy)} of {score.questions}", join(shapes))


def _overlaps(summary: Summary, lines: Sequence[Mapping[str, Any]]) -> Iterator[Html]:
    """Draw the distribution of the overlaps, if any."""
    bars = []
    for mode in summary.scores:
        known = [line["iou"] for line in lines if line["mode"] == mode and "iou" in line]
        for number in range(_BINS if known else 0):
            count = sum(min(int(iou * _BINS), _BINS - 1) == number for iou in known)
            label = f"IoU {number / _BINS:g} to {(number + 1) / _BINS:g}, {mode}"
            bars.append(_lane(label, f"{count} of {len(known)}", _rect(0.0, count / len(known), mode)))
    if bars:
        yield section("Overlap", _lanes(("Overlap", "Questions", "Picture"), bars))


def _lanes(titles: Sequence[str], body: Sequence[Html]) -> Html:
    head_row = el("tr", *(el("th", title, scope="col") for title in titles))
    return el("table", el("thead", head_row), el("tbody", *body), class_="timeline")


def _lane(label: str, text: str, shapes: Html) -> Html:
    ground = el("rect", class_="ground", width=_WIDE, height=_HIGH)
    picture = el(
        "svg",
        ground,
        shapes,
        viewBox=f"0 0 {_WIDE} {_HIGH}",
        preserveAspectRatio="none",
        aria_hidden="true",
        focusable="false",
    )
    return el("tr", el("th", quoted(label), scope="row"), el("td", text), el("td", picture))


def _rect(low: float, high: float, mode: Mode) -> Html:
    return el("rect", class_=_FILLS[mode], x=low * _WIDE, width=(high - low) * _WIDE, y=4, height=_HIGH - 8)


def _whisker(interval: Interval) -> Html:
    low, high, middle = interval.low * _WIDE, interval.high * _WIDE, _HIGH // 2
    path = f"M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 5}v10M{high:.1f} {middle - 5}v10"
    return el("path", class_="frame", d=path)


def _questions(lines: Sequence[Mapping[str, Any]]) -> Html:
    titles = ("Question", "Way", "Mark", "Answer", "IoU", "Seconds", "Frames")
    body = [_told(line) for line in lines[:_MOST_LINES]]
    head_row = el("tr", *(el("th", title, scope="col") for title in titles))
    filled = [el("tr", *(el("td", quoted(cell)) for cell in line)) for line in body]
    table = el("table", el("thead", head_row), el("tbody", *filled))
    if len(lines) <= _MOST_LINES:
        return table
    return join([table, el("p", f"The first {_MOST_LINES} of {len(lines):,} answers are listed.")])


def _told(line: Mapping[str, Any]) -> tuple[str, ...]:
    answer, cost = line.get("answer", {}), line.get("cost", {})
    words = answer.get("answer") or line.get("error", {}).get("message", "")
    overlap = f"{line['iou']:.2f}" if "iou" in line else ""
    question = f"{line['id']}: {line['question']}"
    return (
        question,
        line["mode"],
        line["mark"],
        words,
        overlap,
        str(cost.get("seconds", "")),
        str(cost.get("frames_sent", "")),
    )
