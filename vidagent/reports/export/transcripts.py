"""A transcript as lines for people, and as SubRip and WebVTT subtitles."""

from __future__ import annotations

import html
from collections.abc import Iterator

from vidagent.reports.export.tables import cue_line, merged, subrip
from vidagent.text import counted, one_line
from vidagent.video.clock import format_time
from vidagent.video.index.subtitles import Cue
from vidagent.video.index.transcript import Transcript
from vidagent.video.index.transcript_cues import spoken_line


def lines(found: Transcript) -> Iterator[str]:
    """Yield a table: start, end, speaker if known and text of each line, then what was transcribed, by which model."""
    if not found.has_sound:
        yield "The video has no sound."
        return
    widest = max((len(cue.speaker) for cue in found.cues), default=0)
    for cue in found.cues:
        by = f"{cue.speaker:<{widest}}  " if widest else ""
        yield f"{format_time(cue.start_s):>12} {format_time(cue.end_s):>12}  {by}{cue.text}"
    languages = f" ({', '.join(found.languages)})" if found.languages else ""
    part = "" if found.complete else f" up to {format_time(found.done_s)} of {format_time(found.duration_s)}"
    yield f"{counted(len(found.cues), 'line')}{languages}{part}, by {found.model}."


def srt(found: Transcript) -> str:
    """Return SubRip subtitles, which never overlap."""
    return subrip(merged([(cue.start_s, cue.end_s, cue_line(spoken_line(cue))) for cue in found.cues]))


def vtt(found: Transcript) -> str:
    """Return WebVTT subtitles (https://www.w3.org/TR/webvtt1/), which never overlap, with voice tags for speakers."""
    cues = merged([(cue.start_s, cue.end_s, _payload(cue)) for cue in found.cues])
    blocks = (
        f"{_clock(start_s)} --> {_clock(end_s)}\n{text}\n\n".replace("\r\n", "\n")
        for start_s, end_s, text in cues
    )
    return "".join(["WEBVTT\n\n", *blocks])


def _payload(cue: Cue) -> str:
    text = html.escape(one_line(cue.text), quote=False)
    return f"<v {html.escape(cue.speaker, quote=False)}>{text}" if cue.speaker else text


def _clock(time_s: float) -> str:
    """Return a time as WebVTT writes it."""
    whole_s, millis = divmod(round(time_s * 1000), 1000)
    return f"{whole_s // 3600:02d}:{whole_s // 60 % 60:02d}:{whole_s % 60:02d}.{millis:03d}"
