"""Choice of the video stream that a player shows. Runs in the child process."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from av import error as av_error
from av.stream import Disposition

from vidagent.errors import UsageError, VideoError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_STILL = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
_PACKETS_READ = 3000
"""Packets read to tell a moving stream from a single picture where the header does not say how many there are."""
_SAME_LENGTH = 0.9
"""Streams at least this share of the longest are as long: of two angles of one event, the header's default is shown."""


def shown_stream(container: InputContainer, wanted: int | None) -> VideoStream:
    """Return the stream that a player shows: the longest that moves, and of equal ones the default, or the first.

    Args:
        container: The file, at its beginning; its position may change.
        wanted: Number of the stream to use instead, or None.

    Raises:
        VideoError: If there is no video, or its codec is not known here.
        UsageError: If there is no video stream of that number.
    """
    if wanted is not None:
        best = next((stream for stream in container.streams.video if stream.index == wanted), None)
        if best is None:
            numbers = ", ".join(str(stream.index) for stream in container.streams.video) or "none"
            raise UsageError(f"stream {wanted} is not a video stream of this file; those are: {numbers}")
    else:
        best = _longest(container, _candidates(container))
    if best.codec_context is None or best.time_base is None:
        raise VideoError("holds a video whose codec is not known here")
    return best


def described(stream: VideoStream) -> str:
    """Return a line about a stream that is not shown: `2: h264 640x360`."""
    codec = stream.codec_context
    size = f" {codec.width}x{codec.height}" if codec is not None else ""
    still = ", a still picture" if stream.disposition & _STILL else ""
    return f"{stream.index}: {codec.name if codec is not None else 'unknown codec'}{size}{still}"


def _candidates(container: InputContainer) -> list[VideoStream]:
    streams = [stream for stream in container.streams.video if not stream.disposition & _STILL]
    if not streams:
        kinds = {"a cover picture" if s.type == "video" else s.type for s in container.streams}
        content = f"only {' and '.join(sorted(kinds))}" if kinds else "and no other stream"
        raise VideoError(f"holds no video, {content}")
    return streams


def _longest(container: InputContainer, streams: list[VideoStream]) -> VideoStream:
    known = [
        stream for stream in streams if stream.codec_context is not None and stream.time_base is not None
    ]
    if len(known) < 2:
        return (known or streams)[0]
    lengths = _lengths_s(container, known)
    most = max(lengths.values())
    long = [stream for stream in known if lengths[stream.index] >= _SAME_LENGTH * most]
    return next((stream for stream in long if stream.disposition & Disposition.default), long[0])


def _lengths_s(container: InputContainer, streams: list[VideoStream]) -> dict[int, float]:
    """Return the seconds of each stream, 0 for a single picture, as far as the header or the first packets say."""
    counts, ends = _start_of(container, streams)
    lengths = {}
    for stream in streams:
        unit = stream.time_base or 0
        duration = stream.duration if stream.duration is not None else ends.get(stream.index, 0)
        moves = stream.frames > 1 or (stream.frames == 0 and counts[stream.index] > 1)
        lengths[stream.index] = float(duration * unit) if moves else 0.0
    return lengths


def _start_of(container: InputContainer, streams: list[VideoStream]) -> tuple[Counter[int], dict[int, int]]:
    """Count the packets of each stream at the start of the file, and return the times that they reach."""
    counts: Counter[int] = Counter()
    ends: dict[int, int] = {}
    try:
        for packet in container.demux(*streams):
            index = packet.stream.index
            counts[index] += packet.size > 0
            if packet.pts is not None:
                ends[index] = packet.pts - (packet.stream.start_time or 0)
            if counts.total() >= _PACKETS_READ:
                break
    except av_error.FFmpegError:
        pass
    return counts, ends
