"""How much like a cut the step from each picture to the next one looks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["CUT", "cut_scores"]

CUT: Final = 0.4
"""From this score on a step counts as a cut.

In 11,327 neighbouring frames at 15 fps of the long sample video, the 56 cuts score 0.55 or more and everything
else 0.35 or less: a fast fall with motion blur, whip pans, a page scrolled quickly. By colours alone it would be
0.46 and 0.32; without holding steps against their neighbours the two overlap (0.46 and 0.57).
"""

_SIDE: Final = 128
_GRID: Final = 4
_BINS: Final = [8, 8, 8]
_RANGES: Final = [0, 256, 48, 208, 48, 208]
_COARSE_WH: Final = (32, 18)
_FULL_LEVELS: Final = 60.0
"""Mean difference of luma that counts as a wholly other picture."""

_Look = tuple[NDArray[np.float64], NDArray[np.float64]]


def cut_scores(frames: Sequence[NDArray[np.uint8]]) -> list[float]:
    """Score each step between neighbouring pictures.

    A step is measured twice and the larger counts: half the L1 distance of smoothed YCrCb histograms
    (PySceneDetect's HistogramDetector compares those of luma), averaged over a 4x4 grid so that two shots in the
    same colours differ by where these are; and the mean difference of luma at 32x18 (its ContentDetector).
    As in its AdaptiveDetector the step is then held against those before and after: in fast movement every step
    is large, at a cut one is. So pictures should be neighbours in time; among pictures seconds apart no step
    stands out.

    Args:
        frames: Pictures in order of time, `(H, W, 3)` each.

    Returns:
        One score from 0 to 1 for each pair of neighbours: one fewer than there are pictures.
    """
    looks = [(_histograms(rgb), _coarse(rgb)) for rgb in frames]
    steps = [_step(before, after) for before, after in pairwise(looks)]
    return [max(0.0, step - _usual(steps, index)) for index, step in enumerate(steps)]


def _step(before: _Look, after: _Look) -> float:
    colours = 0.5 * float(np.abs(after[0] - before[0]).sum()) / _GRID**2
    luma = float(np.abs(after[1] - before[1]).mean()) / _FULL_LEVELS
    return max(colours, min(1.0, luma))


def _usual(steps: Sequence[float], index: int) -> float:
    around = [*steps[max(0, index - 1) : index], *steps[index + 1 : index + 2]]
    return sum(around) / len(around) if around else 0.0


def _coarse(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    small = cv2.resize(rgb, _COARSE_WH, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float64)


def _histograms(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    scale = _SIDE / max(rgb.shape[:2])
    size_wh = (max(_GRID, round(rgb.shape[1] * scale)), max(_GRID, round(rgb.shape[0] * scale)))
    picture = cv2.cvtColor(cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2YCrCb)
    rows = np.array_split(picture.astype(np.uint8), _GRID, axis=0)
    return np.array([_histogram(cell) for row in rows for cell in np.array_split(row, _GRID, axis=1)])


def _histogram(cell: NDArray[np.uint8]) -> NDArray[np.float64]:
    counts: NDArray[np.float64] = cv2.calcHist(
        [np.ascontiguousarray(cell)], [0, 1, 2], None, _BINS, _RANGES
    ).astype(np.float64)
    for axis in range(counts.ndim):
        counts = (np.roll(counts, 1, axis) + 2 * counts + np.roll(counts, -1, axis)) / 4
    return counts / max(1.0, float(counts.sum()))
