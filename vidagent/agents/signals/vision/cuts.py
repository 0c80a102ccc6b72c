"""Cut scores of the steps between neighbouring frames."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vidagent.video.index.cuts import alike, moved_out, reduced

CUT: Final = 0.5
"""Minimum score of a cut.

Among five neighbouring frames the 146 cuts of drawn and sample videos score 0.68 or more, and 7,771 other steps 0.44
or less: a fast fall with motion blur, whip pans, a page scrolled quickly. Among three, 0.68 and 0.48, except for one
step at the end of a blend (0.62). The first two measures alone overlap (0.38 and 0.39), as in fast scenes every step
is large.
"""

_OUTLIER_FACTOR: Final = 1.5
_MIN_LEVELS: Final = 4.0
_SIDE: Final = 128
_GRID: Final = 4
_BINS: Final = [8, 8, 8]
_RANGES: Final = [0, 256, 48, 208, 48, 208]
_COARSE_WH: Final = (32, 18)
_FULL_LEVELS: Final = 60.0
"""Mean luma difference that counts as a completely different image."""

_Look = tuple[NDArray[np.float64], NDArray[np.float64]]


def cut_scores(frames: Sequence[NDArray[np.uint8]]) -> list[float]:
    """Score each step between neighbouring frames.

    The score is the mean of two measures, or 0 if only the light changes. The first is how far the step exceeds those
    before and after it, as in PySceneDetect's AdaptiveDetector: by half the L1 distance of smoothed YCrCb histograms,
    averaged over a 4x4 grid to separate shots with the same colours, or by the mean luma difference at 32x18,
    whichever is larger. The second is the share of the image that stands out after motion compensation, as in the
    scan of the video. Frames should be neighbours in time; seconds apart, no step stands out.

    Args:
        frames: Frames in order of time, `(H, W, 3)` each.

    Returns:
        One score from 0 to 1 for each pair of neighbours: one fewer than there are frames.
    """
    looks = [(_histograms(rgb), _coarse(rgb)) for rgb in frames]
    steps = [_step(before, after) for before, after in pairwise(looks)]
    above = [max(0.0, step - _neighbour_mean(steps, index)) for index, step in enumerate(steps)]
    shares = _shares(frames)
    return [(one + share) / 2 if share else 0.0 for one, share in zip(above, shares, strict=True)]


def _shares(frames: Sequence[NDArray[np.uint8]]) -> list[float]:
    """Return the share of the image in which each step stands out from the mean of its neighbours."""
    greys = [reduced(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint8)) for rgb in frames]
    steps = [moved_out(before, after) for before, after in pairwise(greys)]
    shares = []
    for place, step in enumerate(steps):
        around = [*steps[max(0, place - 1) : place], *steps[place + 1 : place + 2]]
        usual = np.mean(around, axis=0) if around else np.zeros_like(step)
        share = float((step > np.maximum(_MIN_LEVELS, _OUTLIER_FACTOR * usual)).mean())
        shares.append(0.0 if alike(greys[place], greys[place + 1]) else share)
    return shares


def _step(before: _Look, after: _Look) -> float:
    colours = 0.5 * float(np.abs(after[0] - before[0]).sum()) / _GRID**2
    luma = float(np.abs(after[1] - before[1]).mean()) / _FULL_LEVELS
    return max(colours, min(1.0, luma))


def _neighbour_mean(steps: Sequence[float], index: int) -> float:
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
