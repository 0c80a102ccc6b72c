"""The steps of a run in order: what each asked for, looked at, found and cost."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator

from vidagent.graphs.evidence.ledger import Entry
from vidagent.reports.page.frame_images import Thumbnail, thumbnails
from vidagent.reports.page.markup import Html, el, join, quoted
from vidagent.reports.run_report import RunReport, Stage
from vidagent.text import counted, short_number
from vidagent.types import StepUsage
from vidagent.video.clock import format_time

_MAX_THUMBNAILS = 120
_THUMBNAILS_PER_LOOK = (4, 16)
_VISIBLE_LINES = 6
_FOUND = {True: "found", False: "nothing found", None: "cannot be judged"}


def steps(report: RunReport) -> Html:
    """Return every step with thumbnails of its look."""
    looks = sum(bool(entry.look.stills) for entry in report.entries)
    least, most = _THUMBNAILS_PER_LOOK
    each = min(max(_MAX_THUMBNAILS // max(looks, 1), least), most)
    items = [_step(report, stage, place, each) for place, stage in enumerate(report.stages)]
    return el("ol", *items, class_="steps")


def image(data: bytes, size_wh: tuple[int, int], alt: str) -> Html:
    """Return a JPEG as an element of the page."""
    source = "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
    return el("img", src=source, width=size_wh[0], height=size_wh[1], alt=alt)


def _step(report: RunReport, stage: Stage, place: int, most: int) -> Html:
    head = el("h3", _title(stage), " ", el("small", _cost(stage.usage)))
    summary = el("p", words) if (words := _words(report, place)) else None
    return el("li", head, summary, *_body(report, stage, most))


def _words(report: RunReport, place: int) -> str | None:
    """Return what a step that is no look decided; None for others."""
    stage, after = report.stages[place], report.stages[place + 1 :]
    if stage.usage.step == "route":
        return report.route or "left the question unclassified"
    if stage.usage.step == "plan" and not stage.asked and after and after[0].usage.step == "verify":
        return "gives its answer, to be checked"
    if stage.usage.step == "verify" and not any(later.usage.step == "verify" for later in after):
        verdicts = Counter(finding.verdict for finding in report.findings)
        return ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()) or None
    return None


def _title(stage: Stage) -> Html:
    if stage.call is None:
        return el("span", stage.usage.step)
    return join((el("span", stage.call["entry"]), Html(" "), quoted(stage.call["tool"])))


def _cost(usage: StepUsage) -> str:
    parts = [f"{usage.seconds:.1f} s"]
    parts += [counted(usage.model_calls, "model call")] if usage.model_calls else []
    parts += [counted(usage.frames_sent, "frame") + " sent"] if usage.frames_sent else []
    parts += [f"{usage.frames_decoded:,} decoded"] if usage.frames_decoded else []
    if usage.prompt_tokens or usage.completion_tokens:
        parts.append(f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens")
    parts += [f"{usage.thinking_tokens:,} of them thinking"] if usage.thinking_tokens else []
    return ", ".join(parts)


def _body(report: RunReport, stage: Stage, most: int) -> Iterator[Html]:
    if stage.usage.step == "survey":
        yield _lines(report.facts)
    if stage.asked:
        names = ", ".join(f"{call['entry']} {call['tool']}" for call in stage.asked)
        yield el("p", "asks for ", quoted(names))
    for claim, why in stage.refused:
        yield el("p", "sends back: ", quoted(claim), " (", quoted(why or "no reason given"), ")")
    if stage.entry is not None:
        yield from _look(report, stage.entry, most)
    elif stage.call is not None:
        yield el("p", "was not done")


def _look(report: RunReport, entry: Entry, most: int) -> Iterator[Html]:
    look, seen = entry.look, entry.observation
    yield el("p", _where(entry), class_="where")
    if look.question:
        yield el("p", "asked: ", quoted(look.question))
    if seen is not None:
        yield el("p", el("b", _FOUND[seen.found]), ": ", quoted(seen.what))
    shown = thumbnails(report, entry, most)
    if shown:
        yield _sheet(shown, len(look.stills))
    if look.facts or look.notes:
        yield _lines((*look.facts, *look.notes))


def _where(entry: Entry) -> str:
    look = entry.look
    if not look.stills:
        return "the index, no frames"
    at = f" at {short_number(look.fps)} fps" if look.fps else ""
    every = ", every frame of it" if look.every_frame else ""
    times = f"{format_time(look.start_s)} to {format_time(look.end_s)}"
    return f"{times}, {counted(len(look.stills), 'frame')}{at}{every}"


def _sheet(shown: list[Thumbnail], of: int) -> Html:
    """Lay thumbnails out like a contact sheet, each with its time under it."""
    cells = [
        el("figure", _thumb(thumb), el("figcaption", _when(thumb)), class_="found" if thumb.found else None)
        for thumb in shown
    ]
    left = el("p", f"{len(shown)} of {of} frames are shown here") if len(shown) < of else None
    return el("div", el("div", *cells, class_="sheet"), left)


def _thumb(thumb: Thumbnail) -> Html:
    seen = ", something was found in it" if thumb.found else ""
    return image(thumb.jpeg, thumb.size_wh, f"Frame at {_when(thumb)}{seen}")


def _when(thumb: Thumbnail) -> str:
    return format_time(thumb.still.time_s)


def _lines(lines: tuple[str, ...]) -> Html:
    """Return lines as a list; the rest of a long one is collapsed."""
    shown, rest = lines[:_VISIBLE_LINES], lines[_VISIBLE_LINES:]
    first = el("ul", *(el("li", quoted(line)) for line in shown))
    if not rest:
        return first
    more = el("ul", *(el("li", quoted(line)) for line in rest))
    return join((first, el("details", el("summary", f"{len(rest)} more"), more)))
