"""The parts of an answer as chapters, in FFmpeg's metadata format.

`ffmpeg -i video.mp4 -i chapters.ffmetadata -map_chapters 1 -c copy out.mp4` adds them to a video
(https://ffmpeg.org/ffmpeg-formats.html#Metadata-2).
"""

from __future__ import annotations

import re

from vidagent.reports.page.markup import folded
from vidagent.types import Answer

_SPECIAL = re.compile(r"([=;#\\])")


def chapters(answer: Answer, question: str) -> str:
    """Return a chapter for each part, or for each span of an answer without parts."""
    places = [(part.start_s, part.end_s, part.text) for part in answer.parts]
    places = places or [(span.start_s, span.end_s, answer.answer) for span in sorted(answer.spans)]
    lines = [";FFMETADATA1", f"title={_escaped(question)}"]
    for start_s, end_s, text in places:
        start_ms = round(start_s * 1000)
        end_ms = max(round(end_s * 1000), start_ms + 1)
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={start_ms}", f"END={end_ms}"]
        lines.append(f"title={_escaped(text)}")
    return "\n".join([*lines, ""])


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", folded(text))
