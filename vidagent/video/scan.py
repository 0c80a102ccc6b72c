"""One pass over the small grey pictures of a video: moments worth a look, cuts and movement.

A cut is a change of the picture at least three times that of the two frames before and after it: the rule of
PySceneDetect's AdaptiveDetector, on luma.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from vidagent.video.moments import Moment, MomentFinder

__all__ = ["SCAN_WH", "Moment", "Scan", "Scanner"]

SCAN_WH = (320, 180)
"""Pictures are scaled to this `(width, height)`: 2 px strokes of 720p text are still half a pixel wide."""

_CUT_CHANGE = 8.0
_CUT_RATIO = 3.0
_NEIGHBOURS = 2
_QUIET = 1.0
_SHORTEST_SHOT_S = 0.2

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass found.

    Args:
        moments: The most telling moments, rare ones first.
        cuts_s: Times of the first frame of each shot but the first.
        motion: Mean grey-level change between neighbouring frames, one value a second.
        exact: Whether every frame was seen, so that `cuts_s` are exact.
    """

    moments: tuple[Moment, ...]
    cuts_s: tuple[float, ...]
    motion: tuple[float, ...]
    exact: bool


@dataclass
class Scanner:
    """Takes grey pictures in order and keeps only what a `Scan` needs.

    Args:
        exact: Whether every frame of the video will be given.
        most: Moments to keep.
    """

    exact: bool
    most: int = 512
    _moments: MomentFinder = field(default_factory=MomentFinder)
    _cuts: list[float] = field(default_factory=list)
    _motion: dict[int, list[float]] = field(default_factory=dict)
    _changes: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=2 * _NEIGHBOURS + 1))
    _last: Grey | None = None

    def add(self, time_s: float, grey: Grey) -> None:
        """Take the next picture: `(180, 320)` uint8 luma, later than all before it."""
        self._moments.add(time_s, grey)
        if self._last is not None:
            change = float(cv2.absdiff(grey, self._last).mean())
            self._count_motion(int(time_s), change)
            self._changes.append((time_s, change))
            if len(self._changes) > 2 * _NEIGHBOURS:
                self._judge_cut(_NEIGHBOURS)
        self._last = grey

    def finish(self) -> Scan:
        """Return what was found."""
        whole = len(self._changes) > 2 * _NEIGHBOURS
        for place in range(_NEIGHBOURS + 1 if whole else 0, len(self._changes)):
            self._judge_cut(place)
        motion = [self._mean_motion(second) for second in range(max(self._motion, default=-1) + 1)]
        return Scan(tuple(self._moments.best(self.most)), tuple(self._cuts), tuple(motion), self.exact)

    def _count_motion(self, second: int, change: float) -> None:
        total = self._motion.setdefault(second, [0.0, 0.0])
        total[0] += change
        total[1] += 1

    def _mean_motion(self, second: int) -> float:
        total, count = self._motion.get(second, (0.0, 0.0))
        return round(total / max(count, 1.0), 2)

    def _judge_cut(self, place: int) -> None:
        """Take a change for a cut if it stands out from the changes round it."""
        time_s, change = self._changes[place]
        around = [value for other, (_, value) in enumerate(self._changes) if other != place]
        usual = max(sum(around) / max(1, len(around)), _QUIET)
        if change < _CUT_CHANGE or change < _CUT_RATIO * usual:
            return
        if not self._cuts or time_s - self._cuts[-1] > _SHORTEST_SHOT_S:
            self._cuts.append(time_s)
