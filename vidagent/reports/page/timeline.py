"""The timeline of a run: a table whose rows say in words what the drawing beside them shows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from vidagent.graphs.evidence.ledger import Entry, coverage
from vidagent.reports.page.markup import Html, el, join, quoted
from vidagent.reports.run_report import Finding, RunReport
from vidagent.text import counted, short_number
from vidagent.types import Span, Verdict
from vidagent.video.clock import format_time

_WIDE, _HIGH = 1000, 20
_MIN_WIDTH = 2.5
"""Smallest width of a mark, so that a tenth of a second in hours is visible."""
_ZOOM_BELOW = 0.2
_FEW = 3
"""Most spans and claims that are listed one by one; the rest of the page lists them all."""
_LEGEND = (
    "Blue is what was looked at, stronger where frames are closer together; thin lines are frames, orange ones those "
    "in which something was seen. Claims are green if supported, amber if partly, red and low if not."
)
_TALL: dict[Verdict, int] = {"supported": _HIGH, "partial": 14, "unsupported": 8}


@dataclass(frozen=True, slots=True)
class _Window:
    """The part of the video that a timeline shows, and how times map to it."""

    start_s: float
    end_s: float

    def holds(self, start_s: float, end_s: float) -> bool:
        """Tell whether any of a range is in it."""
        return start_s <= self.end_s and end_s >= self.start_s

    def place(self, time_s: float) -> float:
        """Return the x coordinate of a time, from 0 to `_WIDE`."""
        share = (time_s - self.start_s) / max(self.end_s - self.start_s, 1e-9)
        return round(min(max(share, 0.0), 1.0) * _WIDE, 2)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the table: its name, its text, and the shapes of its drawing."""

    name: Html
    text: Html
    shapes: Html


def timelines(report: RunReport) -> Html:
    """Return the timeline of the whole video, and one around the answer if that is a small part of it."""
    window = _Window(0.0, report.duration_s)
    tables = [_table(list(_whole(report, window)), window, "The whole video")]
    near = _surroundings(report)
    if near is not None:
        tables.append(_table(list(_near(report, near)), near, "Around the answer"))
    return join([*tables, el("p", _LEGEND, class_="why")])


def span_text(span: Span) -> str:
    """Return a range as people read it."""
    if span.length_s == 0:
        return format_time(span.start_s)
    return f"{format_time(span.start_s)} to {format_time(span.end_s)} ({span.length_s:.3f} s)"


def _surroundings(report: RunReport) -> _Window | None:
    spans = report.answer.spans
    if not spans:
        return None
    start, end = min(span.start_s for span in spans), max(span.end_s for span in spans)
    margin = max(1.0, (end - start) / 2)
    start, end = max(0.0, start - margin), min(report.duration_s, end + margin)
    return _Window(start, end) if end - start < _ZOOM_BELOW * report.duration_s else None


def _table(rows: Sequence[_Row], window: _Window, title: str) -> Html:
    lines = [
        el("tr", el("th", row.name, scope="row"), el("td", row.text), el("td", _lane(row.shapes)))
        for row in rows
    ]
    head = el("tr", *(el("th", word, scope="col") for word in ("Line", "What it shows", "Picture")))
    foot = el("tr", el("td"), el("td"), el("td", _axis(window)))
    caption = el("caption", f"{title}, {format_time(window.start_s)} to {format_time(window.end_s)}")
    body = (el("thead", head), el("tbody", *lines), el("tfoot", foot, aria_hidden="true"))
    return el("table", caption, *body, class_="timeline")


def _lane(shapes: Html) -> Html:
    ground = el("rect", class_="ground", width=_WIDE, height=_HIGH)
    return el(
        "svg",
        ground,
        shapes,
        viewBox=f"0 0 {_WIDE} {_HIGH}",
        preserveAspectRatio="none",
        aria_hidden="true",
        focusable="false",
    )


def _axis(window: _Window) -> Html:
    length = window.end_s - window.start_s
    times = (format_time(window.start_s + length * part / 4).split(".") for part in range(4))
    fine = length < 20
    return el("div", *(el("span", ".".join(time) if fine else time[0]) for time in times), class_="axis")


def _whole(report: RunReport, window: _Window) -> Iterator[_Row]:
    yield _answer(report, window)
    if report.findings:
        yield _Row(Html("Claims"), _claim_texts(report.findings), _claims(report, window))
    seen = report.answer.coverage
    share = f"{seen.share} of {format_time(report.duration_s)}"
    yield _Row(Html("Looked at"), Html.of(share), _bars(seen.spans, window, "seen"))
    for entry in report.entries:
        if entry.look.stills:
            yield _look(report, entry, window, Html.of(_look_text(entry)))
    if report.cuts_s:
        yield _Row(Html("Cuts"), Html.of(str(len(report.cuts_s))), _ticks(report.cuts_s, window, "cut"))
    if report.activity:
        curve = _curve(report.activity, report.duration_s, window)
        yield _Row(Html("Movement"), Html("how much the picture changes"), curve)


