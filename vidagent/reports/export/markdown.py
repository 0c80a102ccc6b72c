"""An answer as Markdown: its words, its chapters or places, and each claim with its time, verdict and frame."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath

from vidagent.reports.page.markup import folded
from vidagent.summary import Summary
from vidagent.text import counted
from vidagent.types import Answer, Evidence
from vidagent.video.clock import clock_ranges, format_time

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|])")
_LIST = re.compile(r"^(\d+)([.)])|^([-+])")


def markdown(answer: Answer, question: str) -> str:
    """Return an answer as Markdown (CommonMark), in which nothing of the video is markup."""
    return "\n".join([f"# {_escaped(question)}", "", *_body(answer), *_closing(answer), ""])


def _body(answer: Answer) -> Iterator[str]:
    if not isinstance(answer, Summary) or not answer.chapters:
        for line in answer.answer.splitlines():
            yield from (_escaped(line), "")
        yield from _claims(answer, answer.evidence)
        return
    yield from _claims(answer, answer.told_in(None))
    times = clock_ranges([(one.start_s, one.end_s) for one in answer.chapters])
    for number, (chapter, when) in enumerate(zip(answer.chapters, times, strict=True)):
        yield from (f"## {when} {_escaped(chapter.title)}", "")
        yield from _claims(answer, answer.told_in(number))
    if answer.highlights:
        yield from ("## Highlights", "")
        for one in answer.highlights:
            yield f"- **{format_time(one.start_s)}** {_escaped(answer.evidence[one.sentence].claim)}"
        yield ""


def _claims(answer: Answer, items: Iterable[Evidence]) -> Iterator[str]:
    """Yield each claim with what proves it; a frame that was saved for the user is linked."""
    told = []
    for item in items:
        saved = item.frame is not None and answer.run_id not in PurePath(item.frame).parts
        frame = f", [frame](<{item.frame}>)" if saved else ""
        told.append(f"- {_escaped(item.claim)} *({format_time(item.time_s)}, {item.verdict}{frame})*")
    if told:
        yield from (*told, "")


def _closing(answer: Answer) -> Iterator[str]:
    """Yield what was left out, how much was seen, and the run."""
    left_out = answer.left_out if isinstance(answer, Summary) else 0
    parts = [f"{counted(left_out, 'sentence')} could not be proved and left out"] if left_out else []
    parts += (
        [f"{answer.coverage.share} of {format_time(answer.video.duration_s)}"]
        if answer.coverage.spans
        else []
    )
    yield f"{'; '.join([*parts, f'run {answer.run_id}'])}."


def _escaped(text: str) -> str:
    """Return a text on one line, without markup."""
    return _LIST.sub(r"\1\\\2\3", _SPECIAL.sub(r"\\\1", folded(text)))
