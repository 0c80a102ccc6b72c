"""One pass over the pictures of a video: moments, cuts and movement, and what may be text if that is asked for.

See `moments.py`, `cuts.py` and `texts/candidate_finder.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidagent.video.index.cuts import CutFinder
from vidagent.video.index.moments import Moment, MomentFinder, thin_strokes
from vidagent.video.texts.candidates import Candidates

SCAN_WH = (320, 180)
"""Pictures are scaled to this `(width, height)`: 2 px strokes of 720p text are still half a pixel wide."""

_MOST_MOTION_S = 360_000
"""Movement is kept for a hundred hours; a time stamp that lies may claim years."""

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Scan:
    """Results of one pass.

    Args:
        moments: The best moments, by worth.
        cuts_s: First-frame time of each shot but the first.
        motion: Mean grey-level change between consecutive frames, one value per second of the first hundred hours.
        exact: Whether every frame was seen, so that `cuts_s` are exact.
        texts: What may be text, if it was looked for.
    """

    moments: tuple[Moment, ...]
    cuts_s: tuple[float, ...]
    motion: tuple[float, ...]
    exact: bool
    texts: Candidates | None = None


def to_json(scan: Scan) -> dict[str, Any]:
    """Return a scan as a JSON object, without what may be text."""
    return {
        "moments": [[m.score, m.time_s, list(m.box)] for m in scan.moments],
        "cuts_s": list(scan.cuts_s),
        "motion": list(scan.motion),
        "exact": scan.exact,
    }


def from_json(data: dict[str, Any]) -> Scan:
    """Return the scan that `to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: If it is another kind of object.
    """
    return Scan(
        moments=tuple(Moment(score, t_s, _box(box)) for score, t_s, box in data["moments"]),
        cuts_s=tuple(data["cuts_s"]),
        motion=tuple(data["motion"]),
        exact=bool(data["exact"]),
    )


def _box(sides: Sequence[float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = sides
    return x0, y0, x1, y1


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

    def add(self, time_s: float, grey: Grey) -> Grey:
        """Add the next picture, `(180, 320)` uint8 luma, later than all before it; return its strokes."""
        strokes = thin_strokes(grey)
        self._moments.add(time_s, strokes)
        self._cuts.add(time_s, grey)
        if self._last is not None:
            self._count_motion(int(time_s), float(cv2.absdiff(grey, self._last).mean()))
        self._last = grey
        return strokes

    def finish(self) -> Scan:
        """Return the results."""
        seconds = min(max(self._motion, default=-1) + 1, _MOST_MOTION_S)
        motion = [self._mean_motion(second) for second in range(seconds)]
        return Scan(
            moments=tuple(self._moments.best(self.most)),
            cuts_s=tuple(self._cuts.finish()),
            motion=tuple(motion),
            exact=self.exact,
        )

    def _count_motion(self, second: int, change: float) -> None:
        total = self._motion.setdefault(second, [0.0, 0.0])
        total[0] += change
        total[1] += 1

    def _mean_motion(self, second: int) -> float:
        total, count = self._motion.get(second, (0.0, 0.0))
        return round(total / max(count, 1.0), 2)
