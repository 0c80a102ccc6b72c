"""A clock that goes on where the time stamps of a transport or program stream jump. Runs in the child process.

Recordings joined byte by byte, and broadcasts, start their time stamps anew or skip hours; players go on with the next
picture. FFmpeg's own tool does the same (`dts_delta_threshold`), its libraries do not.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice, pairwise
from statistics import median
from typing import TYPE_CHECKING, TypeVar

import av
from av import error as av_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

_S = TypeVar("_S", bound="Stream")

JUMPING = frozenset({"mpegts", "mpeg"})
"""Demuxers of the containers whose time stamps may jump (FFmpeg's flag AVFMT_TS_DISCONT)."""
_BACK_S, _FORWARD_S = Fraction(1, 5), 10
"""Decoding times that go back at all, rounding aside, have jumped, and those that go forward by FFmpeg's 10 s."""
_READ_WHOLE_BYTES = 64 << 20
_PLACES = 24
"""In a larger file the times at this many places tell whether it has to be read whole."""
_UNEVEN = 8
_PACKETS_TRIED = 200


@dataclass(frozen=True, slots=True)
class Timeline:
    """Runs of continuous time stamps, in the order of the file.

    Args:
        starts: Position in bytes at which each run starts.
        offsets: Seconds to add to the time stamps of each run.
        keys_s: Times of the keyframes on the continuous clock, ascending.
        keys_at: Position in bytes of each keyframe.
        end: Time at which the last picture ends.
    """

    starts: tuple[int, ...]
    offsets: tuple[Fraction, ...]
    keys_s: tuple[Fraction, ...]
    keys_at: tuple[int, ...]
    end: Fraction

    def offset(self, position: int) -> Fraction:
        """Return the seconds to add to the time stamps of a packet at a position in bytes."""
        return self.offsets[max(0, bisect_right(self.starts, position) - 1)]

    def position(self, time: Fraction) -> int:
        """Return the position in bytes of the last keyframe at or before a time, or of the first."""
        return self.keys_at[max(0, bisect_right(self.keys_s, time) - 1)]

    def shift(self, packets: Iterator[Packet[_S]]) -> Iterator[Packet[_S]]:
        """Set the time stamps of packets to the continuous clock."""
        offset = self.offsets[0]
        for packet in packets:
            if packet.pos is not None and packet.pos >= 0:
                offset = self.offset(packet.pos)
            ticks = round(offset / packet.time_base) if packet.time_base else 0
            if packet.pts is not None:
                packet.pts += ticks
            if packet.dts is not None:
                packet.dts += ticks
            yield packet


@lru_cache(maxsize=4)
def timeline_of(path: Path, stream: int, open_file: Callable[[Path], InputContainer]) -> Timeline | None:
    """Return the timeline of a video stream if its time stamps jump, else None.

    Raises:
        FFmpegError: If the file cannot be opened.
    """
    with open_file(path) as container:
        shown = container.streams.video[[video.index for video in container.streams.video].index(stream)]
        if path.stat().st_size > _READ_WHOLE_BYTES and not _uneven(container, shown, path.stat().st_size):
            return None
        container.seek(0, unsupported_byte_offset=True)
        return _read(container, shown)


def _uneven(container: InputContainer, stream: VideoStream, size: int) -> bool:
    """Return whether times at evenly spaced places go back, or forward by far more than usual."""
    times = []
    for place in range(_PLACES):
        container.seek(place * size // _PLACES, unsupported_byte_offset=True)
        packets = islice(container.demux(stream), _PACKETS_TRIED)
        dts = next((packet.dts for packet in packets if packet.dts is not None), None)
        if dts is not None and stream.time_base is not None:
            times.append(dts * stream.time_base)
    steps = [later - earlier for earlier, later in pairwise(times)]
    if not steps:
        return True
    return min(steps) < 0 or max(steps) > _UNEVEN * median(steps) + _FORWARD_S


def _read(container: InputContainer, stream: VideoStream) -> Timeline | None:
    """Read all packets of a stream, and join its runs: each starts when the last packet before it ends."""
    starts, offsets, offset = [0], [Fraction(0)], Fraction(0)
    keys: list[tuple[Fraction, int]] = []
    due, end = None, Fraction(0)
    for packet in _packets(container, stream):
        dts, pts, length = _times(packet, stream)
        if due is not None and not -_BACK_S < dts + offset - due < _FORWARD_S:
            offset = due - dts
            starts.append(packet.pos or 0)
            offsets.append(offset)
        due = dts + offset + length
        end = max(end, pts + offset + length)
        if packet.is_keyframe and packet.pos is not None:
            keys.append((pts + offset, packet.pos))
    if len(starts) == 1 or not keys:
        return None
    keys.sort()
    return Timeline(
        tuple(starts), tuple(offsets), tuple(t for t, _ in keys), tuple(at for _, at in keys), end
    )


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    try:
        yield from (packet for packet in container.demux(stream) if packet.dts is not None and packet.size)
    except av_error.FFmpegError:
        return


def _times(packet: Packet[VideoStream], stream: VideoStream) -> tuple[Fraction, Fraction, Fraction]:
    """Return decoding time, presentation time and duration in seconds."""
    unit = stream.time_base or Fraction(1, av.time_base)
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    dts = packet.dts or 0
    length = packet.duration * unit if packet.duration else 1 / rate
    return dts * unit, (packet.pts if packet.pts is not None else dts) * unit, length
