"""Cuts a stream into pieces at keyframes, without decoding: each is a Matroska file that starts at 0."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import av

from vidagent.errors import VideoError

MAX_PIECE_BYTES = 256_000_000
_JUMP_S = 10.0
"""A time stamp that leaves the last one by more is a jump of the clock, not a pause."""

_MOST_HELD = 100
"""Packets in which two pictures have their times, however sound is mixed in."""
_UNKNOWN_S = 1.0
"""Longer than frames are held back for their order."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a stream, from a keyframe on.

    Args:
        data: A Matroska file.
        start_s: Time of its first frame, by the stream's time stamps.
        end_s: End of its last frame.
        jumped: Whether the clock jumped before it.
    """

    data: bytes
    start_s: float
    end_s: float
    jumped: bool


def pieces_of(
    container: Any,  # noqa: ANN401 - av's input container
    seconds: float,
    is_ended: Callable[[], bool] = lambda: False,
) -> Iterator[Piece]:
    """Yield the pieces of an opened stream, each at least `seconds` long but for the last, until it is ended.

    A piece ends with the keyframe that begins the next one, and with the frames before it that need it: an event that
    goes on across the cut is seen in both.

    Raises:
        VideoError: If the stream has no video, or no keyframes in 256 MB.
    """
    video = container.streams.best("video")
    if video is None:
        raise VideoError("the stream has no video")
    sound = container.streams.best("audio")
    streams = [video] if sound is None else [video, sound]
    current: _Writer | None = None
    ending: _Writer | None = None
    for packet in _timed(container.demux(streams), video):
        if is_ended():
            break
        if packet.pts is None:
            continue
        time_s = float(packet.pts * packet.time_base)
        if packet.stream is not video:
            _add_sound(packet, time_s, current, ending)
            continue
        jumped = current is not None and abs(time_s - current.last_s) > _JUMP_S
        if ending is not None and (time_s >= current.start_s or jumped) and current.frames > 1:  # type: ignore[union-attr]
            yield ending.piece()
            ending = None
        if jumped and current is not None:
            yield current.piece()
            current = None
        if current is None:
            if packet.is_keyframe:
                current = _Writer(streams, packet, time_s, jumped=jumped)
            continue
        if packet.is_keyframe and ending is None and time_s - current.start_s >= seconds:
            current.add(packet, time_s)
            ending, current = current, _Writer(streams, packet, time_s)
        elif ending is not None and time_s < current.start_s:
            ending.add(packet, time_s)
        else:
            current.add(packet, time_s)
    yield from (writer.piece() for writer in (ending, current) if writer is not None)


def _timed(packets: Iterator[Any], video: Any) -> Iterator[Any]:  # noqa: ANN401 - av's packets and stream
    """Yield packets; the first picture of an RTSP stream, which has no time, is set one frame before the others."""
    held: list[Any] = []
    for packet in packets:
        held.append(packet)
        decoded = [one for one in held if one.stream is video and one.dts is not None]
        if len(decoded) > 1 or len(held) >= _MOST_HELD:
            break
    pictures = [one for one in held if one.stream is video]
    times = sorted(one.pts for one in pictures if one.pts is not None)
    if pictures and times and pictures[0].pts is None and pictures[0].is_keyframe:
        pictures[0].pts = times[0] - min((b - a for a, b in pairwise(times) if b > a), default=1)
    yield from held
    for packet in packets:  # no `yield from`: av's iterator may have ended, and then breaks it
        yield packet


def _add_sound(packet: Any, time_s: float, current: _Writer | None, ending: _Writer | None) -> None:  # noqa: ANN401
    for writer in (current, ending):
        if writer is not None and time_s >= writer.start_s:
            writer.add(packet, time_s)
            return


class _Writer:
    """Writes one piece."""

    def __init__(self, streams: list[Any], first: Any, start_s: float, *, jumped: bool = False) -> None:  # noqa: ANN401
        self.start_s = self.last_s = start_s
        self.frames = 0
        self._end_s = start_s
        self._jumped = jumped
        self._video = first.stream
        self._frame_s = float(1 / first.stream.average_rate) if first.stream.average_rate else 0.04
        self._decoded: dict[int, int] = {}
        self._buffer = io.BytesIO()
        self._out = av.open(self._buffer, "w", format="matroska")
        self._streams = {stream.index: self._out.add_stream_from_template(stream) for stream in streams}
        self.add(first, start_s)

    def add(self, packet: Any, time_s: float) -> None:  # noqa: ANN401
        """Copy a packet into the piece."""
        copy = av.Packet(bytes(packet))
        shift = round(self.start_s / packet.time_base)
        copy.pts, copy.time_base = packet.pts - shift, packet.time_base
        copy.dts = self._decoding_time(packet) - shift
        copy.duration, copy.is_keyframe = packet.duration, packet.is_keyframe
        copy.stream = self._streams[packet.stream.index]
        self._out.mux(copy)
        if packet.stream is self._video:
            self.frames += 1
            self.last_s = time_s
            length = float(packet.duration * packet.time_base) if packet.duration else self._frame_s
            self._end_s = max(self._end_s, time_s + length)
        if self._buffer.tell() > MAX_PIECE_BYTES:
            raise VideoError(
                f"the stream has no keyframe in {MAX_PIECE_BYTES / 1e6:.0f} MB: it cannot be cut"
            )

    def _decoding_time(self, packet: Any) -> int:  # noqa: ANN401
        """Return when a packet is decoded, in its ticks; Matroska files do not say it of their first frames."""
        last = self._decoded.get(packet.stream.index)
        if packet.dts is not None:
            found = int(packet.dts)
        elif last is None:
            found = int(packet.pts) - round(_UNKNOWN_S / packet.time_base)
        else:
            found = last + 1
        self._decoded[packet.stream.index] = found
        return found

    def piece(self) -> Piece:
        """Finish the piece."""
        self._out.close()
        return Piece(self._buffer.getvalue(), self.start_s, self._end_s, self._jumped)
