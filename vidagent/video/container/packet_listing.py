"""List coded pictures from the sample table, or by reading the whole file. Runs in the child process."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vidagent.video.container.medium import video_packets
from vidagent.video.packets import Packets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.packet import Packet
    from av.video.stream import VideoStream

    from vidagent.video.container.medium import Medium

STEPS_BACK_S = (0, 1, 4, 16, 64, 256)
"""Distances before a target to seek to, in turn, until the keyframe reached lies at or before it."""

_ROW = np.dtype([("pts", np.int64), ("size", np.int32), ("key", np.bool_), ("hidden", np.bool_)])


def read_packets(medium: Medium, beat: Callable[[], None]) -> Packets:
    """List all packets from the container's sample table, or else by reading the whole file."""
    exact = not medium.has_sample_table
    rows = _demuxed(medium, beat) if exact else _listed(medium, beat)
    if rows["hidden"].any():
        rows = rows[~rows["hidden"]]
    pts, sizes, keyframes = (np.ascontiguousarray(rows[name]) for name in ("pts", "size", "key"))
    del rows
    if not exact and len(pts):
        # Decoding times start before presentation times by the reordering delay.
        pts += (medium.stream.start_time or 0) - pts.min()
    if np.any(pts[1:] < pts[:-1]):
        order = np.argsort(pts, kind="stable")
        pts, sizes, keyframes = pts[order], sizes[order], keyframes[order]
    return Packets(medium.clock.seconds_of(pts), sizes, keyframes, exact)


def frame_times(
    medium: Medium, start_s: float, end_s: float, beat: Callable[[], None]
) -> NDArray[np.float64]:
    """Return the PTS, in seconds and sorted, of every picture shown in `[start_s, end_s)`."""
    clock = medium.clock
    start, end = clock.ticks_at_least(start_s), clock.ticks_at_least(end_s)
    for back_s in STEPS_BACK_S:
        goal = start - round(back_s / clock.time_base)
        found = _pts_between(packets_from(medium, goal, beat), start, end, whole=False)
        if found is not None:
            return clock.seconds_of(found)
    medium.rewind()
    found = _pts_between(video_packets(medium, beat), start, end, whole=True)
    return clock.seconds_of(found if found is not None else np.empty(0, np.int64))


def packets_from(medium: Medium, pts: int, beat: Callable[[], None]) -> Iterator[Packet[VideoStream]]:
    """Seek to the container's keyframe at or before a PTS, and yield the packets from there."""
    return video_packets(medium, beat) if medium.seek(pts) else iter(())


def _pts_between(
    packets: Iterator[Packet[VideoStream]], start: int, end: int, *, whole: bool
) -> NDArray[np.int64] | None:
    """Return the PTS in `[start, end)`, or None if the packets start too late to include them all."""
    found, safe = array("q"), whole
    for packet in packets:
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None:
            continue
        dts = packet.dts if packet.dts is not None else pts
        safe |= packet.is_keyframe and pts <= start
        if dts >= end or (dts > start and not safe):
            break
        if start <= pts < end and not packet.is_discard:
            found.append(pts)
    return np.unique(np.array(found, np.int64)) if safe else None


def _listed(medium: Medium, beat: Callable[[], None]) -> NDArray[np.void]:
    entries = medium.stream.index_entries

    def rows() -> Iterator[tuple[int, int, bool, bool]]:
        for number, entry in enumerate(entries):
            if number % 10_000 == 0:
                beat()
            yield entry.timestamp, entry.size, entry.is_keyframe, entry.is_discard

    return np.fromiter(rows(), _ROW, count=len(entries))


def _demuxed(medium: Medium, beat: Callable[[], None]) -> NDArray[np.void]:
    medium.rewind()

    def rows() -> Iterator[tuple[int, int, bool, bool]]:
        for packet in video_packets(medium, beat):
            pts = packet.pts if packet.pts is not None else packet.dts
            if pts is not None:
                yield pts, packet.size, packet.is_keyframe, packet.is_discard

    return np.fromiter(rows(), _ROW)
