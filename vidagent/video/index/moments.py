"""Moments worth a look: text-like detail appears that was absent in the second before.

Such detail is many thin strokes of high contrast, which top-hat and black-hat transforms preserve whatever moves
behind them (Dougherty & Lotufo, "Hands-on Morphological Image Processing", 2003, ch. 4). Twelve blocks of the picture
are judged separately, so that movement elsewhere does not hide text in a corner. The first of similar moments
represents all, so that a picture shown a hundred times is listed once.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

_CELLS_WH = (32, 18)
_BLOCKS_WH = (4, 3)
_CELLS_OF_BLOCK_WH = (_CELLS_WH[0] // _BLOCKS_WH[0], _CELLS_WH[1] // _BLOCKS_WH[1])
_STROKE = cv2.getStructuringElement(cv2.MORPH_RECT, (7, 7))
_LEAST_CONTRAST = 20
_MOST_CONTRAST = 100
_LINE_CELLS = 6
_BEFORE_S = 1.0
_FADE_S = 0.2
_SPACING_S = 1.0
_TICK_S = 0.05
_CLEARLY = 1.1
_LEAST_SCORE = 40.0
_ALIKE = 0.2
_MAX_KINDS = 512
_MAX_REPEATS = 8

Grey = NDArray[np.uint8]
Cells = NDArray[np.float32]


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """A time at which text-like detail appears.

    Args:
        score: Amount of detail, in grey levels summed over a line of cells; at least 40.
        time_s: Time of a frame that shows it.
        box: Its position, as fractions `(x0, y0, x1, y1)` of the picture.
    """

    score: float
    time_s: float
    box: tuple[float, float, float, float]


@dataclass(slots=True)
class _Kind:
    """Similar moments in one block: the first, and the times of some repeats."""

    moment: Moment
    count: int = 1
    repeats: list[float] = field(default_factory=list)

    @property
    def worth(self) -> float:
        """Score, reduced by repeats: rare moments are worth more."""
        return self.moment.score / (1 + 0.5 * math.log2(self.count))


@dataclass(slots=True)
class _Block:
    """One of the twelve blocks of the picture: the open moment in it, and the kinds seen so far."""

    open: tuple[Moment, Cells] | None = None
    kinds: list[_Kind] = field(default_factory=list)
    looks: Cells = field(
        default_factory=lambda: np.zeros((_MAX_KINDS, math.prod(_CELLS_OF_BLOCK_WH)), np.float32)
    )

    def offer(self, moment: Moment, look: Cells) -> None:
        """Add a moment; of those within a second, the strongest counts, or the first of about equal ones."""
        if self.open is not None and moment.time_s - self.open[0].time_s >= _SPACING_S:
            self.close()
        if self.open is None or moment.score > _CLEARLY * self.open[0].score:
            self.open = moment, look

    def close(self) -> None:
        """Record the open moment as a repeat of a known kind, or as a new kind."""
        if self.open is None:
            return
        moment, look = self.open
        self.open = None
        known = self._kind(look)
        if known is not None:
            known.count += 1
            if len(known.repeats) < _MAX_REPEATS:
                known.repeats.append(moment.time_s)
        elif len(self.kinds) < _MAX_KINDS:
            self.looks[len(self.kinds)] = look
            self.kinds.append(_Kind(moment))
        else:
            least = min(range(_MAX_KINDS), key=lambda place: self.kinds[place].worth)
            if moment.score > self.kinds[least].worth:
                self.looks[least], self.kinds[least] = look, _Kind(moment)

    def _kind(self, look: Cells) -> _Kind | None:
        if not self.kinds:
            return None
        looks = self.looks[: len(self.kinds)]
        apart = np.abs(looks - look).sum(1) / np.maximum(np.maximum(looks.sum(1), look.sum()), 1)
        nearest = int(apart.argmin())
        return self.kinds[nearest] if apart[nearest] < _ALIKE else None


@dataclass
class MomentFinder:
    """Finds moments in grey pictures, given in order; memory does not grow with the length of the video."""

    _recent: deque[tuple[float, Cells]] = field(default_factory=deque)
    _blocks: list[_Block] = field(default_factory=lambda: [_Block() for _ in range(math.prod(_BLOCKS_WH))])

    def add(self, time_s: float, thin: Grey) -> None:
        """Add the strokes of the next picture, as `thin_strokes` finds them."""
        strokes = _cells(thin)
        if self._recent:
            self._compare(strokes)
        self._recent.append((time_s, strokes))
        while self._recent[0][0] < time_s - _BEFORE_S:
            self._recent.popleft()

    def best(self, most: int) -> list[Moment]:
        """Return the best moments, by worth, with repeats of the same kind at the end."""
        for block in self._blocks:
            block.close()
        kinds = sorted((kind for block in self._blocks for kind in block.kinds), key=lambda kind: -kind.worth)
        chosen: list[Moment] = []
        taken: set[int] = set()
        for moment in (*(kind.moment for kind in kinds), *_repeats(kinds)):
            tick = round(moment.time_s / _TICK_S)
            if tick not in taken:
                taken.add(tick)
                chosen.append(moment)
        return chosen[:most]

    def _compare(self, strokes: Cells) -> None:
        """Judge the last picture: its strokes must remain in this one and be absent from earlier ones."""
        last_s, last = self._recent[-1]
        earlier = [cells for time_s, cells in self._recent if time_s <= last_s - _FADE_S]
        if not earlier:
            return
        rise = np.maximum(np.minimum(last, strokes) - np.maximum.reduce(earlier), 0)
        lines = cv2.boxFilter(rise, -1, (_LINE_CELLS, 1), normalize=False, borderType=cv2.BORDER_CONSTANT)
        wide, high = _CELLS_OF_BLOCK_WH
        tops = lines.reshape(_BLOCKS_WH[1], high, _BLOCKS_WH[0], wide).max(axis=(1, 3))
        for row, column in np.argwhere(tops >= _LEAST_SCORE):
            part = np.s_[row * high : (row + 1) * high, column * wide : (column + 1) * wide]
            top, left = np.unravel_index(int(lines[part].argmax()), (high, wide))
            box = _box(int(column * wide + left), int(row * high + top))
            moment = Moment(round(float(tops[row, column]), 1), last_s, box)
            self._blocks[row * _BLOCKS_WH[0] + column].offer(moment, last[part].ravel())


def thin_strokes(grey: Grey) -> Grey:
    """Return how far thin strokes stand out of a picture of size `SCAN_WH`, in grey levels from 20 to 100, or 0."""
    bright = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, _STROKE)
    dark = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, _STROKE)
    thin = np.minimum(np.maximum(bright, dark), _MOST_CONTRAST).astype(np.uint8)
    thin[thin < _LEAST_CONTRAST] = 0
    return thin


def _cells(thin: Grey) -> Cells:
    return np.asarray(cv2.resize(thin, _CELLS_WH, interpolation=cv2.INTER_AREA), np.float32)


def _box(column: int, row: int) -> tuple[float, float, float, float]:
    """Return the line of cells around a cell, as fractions of the picture."""
    wide, high = _CELLS_WH
    left, right = max(0, column - _LINE_CELLS // 2), min(wide, column + _LINE_CELLS // 2)
    return left / wide, row / high, right / wide, (row + 1) / high


def _repeats(kinds: list[_Kind]) -> Iterator[Moment]:
    for kind in kinds:
        for time_s in kind.repeats:
            yield Moment(kind.moment.score, time_s, kind.moment.box)
