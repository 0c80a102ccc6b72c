"""Metadata and embedded subtitles of a video, read from its container. Runs in the child process."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from av import error as av_error
from av.stream import Discard
from av.subtitles.subtitle import AssSubtitle

from vidagent.errors import VideoError
from vidagent.video.container.medium import end_pts, open_medium, packets_of
from vidagent.video.container.streams import described

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from av.packet import Packet
    from av.subtitles.stream import SubtitleStream

    from vidagent.video.container.medium import Medium
    from vidagent.video.decoders.geometry import Geometry

TEXT_CODECS = {"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"}
_ASS_TAG = re.compile(r"\{\\[^}]*\}")


def probe(medium: Medium, geometry: Geometry, beat: Callable[[], None]) -> dict[str, Any]:
    """Return the fields of `VideoInfo` that an opened file and its geometry tell.

    Raises:
        VideoError: If no packet of the video can be read.
    """
    container, stream = medium.container, medium.stream
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate or Fraction(25)
    end = end_pts(medium, beat)
    if end is None:
        raise VideoError("holds no picture that can be read: it is cut off or damaged")
    width, height = geometry.shown_wh
    others = [video for video in container.streams.video if video.index != stream.index]
    audio = list(container.streams.audio)
    return {
        "duration_s": medium.clock.seconds(end),
        "fps": f"{rate.numerator}/{rate.denominator}",
        "width": width,
        "height": height,
        "codec": stream.codec_context.name,
        "container": container.format.name,
        "rotation_deg": geometry.turn.degrees,
        "pixel_aspect": f"{geometry.aspect.numerator}/{geometry.aspect.denominator}",
        "cropped": any(geometry.crop),
        "audio": (audio[0].codec_context.name if audio[0].codec_context else "unknown") if audio else None,
        "subtitles": [_name(track) for track in _text_tracks(medium)],
        "frame_count": _frame_count(medium),
        "stream": stream.index,
        "other_streams": [described(video) for video in others],
        "clock_jumps": len(medium.timeline.starts) - 1 if medium.timeline is not None else 0,
    }


def _frame_count(medium: Medium) -> int | None:
    """Return the number of pictures if the container lists them; what its header claims may be anything."""
    if medium.has_sample_table:
        return len(medium.stream.index_entries)
    return None if medium.is_mov else medium.stream.frames or None


def subtitle_cues(path: Path, beat: Callable[[], None]) -> list[tuple[float, float, str]]:
    """Return the lines of all embedded text tracks as `(start_s, end_s, text)`, by start time."""
    medium = open_medium(path)
    try:
        tracks = _text_tracks(medium)
        for stream in medium.container.streams:
            stream.discard = Discard.default if stream in tracks else Discard.all
        packets = packets_of(medium, tracks, beat) if tracks else ()
        found = (_cue(packet, medium.clock.start) for packet in packets)
        return sorted(cue for cue in found if cue is not None)
    finally:
        medium.close()


def _text_tracks(medium: Medium) -> list[SubtitleStream]:
    tracks = medium.container.streams.subtitles
    return [track for track in tracks if track.codec_context and track.codec_context.name in TEXT_CODECS]


def _name(track: SubtitleStream) -> str:
    return track.language or track.metadata.get("title") or f"track {track.index}"


def _cue(packet: Packet[SubtitleStream], start: Fraction) -> tuple[float, float, str] | None:
    if packet.pts is None or not packet.duration or not packet.size:
        return None
    try:
        rects = packet.decode()
    except av_error.FFmpegError:
        return None
    lines = [rect.dialogue.decode("utf-8", "replace") for rect in rects if isinstance(rect, AssSubtitle)]
    text = _ASS_TAG.sub("", "\n".join(lines)).replace("\\N", "\n").replace("\\h", " ").strip()
    begin = packet.pts * packet.time_base - start
    return (float(begin), float(begin + packet.duration * packet.time_base), text) if text else None
