"""Decoding: an overview, exact frames and a dense stretch, against the libraries that decode videos.

Every way opens the file, returns the same frames at the size in which a model is sent them, and closes it. Ours does so
in its decoding process, whose start counts; only the template that a program starts once was started before.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.speed.drawn_videos import subject
from benchmarks.speed.libraries import Picture, Way, installed
from benchmarks.speed.turns import Row, Setting, Table, in_turn, wall_s
from vidagent.video.decoders.base import Snap
from vidagent.video.frame import fit_wh
from vidagent.video.video import Video

_SIDE_PX = 768
_OVERVIEW, _EXACT, _DENSE = 64, 12, 64
_DENSE_S = 8.0
_OURS = "vidagent"
_THUMB_WH = (96, 54)
_CLOSE = 1.3
"""A frame is the wrong one if a neighbour of the wanted frame is nearer to it by this factor."""


def measure(setting: Setting) -> list[Table]:
    """Return a table for each kind of look."""
    path = subject(setting)
    with Video.open(path) as video:
        duration_s = video.info.duration_s
        size_wh = fit_wh((video.info.width, video.info.height), _SIDE_PX)
        spread = np.linspace(0, duration_s, _OVERVIEW, endpoint=False)
        chance = random.Random(18)
        exact = sorted(chance.uniform(0, duration_s) for _ in range(_EXACT))
        dense_s = min(_DENSE_S, duration_s)
        dense = (duration_s - dense_s) / 2 + np.linspace(0, dense_s, _DENSE, endpoint=False)
        looks: list[tuple[str, Sequence[float], Snap]] = [
            (
                f"{_OVERVIEW} keyframes of {duration_s / 60:.0f} min",
                _true_times(video, spread, "keyframe"),
                "keyframe",
            ),
            (f"{_EXACT} random exact frames", _true_times(video, exact, "exact"), "exact"),
            (f"{_DENSE} frames of {dense_s:g} s", _true_times(video, dense, "exact"), "exact"),
        ]
        right = [_Right(video, times) for _, times, _ in looks]
    return [
        _compared(path, look, size_wh, one, setting.rounds) for look, one in zip(looks, right, strict=True)
    ]


def _true_times(video: Video, times_s: Sequence[float], snap: Snap) -> list[float]:
    frames = video.frames_at(list(times_s), snap=snap, max_side_px=64)
    return sorted({frame.time_s for frame in frames})


class _Right:
    """The frames wanted and their neighbours, to tell whether a library returned the right ones."""

    def __init__(self, video: Video, times_s: Sequence[float]) -> None:
        step_s = video.info.frame_s
        self._shown = [
            [
                _thumb(frame.rgb)
                for frame in video.frames_at([t, max(0.0, t - step_s), t + step_s], max_side_px=256)
            ]
            for t in times_s
        ]

    def wrong(self, pictures: Sequence[Picture]) -> int:
        """Count the frames that are missing or nearer to a neighbour of the wanted one."""
        count = abs(len(self._shown) - len(pictures))
        for (wanted, *beside), picture in zip(self._shown, pictures, strict=False):
            thumb = _thumb(picture)
            off = float(np.abs(thumb - wanted).mean())
            count += any(float(np.abs(thumb - other).mean()) * _CLOSE < off for other in beside)
        return count


def _thumb(rgb: Picture) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return cv2.resize(rgb, _THUMB_WH, interpolation=cv2.INTER_AREA).astype(np.float32)


def _compared(
    path: Path, look: tuple[str, Sequence[float], Snap], size_wh: tuple[int, int], right: _Right, rounds: int
) -> Table:
    title, times_s, snap = look
    ways: dict[str, Way] = {_OURS: partial(_ours, snap), **installed()}
    wrong = {name: right.wrong(way(path, times_s, size_wh)) for name, way in ways.items()}
    values = in_turn({name: _timed(way, path, times_s, size_wh) for name, way in ways.items()}, rounds)
    others = [some for name, some in values.items() if name != _OURS and not wrong[name]]
    fastest = [min(some) for some in zip(*others, strict=True)]
    rows = [
        Row(name, some, fastest, f"{wrong[name]} wrong frames" if wrong[name] else "")
        for name, some in values.items()
    ]
    return Table(title, "s", rows, base="the fastest library in that round")


def _timed(way: Way, path: Path, times_s: Sequence[float], size_wh: tuple[int, int]) -> Callable[[], float]:
    return lambda: wall_s(lambda: way(path, times_s, size_wh))


def _ours(snap: Snap, path: Path, times_s: Sequence[float], size_wh: tuple[int, int]) -> list[Picture]:
    with Video.open(path) as video:
        return [frame.rgb for frame in video.frames_at(times_s, snap=snap, max_side_px=max(size_wh))]
