"""Cut detection on small grey pictures: steps that change most of the picture at once and permanently.

A step is a cut if it stands out from the neighbouring steps in enough blocks of the picture, as in PySceneDetect's
AdaptiveDetector, but per block and with motion compensation: each block is compared with the most similar place near
it in the previous picture. So a fast pan changes little, an overlay changes too few blocks, a dissolve has no step
that stands out, a change of light leaves the pictures similar, and after a flash the old picture returns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_SMALL_WH: Final = (64, 36)
_BLOCKS_WH: Final = (16, 9)
_SHIFT: Final = 3
"""Search range of the motion compensation, in pixels of 64x36: a twentieth of the width."""

_LEAST_CHANGE: Final = 5.0
_LEAST_LEVELS: Final = 4.0
_LEAST_RATIO: Final = 1.5
_LEAST_SHARE: Final = 0.42
"""With these, in drawn videos with fast pans, the sample videos and joins of parts of them, 289 of 292 cuts have a
share of 0.49 or more (the others are within two frames of another change), and all else has 0.34 or less except a
dark window that appears over the whole screen."""

_NEARLY_TOP: Final = 0.6
_ALIKE: Final = 0.85
_FLAT: Final = 2.0
_COMES_BACK: Final = 0.35
_FLASH_S: Final = 0.25
_NEIGHBOURS: Final = 2
_CONTEXT: Final = 5
_SHORTEST_SHOT_S: Final = 0.2

Grey = NDArray[np.uint8]
Blocks = NDArray[np.float32]


@dataclass(slots=True, eq=False)
class _Step:
    """A picture and its change from the previous one; `blocks` is computed on demand."""

    time_s: float
    small: Grey
    change: float
    blocks: Blocks | None = None


@dataclass
class CutFinder:
    """Finds cuts in grey pictures, given in order; remembers the last eleven."""

    _cuts_s: list[float] = field(default_factory=list)
    _steps: deque[_Step] = field(default_factory=lambda: deque(maxlen=2 * _CONTEXT + 1))

    def add(self, time_s: float, grey: Grey) -> None:
        """Add the next picture, later than all before it."""
        small = reduced(grey)
        change = float(cv2.absdiff(small, self._steps[-1].small).mean()) if self._steps else 0.0
        self._steps.append(_Step(time_s, small, change))
        self._judge(len(self._steps) - 1 - _CONTEXT)

    def finish(self) -> list[float]:
        """Judge the last pictures and return the first-frame time of each shot but the first."""
        for place in range(len(self._steps) - _CONTEXT, len(self._steps)):
            self._judge(place)
        return self._cuts_s

    def _judge(self, place: int) -> None:
        if place < 1 or self._steps[place].change < _LEAST_CHANGE:
            return
        steps = list(self._steps)
        if self._cuts_s and steps[place].time_s - self._cuts_s[-1] <= _SHORTEST_SHOT_S:
            return
        if _is_cut(steps, place, place) or any(_is_cut(steps, *pair) for pair in _pairs(steps, place)):
            self._cuts_s.append(steps[place].time_s)


def _pairs(steps: Sequence[_Step], place: int) -> list[tuple[int, int]]:
    """Return the pairs of steps that may be one cut with a stray picture in it: a flash, or a mix of both shots.

    Both steps change much more than their neighbours, and the given one the most.
    """
    pairs = []
    for first, last in ((place - 1, place), (place, place + 1)):
        if first > 0 and last < len(steps):
            beside = [steps[other].change for other in _around(steps, first, last)]
            low, high = sorted(steps[other].change for other in (first, last))
            if high == steps[place].change and low > 2 * max(beside, default=0.0):
                pairs.append((first, last))
    return pairs


def _around(steps: Sequence[_Step], first: int, last: int) -> list[int]:
    near = (*range(first - _NEIGHBOURS, first), *range(last + 1, last + 1 + _NEIGHBOURS))
    return [other for other in near if 0 < other < len(steps)]


def _is_cut(steps: Sequence[_Step], first: int, last: int) -> bool:
    """Return whether the steps from `first` to `last` lead to a different shot."""
    before, after = steps[first - 1].small, steps[last].small
    near = _around(steps, first, last)
    change = max(steps[place].change for place in (first, last))
    if change < _NEARLY_TOP * max((steps[place].change for place in near), default=0.0):
        return False
    jump = _change_of(steps, first) if first == last else moved_out(before, after)
    least = _LEAST_LEVELS
    if near:
        usual = np.max([_change_of(steps, place) for place in near], axis=0)
        least = np.maximum(_LEAST_LEVELS, _LEAST_RATIO * usual)
    if float((jump > least).mean()) < _LEAST_SHARE or alike(before, after):
        return False
    return not _comes_back(steps, first, last, float(np.median(jump)))


def _change_of(steps: Sequence[_Step], place: int) -> Blocks:
    step = steps[place]
    if step.blocks is None:
        step.blocks = moved_out(steps[place - 1].small, step.small)
    return step.blocks


def _comes_back(steps: Sequence[_Step], first: int, last: int, change: float) -> bool:
    """Return whether a picture from just before the steps returns just after them."""
    return any(
        alike(before.small, after.small)
        or float(np.median(moved_out(before.small, after.small))) < _COMES_BACK * change
        for place, before in enumerate(steps[:first])
        for other, after in enumerate(steps[last:], last)
        if other - place > 1 + last - first and after.time_s - before.time_s <= _FLASH_S
    )


def reduced(grey: Grey) -> Grey:
    """Scale a grey picture to the size used for comparison."""
    return cv2.resize(grey, _SMALL_WH, interpolation=cv2.INTER_AREA).astype(np.uint8)


def moved_out(before: Grey, after: Grey) -> Blocks:
    """Return the mean difference of each block from the most similar place near it in the previous picture.

    Both pictures are `reduced`; the result is 9 rows of 16 blocks, in grey levels.
    """
    (width, height), (across, down), shifts = _SMALL_WH, _BLOCKS_WH, (2 * _SHIFT + 1) ** 2
    wide = cv2.copyMakeBorder(before, _SHIFT, _SHIFT, _SHIFT, _SHIFT, cv2.BORDER_REPLICATE)
    shifted = np.lib.stride_tricks.sliding_window_view(wide, (height, width)).reshape(-1, width)
    apart = cv2.absdiff(shifted.astype(np.uint8), np.tile(after, (shifts, 1)))
    means = cv2.resize(apart, (across, shifts * down), interpolation=cv2.INTER_AREA)
    return np.asarray(means.reshape(shifts, down, across).min(axis=0), np.float32)


def alike(one: Grey, other: Grey) -> bool:
    """Return whether two `reduced` pictures differ only in light; False for flat ones, which cannot be compared."""
    a, b = one.astype(np.float32).ravel(), other.astype(np.float32).ravel()
    spread = float(a.std()), float(b.std())
    if min(spread) < _FLAT:
        return False
    return float(((a - a.mean()) * (b - b.mean())).mean()) / (spread[0] * spread[1]) >= _ALIKE
