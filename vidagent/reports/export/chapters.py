"""The parts of an answer as chapters: in FFmpeg's metadata format, and as the list that YouTube takes.

`ffmpeg -i video.mp4 -i chapters.ffmetadata -map_chapters 1 -c copy out.mp4` adds the first to a video
(https://ffmpeg.org/ffmpeg-formats.html#Metadata-2); the second is pasted into a description
(https://support.google.com/youtube/answer/9884579).
"""

from __future__ import annotations

import re

from vidagent.reports.page.markup import folded
from vidagent.summary import Chapter, Summary
from vidagent.types import Answer
from vidagent.video.clock import clock_ranges

_SPECIAL = re.compile(r"([=;#\\])")
_SHORTEST_S = 10.0
"""YouTube takes no chapter that is shorter."""
_OPENING = "Beginning"


def chapters(answer: Answer, question: str) -> str:
    """Return FFmpeg's metadata."""
    lines = [";FFMETADATA1", f"title={_escaped(question)}"]
    for chapter in _chapters(answer):
        start_ms = round(chapter.start_s * 1000)
        end_ms = max(round(chapter.end_s * 1000), start_ms + 1)
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={start_ms}", f"END={end_ms}"]
        lines.append(f"title={_escaped(chapter.title)}")
    return "\n".join([*lines, ""])


def chapter_list(answer: Answer) -> str:
    """Return a line with the start and the title of each chapter, as YouTube takes them.

    The first begins at 0:00, and one that is shorter than ten seconds belongs to the one before it.
    """
    kept: list[Chapter] = []
    for chapter in _chapters(answer):
        if not kept and chapter.start_s >= _SHORTEST_S:
            kept.append(Chapter(0.0, chapter.start_s, _OPENING))
        if not kept or (
            chapter.start_s - kept[-1].start_s >= _SHORTEST_S
            and answer.video.duration_s - chapter.start_s >= _SHORTEST_S
        ):
            kept.append(chapter if kept else Chapter(0.0, chapter.end_s, chapter.title))
    starts = clock_ranges([(chapter.start_s, chapter.start_s) for chapter in kept])
    lines = [f"{when} {folded(chapter.title)}" for when, chapter in zip(starts, kept, strict=True)]
    return "\n".join([*lines, ""])


def _chapters(answer: Answer) -> list[Chapter]:
    """Return the chapters of a summary; else one for each part, or for each span of an answer without parts."""
    if isinstance(answer, Summary):
        return list(answer.chapters)
    parts = [Chapter(part.start_s, part.end_s, part.text) for part in answer.parts]
    return parts or [Chapter(span.start_s, span.end_s, answer.answer) for span in sorted(answer.spans)]


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", folded(text))
