"""A summary as text for people: the opening, chapters with their sentences, highlights, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator

from vidagent.serve.terminal.console import stdout
from vidagent.serve.terminal.printing import aligned, answer_rows, show_json
from vidagent.summary import Summary
from vidagent.text import counted, one_line
from vidagent.types import Evidence
from vidagent.video.clock import clock_ranges, format_time


def show_summary(summary: Summary, *, as_json: bool = False) -> None:
    """Print a summary: as the contract's object, or for people."""
    if as_json:
        show_json(summary.to_dict())
        return
    out = stdout()
    if not summary.chapters:
        out.say(summary.answer)
    for item in summary.told_in(None):
        out.say(one_line(item.claim), style="bold")
    times = clock_ranges([(one.start_s, one.end_s) for one in summary.chapters])
    for number, (chapter, when) in enumerate(zip(summary.chapters, times, strict=True)):
        out.say("")
        out.say(f"{when}  {chapter.title}", style="bold")
        for line in _told(summary.body(number)):
            out.say(f"  {line}")
    out.say("")
    for line in aligned([*_rows(summary)]):
        out.say(line)


def _told(items: list[Evidence]) -> Iterator[str]:
    for item in items:
        weak = "" if item.verdict == "supported" else " (shown only in part)"
        yield f"{format_time(item.time_s)}  {one_line(item.claim)}{weak}"


def _rows(summary: Summary) -> Iterator[tuple[str, str]]:
    for number, one in enumerate(summary.highlights):
        text = one_line(summary.evidence[one.sentence].claim)
        yield "" if number else "highlight", f"{format_time(one.start_s)}  {text}"
    weak = sum(item.verdict != "supported" for item in summary.evidence)
    yield (
        "proved",
        f"{counted(len(summary.evidence) - weak, 'sentence')}{f', {weak} only in part' if weak else ''}",
    )
    if summary.left_out:
        yield "left out", f"{counted(summary.left_out, 'sentence')} that could not be proved"
    shown = {"status", "sure", "run", *(["seen"] if summary.coverage.spans else [])}
    yield from (row for row in answer_rows(summary) if row[0] in shown)
