"""Decoded pictures in display order, from where the last seek landed."""

from __future__ import annotations

import os
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Literal

from av import error as av_error
from av.video.frame import PictureType

from vidagent.video.container.medium import open_medium, video_packets
from vidagent.video.decoders.h264 import Colours, holds_idr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_SKIPPABLE = {"h264", "hevc"}
"""Codecs for which skipping non-reference pictures was shown to leave the others intact; on AV1 it does not."""
_PREDICTED = {PictureType.P, PictureType.B}
"""Picture types that depend on others: a seek lands on one only because of a false keyframe flag."""
_STDERR = 2


def pts_of(frame: VideoFrame) -> int:
    """Return the PTS of a cursor's frame, which always has one."""
    assert frame.pts is not None  # noqa: S101 - Cursor fills in missing ones
    return frame.pts


class Cursor:
    """Holds the current picture and the next one, and moves forward.

    Args:
        path: Absolute path of the file.
        max_pixels: Limit on the pixels of one picture, or None.
        beat: Called for every decoded picture, as a sign of progress.
        stream: Number of the video stream, by default the one that a player shows.

    Attributes:
        landed: Decoding time, in ticks, of the keyframe that the last seek landed on; None after a rewind.
        landed_on_idr: Whether that is an IDR picture, after which no picture refers to earlier ones; None for
            codecs other than H.264.
    """

    def __init__(
        self, path: Path, max_pixels: int | None, beat: Callable[[], None], stream: int | None = None
    ) -> None:
        """Open the file; nothing is decoded before the first `jump`."""
        self.frames_decoded = 0
        self.current: VideoFrame | None = None
        self.pending: VideoFrame | None = None
        self.from_start = False
        self.skipped = False
        self.skip_before: int | None = None
        self.landed: int | None = None
        self.landed_on_idr: bool | None = None
        self._beat = beat
        self._fresh = True
        self._frames: Iterator[VideoFrame] = iter(())
        self.medium = open_medium(path, max_pixels=max_pixels, stream=stream)
        self._colours = Colours()
        self._damaged: set[int] = set()
        self._queue: deque[VideoFrame] = deque()
        self._spoilt = False
        self._broken = False
        self._log_start = _log_size()

    @property
    def complaints(self) -> bool:
        """Whether the decoder reported broken pictures since the seek landed.

        FFmpeg reports missing references and concealed blocks only in its log, the child's standard error, which
        goes to a file: if the file has grown, there were some.
        """
        return self._broken or _log_size() > self._log_start

    @property
    def can_skip(self) -> bool:
        """Whether non-reference pictures of this codec can be skipped on the way to a target."""
        return self.medium.stream.codec_context.name in _SKIPPABLE

    @property
    def damaged(self) -> bool:
        """Whether the current picture is damaged.

        The decoder marks a picture whose own data are damaged. Those after it may refer to it, up to the next keyframe,
        and so may the B-pictures just before it.
        """
        if not self.complaints or self.current is None:
            return False
        if pts_of(self.current) in self._damaged:
            return True
        picture = self.current
        for following in self._following():
            if picture.pict_type != PictureType.B:
                return False
            if pts_of(following) in self._damaged:
                return True
            picture = following
        return False

    def _following(self) -> Iterator[VideoFrame]:
        """Yield the pictures after the current one without advancing."""
        if self.pending is not None:
            yield self.pending
        for place in count():
            if place == len(self._queue):
                picture = next(self._frames, None)
                if picture is None:
                    return
                self._queue.append(picture)
            yield self._queue[place]

    def jump(self, pts: int | None, *, skip_before: int | None = None) -> None:
        """Go to the keyframe at or before a PTS, or to the first byte of the file.

        `current` and `pending` are then the first two pictures from there, or None if the file has no more.

        Args:
            pts: Where to seek; None for the first byte.
            skip_before: Skip non-reference pictures before this PTS if the codec allows it.
        """
        self.current = self.pending = None
        self.landed = self.landed_on_idr = None
        self._broken = self._spoilt = self.skipped = False
        self._damaged.clear()
        self._queue.clear()
        self.skip_before = skip_before if self.can_skip else None
        self.from_start = pts is None
        self._log_start = _log_size()
        if pts is None:
            self._rewind()
        elif not self._seek(pts):
            return
        self._colours.restart()
        self._frames = self._decoded()
        self.current = next(self._frames, None)
        if not self.from_start:
            if not self.landed_on_idr:
                # pictures that lead another kind of keyframe lack references, and are left out
                self._log_start = _log_size()
            self._broken = self.current is not None and self.current.pict_type in _PREDICTED
        self.pending = next(self._frames, None)

    def step(self) -> None:
        """Advance to the next picture."""
        if self.current is not None:
            self._damaged.discard(pts_of(self.current))
        self.current = self.pending
        self.pending = self._queue.popleft() if self._queue else next(self._frames, None)

    def park(self) -> None:
        """Drop the pictures held, as the file is about to be read from another position."""
        self.current = self.pending = None
        self._queue.clear()
        self._frames = iter(())
        self._fresh = False

    def packets(self) -> Iterator[Packet[VideoStream]]:
        """Drop the pictures held, and yield the packets from the current position."""
        self.park()
        return video_packets(self.medium, self._beat)

    def decode_alone(self, packet: Packet[VideoStream]) -> VideoFrame | None:
        """Decode one keyframe by itself; return None if that gives no intact picture."""
        codec = self.medium.stream.codec_context
        codec.flush_buffers()
        codec.skip_frame = "DEFAULT"
        try:
            frames = [*codec.decode(packet), *codec.decode(None)]
        except av_error.FFmpegError:
            frames = []
        codec.flush_buffers()
        self._colours.restart()
        self._colours.see(packet, self.medium)
        for frame in frames:
            self._count()
            _fill_pts(frame, packet.pts)
            self._colours.apply(frame)
        alone = frames and not frames[0].is_corrupt and frames[0].pict_type not in _PREDICTED
        return frames[0] if alone else None

    def close(self) -> None:
        """Close the file."""
        self._frames = iter(())
        self.current = self.pending = None
        self.medium.close()

    def _rewind(self) -> None:
        if not self._fresh:
            self.medium.rewind()

    def _seek(self, pts: int) -> bool:
        self._fresh = False
        return self.medium.seek(pts)

    def _decoded(self) -> Iterator[VideoFrame]:
        """Decode from here; after a seek, from the first keyframe on, without its leading pictures."""
        self._fresh = False
        first = None
        last = None
        codec = self.medium.stream.codec_context
        for packet in video_packets(self.medium, self._beat):
            if first is None and not self.from_start:
                if not packet.is_keyframe:
                    continue
                first = packet.pts
                self.landed = packet.dts if packet.dts is not None else packet.pts
                self.landed_on_idr = holds_idr(packet) if codec.name == "h264" else None
            self._set_skipping(packet)
            if packet.is_keyframe:
                self._colours.see(packet, self.medium)
            for frame in self._decode(packet):
                last = _fill_pts(frame, last)
                self._examine(frame)
                if first is None or last >= first:
                    yield frame
        try:
            for frame in codec.decode(None):
                last = _fill_pts(frame, last)
                self._count()
                self._examine(frame)
                yield frame
        except av_error.FFmpegError:
            self._broken = True

    def _decode(self, packet: Packet[VideoStream]) -> Iterator[VideoFrame]:
        try:
            frames = packet.decode()
        except av_error.FFmpegError:
            self._broken = True
            return
        for frame in frames:
            self._count()
            yield frame

    def _examine(self, frame: VideoFrame) -> None:
        """Note whether a picture is damaged, and set its colours."""
        self._broken |= frame.is_corrupt
        self._spoilt = frame.is_corrupt or (self._spoilt and not frame.key_frame)
        if self._spoilt:
            self._damaged.add(pts_of(frame))
        self._colours.apply(frame)

    def _count(self) -> None:
        self.frames_decoded += 1
        self._beat()

    def _set_skipping(self, packet: Packet[VideoStream]) -> None:
        skip = self.skip_before is not None and packet.pts is not None and packet.pts < self.skip_before
        self.skipped |= skip
        mode: Literal["NONREF", "DEFAULT"] = "NONREF" if skip else "DEFAULT"
        codec = self.medium.stream.codec_context
        if codec.skip_frame != mode:
            codec.skip_frame = mode


def _fill_pts(frame: VideoFrame, last: int | None) -> int:
    """Return a frame's PTS; set a missing one to its packet's time, or to follow the previous frame."""
    if frame.pts is None:
        frame.pts = (
            frame.dts if frame.dts is not None else (0 if last is None else last + (frame.duration or 1))
        )
    return frame.pts


def _log_size() -> int:
    try:
        return os.fstat(_STDERR).st_size
    except OSError:
        return 0
