"""One pass over small grey pictures of a video: moments (`moments.py`), cuts (`cuts.py`) and movement."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from vidagent.video.index.cuts import CutFinder
from vidagent.video.index.moments import Moment, MomentFinder

SCAN_WH = (320, 180)
"""Pictures are scaled to this `(width, height)`: 2 px strokes of 720p text are still half a pixel wide."""

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Scan:
    """Results of one pass.

    Args:
        moments: The best moments, by worth.
        cuts_s: First-frame time of each shot but the first.
        motion: Mean grey-level change between consecutive frames, one value per second.
        exact: Whether every frame was seen, so that `cuts_s` are exact.
    """

    moments: tuple[Moment, ...]
    cuts_s: tuple[float, ...]
    motion: tuple[float, ...]
    exact: bool


@dataclass
class Scanner:
    """Builds a `Scan` from grey pictures, given in order.

    Args:
        exact: Whether every frame of the video will be added.
        most: Most moments to return.
    """

    exact: bool
    most: int = 512
    _moments: MomentFinder = field(default_factory=MomentFinder)
    _cuts: CutFinder = field(default_factory=CutFinder)
    _motion: dict[int, list[float]] = field(default_factory=dict)
    _last: Grey | None = None

    def add(self, time_s: float, grey: Grey) -> None:
        """Add the next picture: `(180, 320)` uint8 luma, later than all before it."""
        self._moments.add(time_s, grey)
        self._cuts.add(time_s, grey)
        if self._last is not None:
            self._count_motion(int(time_s), float(cv2.absdiff(grey, self._last).mean()))
        self._last = grey

    def finish(self) -> Scan:
        """Return the results."""
        motion = [self._mean_motion(second) for second in range(max(self._motion, default=-1) + 1)]
        return Scan(
            tuple(self._moments.best(self.most)), tuple(self._cuts.finish()), tuple(motion), self.exact
        )

    def _count_motion(self, second: int, change: float) -> None:
        total = self._motion.setdefault(second, [0.0, 0.0])
        total[0] += change
        total[1] += 1

    def _mean_motion(self, second: int) -> float:
        total, count = self._motion.get(second, (0.0, 0.0))
        return round(total / max(count, 1.0), 2)
