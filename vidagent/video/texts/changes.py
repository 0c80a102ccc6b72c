"""Parts of the picture where text may have come, found in one pass over small grey pictures.

A text is many thin strokes that keep their place: the least of the strokes of a short while holds them and loses what
moves. Where that rises and comes to rest, or changes but is not gone, there may be something new to read.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_CELLS_WH = (32, 18)
_WHILE_S = 0.1
"""Strokes count as resting if they keep their place for so long, and for two pictures at least."""
_LEAST_LEVELS = 1.2
_LEAST_SHARE = 0.15
"""A cell has changed if its strokes differ by this many grey levels on average, and by this share of what they are."""
_REST_SHARE = 0.08
_LONGEST_WAIT_S = 0.5
"""A cell that does not come to rest is taken as it is after this time."""
_LOOSE_LEVELS = 4.0
_LOOSE_STEP_S = 1.0
_STROKE_LEVELS = 3.0
_LEAST_WORTH = 6.0
"""Three letters 12 px high in a picture of 1280x720 have about 15."""

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[float, float, float, float]


@dataclass
class ChangeFinder:
    """Finds where text may have come or moves, in the strokes of pictures given in order."""

    _recent: deque[tuple[float, Grey]] = field(default_factory=deque)
    _known: Grey | None = None
    _resting: Grey | None = None
    _since: NDArray[np.float64] = field(default_factory=lambda: np.full(_CELLS_WH[::-1], np.inf))
    _loose_s: float = -np.inf
    _loose: Grey | None = None
    _found: list[Box] = field(default_factory=list)

    def add(self, time_s: float, strokes: Grey) -> list[Box]:
        """Add the strokes of the next picture, `(180, 320)` uint8 in grey levels.

        Returns:
            The parts to look at: strokes that came to rest there, or that do not rest, as those of a text that moves.
            Each is as wide as the line of strokes, as fractions `(x0, y0, x1, y1)` of the picture.
        """
        self._found = []
        self._recent.append((time_s, strokes))
        while len(self._recent) > 2 and self._recent[1][0] <= time_s - _WHILE_S:
            self._recent.popleft()
        resting = np.minimum.reduce([one for _, one in self._recent])
        if self._known is None or self._resting is None:
            self._known = np.zeros_like(strokes)
        else:
            self._compare(time_s, resting, _cells(cv2.absdiff(resting, self._resting)))
            self._compare_loose(time_s, strokes, resting)
        self._resting = resting
        return self._found

    def _compare(self, time_s: float, resting: Grey, unrest: NDArray[np.float32]) -> None:
        """Report the cells whose strokes differ from the known ones and rest, or have not come to rest for long."""
        assert self._known is not None  # noqa: S101 - set by the first picture
        came, went = _cells(cv2.subtract(resting, self._known)), _cells(cv2.subtract(self._known, resting))
        level = _cells(np.maximum(resting, self._known))
        changed = np.maximum(came, went) > np.maximum(_LEAST_LEVELS, _LEAST_SHARE * level)
        self._since = np.where(changed, np.minimum(self._since, time_s), np.inf)
        rests = unrest <= np.maximum(_LEAST_LEVELS, _REST_SHARE * level)
        ready = changed & (rests | (time_s - self._since >= _LONGEST_WAIT_S))
        if not ready.any():
            return
        left = _cells(resting)
        empty = left <= _STROKE_LEVELS
        self._report(ready & ~empty, np.maximum(came, went), left)
        pixels = _pixels(ready, resting)
        self._known[pixels] = resting[pixels]
        self._since[ready] = np.inf

    def _compare_loose(self, time_s: float, strokes: Grey, resting: Grey) -> None:
        """Report once in a while the cells with strokes that do not rest, as a text that moves has."""
        if time_s - self._loose_s < _LOOSE_STEP_S:
            return
        loose = _cells(cv2.subtract(strokes, resting))
        if self._loose is not None and (loose > _LOOSE_LEVELS).any():
            self._report(loose > _LOOSE_LEVELS, loose, loose)
            self._loose_s = time_s
        self._loose = strokes

    def _report(self, mask: Mask, amount: NDArray[np.float32], strokes: NDArray[np.float32]) -> None:
        self._found += [_lines(part, strokes) for part in _parts(mask) if amount[part].sum() >= _LEAST_WORTH]


def _cells(picture: NDArray[Any]) -> NDArray[np.float32]:
    """Return the mean of each cell: 18 rows of 32."""
    return np.asarray(cv2.resize(picture.astype(np.float32), _CELLS_WH, interpolation=cv2.INTER_AREA))


def _pixels(cells: Mask, like: Grey) -> Mask:
    height, width = like.shape
    wide, high = _CELLS_WH
    return np.kron(cells, np.ones((height // high, width // wide), np.bool_))


def _parts(mask: Mask) -> list[Mask]:
    """Split changed cells into groups that lie near each other."""
    if not mask.any():
        return []
    count, labels = cv2.connectedComponents(cv2.dilate(mask.astype(np.uint8), np.ones((3, 5), np.uint8)))
    return [mask & (labels == number) for number in range(1, count)]


def _lines(mask: Mask, strokes: NDArray[np.float32]) -> Box:
    """Return the box around changed cells, wide enough for the lines of text that they are part of."""
    rows = np.flatnonzero(mask.any(axis=1))
    top, bottom = max(0, int(rows[0]) - 1), min(len(mask), int(rows[-1]) + 2)
    inked = (strokes > _STROKE_LEVELS) | mask
    closed = cv2.dilate(inked.astype(np.uint8), np.ones((1, 5), np.uint8))
    _, labels = cv2.connectedComponents(closed, connectivity=8)
    part = np.isin(labels, np.unique(labels[mask])) & (closed > 0)
    columns = np.flatnonzero(part[top:bottom].any(axis=0))
    left, right = max(0, int(columns[0]) - 1), min(mask.shape[1], int(columns[-1]) + 2)
    high, wide = mask.shape
    return left / wide, top / high, right / wide, bottom / high
