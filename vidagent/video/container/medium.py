"""A container opened with PyAV: its video stream, clock, sample table and seeks. Runs in the child process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import av
from av import error as av_error
from av.stream import Discard

from vidagent.errors import VidagentError, VideoError
from vidagent.video.clock import Clock
from vidagent.video.container.streams import shown_stream
from vidagent.video.container.timeline import JUMPING, timeline_of
from vidagent.video.source import DEMUXERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

    from vidagent.video.container.timeline import Timeline

_S = TypeVar("_S", bound="Stream")

_MAX_THREADS = 4
_MAX_STREAMS = 128
"""FFmpeg examines every stream on opening, which takes minutes for a file that claims thousands of them."""
_READ_ERRORS = 16
_STEPS_S = (2, 8, 32, 128, 512, 2048)


@dataclass(slots=True)
class Medium:
    """An opened container, the video stream that a player shows, and the clock of that stream."""

    container: InputContainer
    stream: VideoStream
    clock: Clock
    path: Path
    max_pixels: int | None
    timeline: Timeline | None = None

    @property
    def is_mov(self) -> bool:
        """Whether the file belongs to the MP4/QuickTime family."""
        return "mov" in self.container.format.name

    @property
    def has_sample_table(self) -> bool:
        """Whether `stream.index_entries` lists every packet without reading the whole file.

        MP4 and AVI have such a table; Matroska lists cue points only, fragmented MP4 one fragment, MPEG-TS nothing.
        """
        stream = self.stream
        entries = stream.index_entries
        count = len(entries)
        if count == 0 or stream.frames == 0 or not (self.is_mov or self.container.format.name == "avi"):
            return False
        if count == stream.frames:
            return True
        if not self.is_mov or stream.duration is None or stream.time_base is None:
            return False
        end = (stream.start_time or 0) + stream.duration
        return (end - entries[count - 1].timestamp) * stream.time_base < 1

    def rewind(self) -> None:
        """Go back to the first byte by reopening the file: no seek does so in every container."""
        number = self.stream.index
        self.container.close()
        self.container, self.stream = _open(self.path, self.max_pixels, number)

    def seek(self, pts: int, stream: Stream | None = None) -> bool:
        """Go to the keyframe at or before a PTS of a stream, by default the video; return whether that worked."""
        of = stream or self.stream
        unit = of.time_base or Fraction(1, av.time_base)
        try:
            if self.timeline is None:
                self.container.seek(pts, stream=of)
            else:
                self.container.seek(self.timeline.position(pts * unit), unsupported_byte_offset=True)
        except av_error.FFmpegError:
            return False
        return True

    def close(self) -> None:
        """Close the file."""
        self.container.close()


def open_medium(path: Path, *, max_pixels: int | None = None, stream: int | None = None) -> Medium:
    """Open a file for reading, without access to other files, URLs or playlists that it names.

    Args:
        path: Absolute path, already checked by `source.check`.
        max_pixels: Limit on the pixels of one picture, checked in the header before decoding.
        stream: Number of the video stream, by default the one that a player shows.

    Raises:
        VideoError: If the container is broken, holds no video, or its pictures are too large.
        UsageError: If there is no video stream of that number.
    """
    container, shown = _open(path, max_pixels, stream)
    medium = Medium(container, shown, _clock(container, shown), path, max_pixels)
    if not JUMPING.isdisjoint(container.format.name.split(",")):
        medium.timeline = timeline_of(path, shown.index, _container)
    return medium


def _open(path: Path, max_pixels: int | None, wanted: int | None) -> tuple[InputContainer, VideoStream]:
    container = _container(path)
    try:
        stream = shown_stream(container, wanted)
        if (
            wanted is None and len(container.streams.video) > 1
        ):  # their packets may have been read to choose one
            number = stream.index
            container.close()
            return _open(path, max_pixels, number)
        _check_size(stream, max_pixels)
    except VidagentError:
        container.close()
        raise
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    codec = stream.codec_context
    codec.thread_type = "AUTO"
    codec.thread_count = min(_MAX_THREADS, os.cpu_count() or 1)
    if max_pixels is not None:
        codec.options = {"max_pixels": str(max_pixels)}
    return container, stream


def _container(path: Path) -> InputContainer:
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": DEMUXERS,
        "max_streams": str(_MAX_STREAMS),
    }
    try:
        return av.open(str(path), options=options, metadata_errors="replace")
    except av_error.FFmpegError as error:
        raise VideoError(f"cannot be read as a video: {_reason(error)}") from None


def video_packets(medium: Medium, beat: Callable[[], None]) -> Iterator[Packet[VideoStream]]:
    """Yield the packets of the video stream from the current position to the end."""
    return packets_of(medium, [medium.stream], beat)


def packets_of(medium: Medium, streams: Sequence[_S], beat: Callable[[], None]) -> Iterator[Packet[_S]]:
    """Yield the packets of some streams from the current position to the end, on the clock of the medium."""
    packets = _demuxed(medium.container, streams, beat)
    return packets if medium.timeline is None else medium.timeline.shift(packets)


def _demuxed(
    container: InputContainer, streams: Sequence[_S], beat: Callable[[], None]
) -> Iterator[Packet[_S]]:
    """Yield packets as they are, skipping damaged data and the empty packets that PyAV returns at the end."""
    failures = 0
    while failures < _READ_ERRORS:
        try:
            for count, packet in enumerate(container.demux(*streams)):
                if count % 500 == 0:
                    beat()
                if packet.size or packet.dts is not None:
                    yield cast("Packet[_S]", packet)
        except av_error.EOFError:
            return
        except IndexError:
            # PyAV does not know a stream that starts midway; its packet is skipped.
            continue
        except av_error.FFmpegError:
            failures += 1
        else:
            return


def end_pts(medium: Medium, beat: Callable[[], None]) -> int | None:
    """Return the PTS at which the last picture in the file ends, by reading its last packets.

    A truncated file ends where its bytes end, whatever its header says.
    """
    unit = medium.stream.time_base
    if medium.timeline is not None and unit is not None:
        return round(medium.timeline.end / unit)
    announced = medium.container.duration
    last = Fraction(announced, av.time_base) + medium.clock.start if announced else None
    if unit is None:
        return None
    for step_s in _STEPS_S:
        if last is None or step_s > last - medium.clock.start:
            break
        if not medium.seek(int((last - step_s) / unit)):
            continue
        end = _last_end(medium, beat)
        if end is not None:
            return end
    medium.seek(int(medium.clock.start / unit))
    return _last_end(medium, beat)


def _last_end(medium: Medium, beat: Callable[[], None]) -> int | None:
    """Return the PTS at which the last picture from here on ends, or None if there is none."""
    stream = medium.stream
    usual = stream.average_rate or stream.guessed_rate
    default = int(1 / usual / medium.clock.time_base) if usual else 0
    last = end = longest = None
    for packet in video_packets(medium, beat):
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None or packet.is_discard or packet.is_corrupt:
            continue
        own_end = pts + (packet.duration or default)
        longest = own_end if longest is None else max(longest, own_end)
        if last is None or pts > last:
            last, end = pts, own_end
    if last is None or longest is None or stream.duration is None:
        return end
    # Packet durations are differences of decoding times: with B-frames at an uneven rate, trust the header instead.
    announced = (stream.start_time or 0) + stream.duration
    return announced if last < announced <= longest + 1 / medium.clock.time_base else end


def _check_size(stream: VideoStream, max_pixels: int | None) -> None:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width <= 0 or height <= 0:
        raise VideoError("holds a video whose picture size is missing or larger than FFmpeg can hold")
    if max_pixels is not None and width * height > max_pixels:
        raise VideoError(
            f"its pictures are {width}x{height} ({width * height / 1e6:.0f} Mpx), over the limit of "
            f"{max_pixels / 1e6:.0f} Mpx"
        )


def _clock(container: InputContainer, stream: VideoStream) -> Clock:
    unit = stream.time_base
    assert unit is not None  # noqa: S101 - `shown_stream` refuses a stream without one
    return Clock(unit, _start(container, stream))


def _start(container: InputContainer, stream: VideoStream) -> Fraction:
    """Return the container's exact start time, from its stream: FFmpeg rounds the container's to microseconds."""
    rounded = cast("int | None", container.start_time)
    if rounded is None:
        return (stream.start_time or 0) * (stream.time_base or Fraction(0))
    others: list[Stream] = [s for s in container.streams if s.index != stream.index]
    for candidate in (stream, *others):
        if candidate.start_time is not None and candidate.time_base is not None:
            exact = candidate.start_time * candidate.time_base
            if abs(exact * av.time_base - rounded) < 1:
                return exact
    return Fraction(rounded, av.time_base)


def _reason(error: av_error.FFmpegError) -> str:
    if isinstance(error, av_error.MemoryError):
        return f"it has more than {_MAX_STREAMS} streams, or opening it takes too much memory"
    text = (error.strerror or str(error)).strip()
    if isinstance(error, av_error.InvalidDataError):
        return "its data is damaged, cut off or in no supported format"
    return text[:1].lower() + text[1:]
