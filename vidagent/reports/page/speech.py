"""The transcript in a report: each line with its time, which opens the video there where it lies beside the report."""

from __future__ import annotations

from collections.abc import Iterator

from vidagent.reports.page.markup import Html, el, quoted
from vidagent.text import counted
from vidagent.video.clock import format_time
from vidagent.video.index.transcript import Transcript

_SHOWN = 12
"""A transcript of more lines is folded up."""


def speech(found: Transcript, link: str | None) -> Iterator[Html]:
    """Yield the lines of a transcript; `link` is the video's address, or None."""
    part = "" if found.complete else f", up to {format_time(found.done_s)}"
    note = f"{counted(len(found.cues), 'line')} by {found.model}{part}."
    yield el("p", note, " A time opens the video there." if link else None, class_="why")
    lines = []
    for cue in found.cues:
        when = format_time(cue.start_s)
        address = f"{link}#t={cue.start_s:.3f}"  # https://www.w3.org/TR/media-frags/
        time = el("a", when, href=address) if link else el("span", when)
        said = quoted(cue.text)
        lines.append(
            el("li", time, el("span", el("b", quoted(cue.speaker)), " ", said) if cue.speaker else said)
        )
    opened = len(lines) <= _SHOWN
    yield el("details", el("summary", "What is said"), el("ol", *lines, class_="parts"), open=opened)
