"""The default decoder: PyAV, with seeks that are checked rather than trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vidagent.errors import VideoError
from vidagent.video.container.packet_listing import STEPS_BACK_S, frame_times, packets_from, read_packets
from vidagent.video.container.probe import probe
from vidagent.video.decoders.cursor import Cursor, pts_of
from vidagent.video.decoders.geometry import geometry_of
from vidagent.video.decoders.picture import look_of, to_grey, to_rgb
from vidagent.video.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    from vidagent.types import Box
    from vidagent.video.clock import Clock
    from vidagent.video.decoders.base import Snap
    from vidagent.video.decoders.geometry import Geometry
    from vidagent.video.packets import Packets

_SKIP_MARGIN_S = 0.5
_BLIND_FORWARD_S = 1.0
"""Without a sample table, decode forward to a target this near instead of seeking."""
_FOREVER = 1 << 62
_KEYFRAMES_BACK = 2
"""Keyframes to go back if a seek landed on a non-IDR picture or gave broken pictures."""
_REDO_PIXELS = 3_000_000_000
"""Most pixels to decode again from the start after a seek gave broken pictures: about 20 s of one core."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A decoded picture and its time, of which only what is asked for is converted."""

    time_s: float
    _picture: VideoFrame
    _geometry: Geometry

    def grey(self, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
        """Return its luma, upright and scaled to a size of any aspect ratio."""
        return to_grey(self._picture, self._geometry, size_wh)

    def part(self, box_px: Box) -> NDArray[np.uint8]:
        """Return a part of it as RGB."""
        return to_rgb(self._picture, self._geometry, box_px=box_px)


class PyavDecoder:
    """Seeks to a keyframe, decodes forward, and goes further back if the seek landed too late.

    Decoding starts at the keyframe before the target, or continues from the previous target if no keyframe lies
    between. If the codec allows, non-reference pictures are skipped until half a second before the target; if the
    target lies in a gap between timestamps, the range is decoded again without skipping. If a seek lands on a non-IDR
    H.264 keyframe, or the pictures after it are reported broken, they are decoded again from one or two keyframes
    earlier, and then from the start of the file if that is affordable. A picture that stays broken is replaced by the
    last intact keyframe before it, with that keyframe's time.

    Args:
        path: Absolute path of the file.
        max_pixels: Limit on the pixels of one picture, or None.
        beat: Called as a sign of progress.
        stream: Number of the video stream, by default the one that a player shows.

    Raises:
        VideoError: If the file cannot be opened or holds no decodable picture.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_pixels: int | None = None,
        beat: Callable[[], None] = lambda: None,
        stream: int | None = None,
    ) -> None:
        """Open the file and decode its first picture, which holds the rotation."""
        self._beat = beat
        self._damaged = self._linear = False
        self._cursor = Cursor(path, max_pixels, beat, stream)
        self._cursor.jump(None)
        first = self._cursor.current
        if first is None:
            self._cursor.close()
            raise VideoError("holds no picture that can be decoded: it is cut off or damaged")
        self._first_pts = pts_of(first)
        self._geometry = geometry_of(self._cursor.medium, first)
        self._look = look_of(first)
        self._table = self._cursor.medium.has_sample_table
        rate = self._cursor.medium.stream.average_rate
        self._pixels_per_s = first.width * first.height * float(rate or 30)

    @property
    def frames_decoded(self) -> int:
        """Pictures decoded since opening."""
        return self._cursor.frames_decoded

    def frames_at(
        self,
        times_s: Sequence[float],
        *,
        snap: Snap = "exact",
        max_side_px: int | None = None,
        box_px: Box | None = None,
    ) -> list[Frame]:
        """See `Decoder.frames_at`."""
        find = self._intact_picture if snap == "exact" else self._keyframe
        targets = [self._target(t_s) for t_s in times_s]
        found: dict[int, Frame] = {}
        made: dict[int, Frame] = {}
        for target in sorted(set(targets)):
            picture = find(target)
            pts = pts_of(picture)
            if pts not in made:
                damaged = self._cursor.current is picture and self._cursor.damaged
                rgb = to_rgb(picture, self._geometry, max_side_px=max_side_px, box_px=box_px)
                made[pts] = Frame(self._clock.seconds(pts), rgb, damaged)
            found[target] = made[pts]
        return [found[target] for target in targets]

    def frames_between(
        self, start_s: float, end_s: float, *, max_side_px: int | None = None, stride: int = 1
    ) -> Iterator[Frame]:
        """See `Decoder.frames_between`."""
        start, end = self._clock.ticks_at_least(start_s), self._clock.ticks_at_least(end_s)
        self._picture_at(max(start, self._first_pts))
        cursor, seen = self._cursor, 0
        while cursor.current is not None and pts_of(cursor.current) < end:
            picture = cursor.current
            if pts_of(picture) >= start:
                if seen % stride == 0:
                    rgb = to_rgb(picture, self._geometry, max_side_px=max_side_px)
                    yield Frame(self._clock.seconds(pts_of(picture)), rgb, cursor.damaged)
                seen += 1
            if cursor.pending is None:
                return
            cursor.step()

    def shown(self, *, all_frames: bool = True) -> Iterator[Shown]:
        """Yield every picture of the video.

        Args:
            all_frames: Decode all pictures; otherwise skip non-reference ones if the codec allows.
        """
        cursor = self._cursor
        cursor.jump(None, skip_before=None if all_frames else _FOREVER)
        while cursor.current is not None:
            yield Shown(self._clock.seconds(pts_of(cursor.current)), cursor.current, self._geometry)
            cursor.step()

    @property
    def shown_wh(self) -> tuple[int, int]:
        """Size of the pictures."""
        return self._geometry.shown_wh

    @property
    def can_skip(self) -> bool:
        """Whether `shown` can skip pictures."""
        return self._cursor.can_skip

    def facts(self) -> dict[str, Any]:
        """Return the fields of `VideoInfo` that come from the file."""
        self._cursor.park()
        return {**probe(self._cursor.medium, self._geometry, self._beat), **self._look}

    def packets(self) -> Packets:
        """List the coded pictures; nothing is decoded."""
        self._cursor.park()
        return read_packets(self._cursor.medium, self._beat)

    def frame_times(self, start_s: float, end_s: float) -> NDArray[np.float64]:
        """See `Decoder.frame_times`."""
        self._cursor.park()
        return frame_times(self._cursor.medium, start_s, end_s, self._beat)

    def close(self) -> None:
        """See `Decoder.close`."""
        self._cursor.close()

    @property
    def _clock(self) -> Clock:
        return self._cursor.medium.clock

    def _target(self, t_s: float) -> int:
        return max(self._clock.ticks(t_s), self._first_pts)

    def _picture_at(self, target: int) -> VideoFrame:
        """Return the last picture at or before a PTS that is not before the first picture."""
        cursor = self._cursor
        margin = target - round(_SKIP_MARGIN_S / self._clock.time_base)
        if self._ahead(target):
            cursor.skip_before = margin if cursor.can_skip else None
        else:
            self._land(target, skip_before=margin)
        self._walk(target)
        if cursor.skipped and pts_of(self._current) < margin:
            self._land(target, skip_before=None)
            self._walk(target)
        for _ in range(_KEYFRAMES_BACK):
            if cursor.complaints and not cursor.from_start and self._step_back(None):
                self._walk(target)
        if cursor.complaints and not cursor.from_start and self._affordable(target):
            self._redo(target)
        return self._current

    def _intact_picture(self, target: int) -> VideoFrame:
        """Return the picture shown at a PTS; if it stays broken, the last intact keyframe before it.

        The picture is returned as it is if decoding from the start of the file reports broken pictures too, or if no
        keyframe can be decoded alone, as in streams that refresh a part of the picture at a time.
        """
        picture = self._picture_at(target)
        if not self._cursor.complaints or self._cursor.from_start or self._damaged:
            return picture
        return self._intact_keyframe(target) or self._picture_at(target)

    @property
    def _current(self) -> VideoFrame:
        if self._cursor.current is None:
            raise VideoError("holds no picture that can be decoded there: it is damaged")
        return self._cursor.current

    def _ahead(self, target: int) -> bool:
        """Return whether decoding on from the current picture is the shortest way to a target."""
        cursor = self._cursor
        if cursor.current is None or pts_of(cursor.current) > target:
            return False
        if cursor.pending is None or pts_of(cursor.pending) > target:
            return True
        if self._linear and cursor.from_start:
            return True
        if not self._table:
            return (target - pts_of(cursor.pending)) * self._clock.time_base <= _BLIND_FORWARD_S
        entries = cursor.medium.stream.index_entries
        key = entries.search_timestamp(target, backward=True, any_frame=False)
        return key < 0 or entries[key].timestamp <= pts_of(cursor.pending)

    def _land(self, target: int, *, skip_before: int | None) -> None:
        """Seek so that the current picture lies at or before a target."""
        for back_s in STEPS_BACK_S:
            goal = target - round(back_s / self._clock.time_base)
            if goal < self._first_pts and back_s:
                break
            self._cursor.jump(goal, skip_before=skip_before)
            if self._cursor.current is not None and pts_of(self._cursor.current) <= target:
                for _ in range(_KEYFRAMES_BACK):
                    if self._cursor.landed_on_idr is False:
                        self._step_back(skip_before)
                return
        self._cursor.jump(None, skip_before=skip_before)

    def _step_back(self, skip_before: int | None) -> bool:
        """Land on an earlier keyframe than the last seek; return whether the cursor has moved."""
        cursor, landed = self._cursor, self._cursor.landed
        if landed is None:
            return False
        for back_s in STEPS_BACK_S:
            goal = landed - 1 - round(back_s / self._clock.time_base)
            if goal < self._first_pts:
                break
            cursor.jump(goal, skip_before=skip_before)
            if cursor.current is not None and cursor.landed is not None and cursor.landed < landed:
                return True
        cursor.jump(None if self._affordable(landed) else landed, skip_before=skip_before)
        return cursor.from_start

    def _walk(self, target: int) -> None:
        cursor = self._cursor
        while cursor.pending is not None and pts_of(cursor.pending) <= target:
            cursor.step()

    def _affordable(self, target: int) -> bool:
        seconds = (target - self._first_pts) * self._clock.time_base
        return not self._damaged and seconds * self._pixels_per_s <= _REDO_PIXELS

    def _redo(self, target: int) -> None:
        """Decode from the first byte; if that reports broken pictures too, the file is damaged and seeking as good."""
        self._cursor.jump(None)
        self._walk(target)
        self._damaged = self._cursor.complaints
        self._linear = not self._damaged

    def _keyframe(self, target: int) -> VideoFrame:
        """Return the last keyframe at or before a PTS, decoding nothing else."""
        return self._intact_keyframe(target) or self._picture_at(target)

    def _intact_keyframe(self, target: int) -> VideoFrame | None:
        """Return the last keyframe at or before a PTS that can be decoded alone, if there is one."""
        for back_s in (*STEPS_BACK_S, None):
            packet = self._key_packet(target, back_s)
            if packet is not None:
                picture = self._cursor.decode_alone(packet)
                if picture is not None:
                    return picture
        return None

    def _key_packet(self, target: int, back_s: int | None) -> Packet[VideoStream] | None:
        best = None
        for packet in self._demuxed(target, back_s):
            if packet.pts is None:
                continue
            if packet.is_keyframe and packet.pts <= target and not packet.is_discard:
                best = packet
                if self._table and back_s == 0:
                    break
            if (packet.dts if packet.dts is not None else packet.pts) > target:
                break
        return best

    def _demuxed(self, target: int, back_s: int | None) -> Iterator[Packet[VideoStream]]:
        goal = self._first_pts if back_s is None else target - round(back_s / self._clock.time_base)
        self._cursor.park()
        return packets_from(self._cursor.medium, goal, self._beat)