def _near(report: RunReport, window: _Window) -> Iterator[_Row]:
    """Yield the rows of a small part of the video, with counts, as the whole is listed already."""
    yield _answer(report, window)
    near = [item for item in report.findings if window.holds(item.time_s, item.time_s)]
    if near:
        yield _Row(Html("Claims"), Html.of(f"{len(near)} here"), _claims(report, window))
    for entry in report.entries:
        times = _times(entry)
        here = sum(window.holds(time_s, time_s) for time_s in times)
        if here:
            yield _look(report, entry, window, Html.of(f"{here} of {counted(len(times), 'frame')} here"))
    cuts = [cut for cut in report.cuts_s if window.holds(cut, cut)]
    if cuts:
        yield _Row(Html("Cuts"), Html.of(f"{len(cuts)} here"), _ticks(cuts, window, "cut"))


def _answer(report: RunReport, window: _Window) -> _Row:
    spans = report.answer.spans
    where = "; ".join(span_text(span) for span in spans) or "no place in the video"
    if len(spans) > _FEW:
        first, last = min(span.start_s for span in spans), max(span.end_s for span in spans)
        where = f"{len(spans)} places from {format_time(first)} to {format_time(last)}"
    return _Row(Html("Answer"), Html.of(where), _bars(spans, window, "answer"))


def _claim_texts(findings: Sequence[Finding]) -> Html:
    """Return when each claim is visible and how its check ended, with the claims themselves if they are few."""
    if len(findings) > _FEW:
        times_s = {
            verdict: [one.time_s for one in findings if one.verdict == verdict]
            for verdict in get_args(Verdict)
        }
        told = [
            f"{verdict} {', '.join(map(format_time, sorted(found)))}"
            for verdict, found in times_s.items()
            if found
        ]
        return Html.of("; ".join(told))
    lines = [
        el("li", f"{format_time(item.time_s)} {item.verdict}: ", quoted(item.claim)) for item in findings
    ]
    return el("ul", *lines)


def _claims(report: RunReport, window: _Window) -> Html:
    return join(
        [
            el(
                "path",
                d=f"M{window.place(item.time_s):g} {_HIGH}v-{_TALL[item.verdict]}",
                class_=f"claim {item.verdict}",
            )
            for item in report.findings
            if window.holds(item.time_s, item.time_s)
        ]
    )


def _times(entry: Entry) -> list[float]:
    return sorted({still.time_s for still in entry.look.stills})


def _look(report: RunReport, entry: Entry, window: _Window, text: Html) -> _Row:
    look, seen, times = entry.look, coverage([entry], report.duration_s).spans, _times(entry)
    where = el(
        "rect",
        class_="window",
        x=window.place(look.start_s),
        width=window.place(look.end_s) - window.place(look.start_s),
        height=_HIGH,
    )
    dense = join([_bar(span, window, "dense", _density(times, span)) for span in seen])
    sightings = [] if entry.observation is None else entry.observation.sightings
    found = _ticks([sighting.time_s for sighting in sightings], window, "found")
    shapes = (where, dense, _ticks(times, window, "frame"), found)
    return _Row(Html.of(f"{entry.id} {look.tool}"), text, join(shapes))


def _look_text(entry: Entry) -> str:
    look = entry.look
    at = f" at {short_number(look.fps)} fps" if look.fps else ""
    outcome = ""
    if entry.observation is not None:
        outcome = {True: ": found", False: ": nothing", None: ""}[entry.observation.found]
    times = f"{format_time(look.start_s)} to {format_time(look.end_s)}"
    return f"{times}, {counted(len(_times(entry)), 'frame')}{at}{outcome}"


def _density(times: Sequence[float], span: Span) -> float:
    """Return the opacity of a span: from 0.25 at one frame in ten seconds to 1 at thirty per second."""
    count = sum(span.start_s <= time_s <= span.end_s for time_s in times)
    rate = min(max(count / max(span.length_s, 1e-3), 0.1), 30.0)
    return 0.25 + 0.75 * math.log(rate / 0.1) / math.log(300)


def _bars(spans: Sequence[Span], window: _Window, kind: str) -> Html:
    return join([_bar(span, window, kind) for span in spans])


def _bar(span: Span, window: _Window, kind: str, opacity: float | None = None) -> Html:
    if not window.holds(span.start_s, span.end_s):
        return Html()
    left = window.place(span.start_s)
    width = max(window.place(span.end_s) - left, _MIN_WIDTH)
    left = min(left, _WIDE - width)
    return el("rect", class_=kind, x=left, width=width, height=_HIGH, opacity=opacity)


def _ticks(times: Sequence[float], window: _Window, kind: str) -> Html:
    places = sorted({window.place(time_s) for time_s in times if window.holds(time_s, time_s)})
    if not places:
        return Html()
    return el("path", class_=kind, d="".join(f"M{place:g} 0v{_HIGH}" for place in places))


def _curve(levels: Sequence[float], duration_s: float, window: _Window) -> Html:
    """Draw the levels as steps, each for an equal part of the duration."""
    part_s = duration_s / len(levels)
    steps = []
    for number, level in enumerate(levels):
        if level:
            left, right = window.place(number * part_s), window.place((number + 1) * part_s)
            steps.append(f"M{left:g} {_HIGH}v-{round(level * _HIGH, 1):g}H{right:g}V{_HIGH}z")
    return el("path", class_="movement", d="".join(steps))
