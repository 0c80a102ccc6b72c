"""A summary as text for people: the opening, chapters with their sentences, highlights, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator

from vidagent.summary import Summary
from vidagent.text import counted, one_line
from vidagent.types import Evidence
from vidagent.video.clock import clock_ranges, format_time


def summary_lines(summary: Summary) -> Iterator[tuple[str, bool]]:
    """Yield the lines of a summary, and whether each is a heading."""
    if not summary.chapters:
        yield from ((line, False) for line in summary.answer.splitlines())
    yield from ((f"{one_line(item.claim)}{_when(item)}", True) for item in summary.told_in(None))
    times = clock_ranges([(one.start_s, one.end_s) for one in summary.chapters])
    for number, (chapter, when) in enumerate(zip(summary.chapters, times, strict=True)):
        told, body = summary.told_in(number), summary.body(number)
        title_s = "" if told[:1] == body[:1] else _when(told[0])
        yield "", False
        yield f"{when}  {chapter.title}{title_s}", True
        for item in body:
            weak = "" if item.verdict == "supported" else " (shown only in part)"
            yield f"  {format_time(item.time_s)}  {one_line(item.claim)}{weak}", False


def _when(item: Evidence) -> str:
    """Return the time of the frame that shows a sentence, to be written behind it; empty if words alone do."""
    return "" if item.frame is None else f"  [{format_time(item.time_s)}]"


def summary_rows(summary: Summary) -> Iterator[tuple[str, str]]:
    """Yield the highlights, how many sentences are proved, and how many were left out."""
    for number, one in enumerate(summary.highlights):
        text = one_line(summary.evidence[one.sentence].claim)
        yield "" if number else "highlight", f"{format_time(one.start_s)}  {text}"
    weak = sum(item.verdict != "supported" for item in summary.evidence)
    partly = f", {weak} only in part" if weak else ""
    yield "proved", f"{counted(len(summary.evidence) - weak, 'sentence')}{partly}"
    if summary.left_out:
        yield "left out", f"{counted(summary.left_out, 'sentence')} that could not be proved"
