"""One pass over the small grey pictures of a video: moments worth a look, cuts and movement.

A moment is where writing-like detail (many thin strokes of high contrast) comes up that was not there in the
second before. Thin strokes are what top-hat and black-hat transforms keep (Meyer 1979; Dougherty & Lotufo,
"Hands-on Morphological Image Processing", 2003), whatever moves behind them. A cut is a change of the picture at
least three times that of the two frames before and after it: the rule of PySceneDetect's AdaptiveDetector, on luma.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["SCAN_WH", "Moment", "Scan", "Scanner"]

SCAN_WH = (320, 180)
"""Pictures are scaled to this `(width, height)`: 2 px strokes of 720p text are still one pixel wide."""

_CELLS_WH = (32, 18)
_STROKE = cv2.getStructuringElement(cv2.MORPH_RECT, (7, 7))
_LEAST_CONTRAST = 35
_MOST_CONTRAST = 100
_LINE_CELLS = 6
_BEFORE_S = 1.0
_FADE_S = 0.2
_SPACING_S = 1.0
_THUMB_WH = (16, 9)
_SAME_THUMB = 8.0
_LEAST_SCORE = 20.0
_CUT_CHANGE = 8.0
_CUT_RATIO = 3.0
_NEIGHBOURS = 2
_QUIET = 1.0
_SHORTEST_SHOT_S = 0.2

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """A time at which detail like writing comes up.

    Args:
        score: How much, in grey levels summed over a line of cells; from 20 up.
        time_s: Time of a frame that shows it.
        box: Where, as fractions `(x0, y0, x1, y1)` of the picture.
    """

    score: float
    time_s: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass found.

    Args:
        moments: The most telling moments, best first, unlike ones before repeats.
        cuts_s: Times of the first frame of each shot but the first.
        motion: Mean grey-level change between neighbouring frames, one value a second.
        exact: Whether every frame was seen, so that `cuts_s` are exact.
    """

    moments: tuple[Moment, ...]
    cuts_s: tuple[float, ...]
    motion: tuple[float, ...]
    exact: bool


@dataclass(slots=True)
class _Seen:
    time_s: float
    strokes: NDArray[np.float32]
    thumb: NDArray[np.int16]


@dataclass
class Scanner:
    """Takes grey pictures in order and keeps only what a `Scan` needs, whatever the length of the video.

    Args:
        exact: Whether every frame of the video will be given.
        most: Moments to keep.
    """

    exact: bool
    most: int = 512
    _recent: deque[_Seen] = field(default_factory=deque)
    _best: list[tuple[float, float, tuple[int, int], bytes]] = field(default_factory=list)
    _open: tuple[float, float, tuple[int, int], bytes] | None = None
    _cuts: list[float] = field(default_factory=list)
    _motion: dict[int, list[float]] = field(default_factory=dict)
    _changes: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=2 * _NEIGHBOURS + 1))
    _last: Grey | None = None

    def add(self, time_s: float, grey: Grey) -> None:
        """Take the next picture: `(180, 320)` uint8 luma, later than all before it."""
        self._see_cut(time_s, grey)
        seen = _Seen(
            time_s,
            _strokes(grey),
            cv2.resize(grey, _THUMB_WH, interpolation=cv2.INTER_AREA).astype(np.int16),
        )
        self._see_moment(seen)
        self._recent.append(seen)
        while self._recent[0].time_s < time_s - _BEFORE_S:
            self._recent.popleft()

    def finish(self) -> Scan:
        """Return what was found."""
        self._close()
        for place in range(_NEIGHBOURS, len(self._changes)):
            if len(self._changes) <= 2 * _NEIGHBOURS or place > _NEIGHBOURS:
                self._judge_cut(place)
        ranked = sorted(self._best, reverse=True)
        motion = [
            float(np.mean(self._motion.get(s, [0.0]))) for s in range(max(self._motion, default=-1) + 1)
        ]
        return Scan(
            tuple(_diverse(ranked)), tuple(self._cuts), tuple(round(m, 2) for m in motion), self.exact
        )

    def _see_cut(self, time_s: float, grey: Grey) -> None:
        if self._last is not None:
            change = float(cv2.absdiff(grey, self._last).mean())
            self._motion.setdefault(int(time_s), []).append(change)
            self._changes.append((time_s, change))
            if len(self._changes) > 2 * _NEIGHBOURS:
                self._judge_cut(len(self._changes) - 1 - _NEIGHBOURS)
        self._last = grey

    def _judge_cut(self, place: int) -> None:
        """Take a change for a cut if it stands out from the changes round it."""
        time_s, change = self._changes[place]
        around = [value for other, (_, value) in enumerate(self._changes) if other != place]
        usual = max(sum(around) / max(1, len(around)), _QUIET)
        if change < _CUT_CHANGE or change < _CUT_RATIO * usual:
            return
        if not self._cuts or time_s - self._cuts[-1] > _SHORTEST_SHOT_S:
            self._cuts.append(time_s)

    def _see_moment(self, seen: _Seen) -> None:
        if not self._recent:
            return
        last = self._recent[-1]
        earlier = [past.strokes for past in self._recent if past.time_s <= last.time_s - _FADE_S]
        if not earlier:
            return
        rise = np.maximum(np.minimum(last.strokes, seen.strokes) - np.maximum.reduce(earlier), 0)
        lines = cv2.boxFilter(rise, -1, (_LINE_CELLS, 1), normalize=False, anchor=(0, 0))
        score = float(lines.max())
        if score < _LEAST_SCORE:
            return
        row, column = np.unravel_index(int(lines.argmax()), lines.shape)
        self._offer((score, last.time_s, (int(column), int(row)), last.thumb.tobytes()))

    def _offer(self, found: tuple[float, float, tuple[int, int], bytes]) -> None:
        if self._open is not None and found[1] - self._open[1] >= _SPACING_S:
            self._close()
        if self._open is None or found[0] > self._open[0]:
            self._open = found

    def _close(self) -> None:
        if self._open is None:
            return
        push = heapq.heappush if len(self._best) < 8 * self.most else heapq.heappushpop
        push(self._best, self._open)
        self._open = None


def _strokes(grey: Grey) -> NDArray[np.float32]:
    bright = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, _STROKE)
    dark = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, _STROKE)
    thin = np.minimum(np.maximum(bright, dark), _MOST_CONTRAST).astype(np.uint8)
    thin[thin < _LEAST_CONTRAST] = 0
    return np.asarray(cv2.resize(thin, _CELLS_WH, interpolation=cv2.INTER_AREA), np.float32)


def _diverse(ranked: list[tuple[float, float, tuple[int, int], bytes]]) -> list[Moment]:
    """Order moments by score, those that look like a better one after all that do not."""
    fresh: list[Moment] = []
    repeats: list[Moment] = []
    thumbs: dict[tuple[int, int], list[NDArray[np.int16]]] = {}
    for score, time_s, (column, row), raw in ranked:
        thumb = np.frombuffer(raw, np.int16)
        near = [
            t
            for dx in (-2, -1, 0, 1, 2)
            for dy in (-1, 0, 1)
            for t in thumbs.get((column + dx, row + dy), [])
        ]
        known = any(float(np.abs(thumb - other).mean()) < _SAME_THUMB for other in near)
        wide, high = _CELLS_WH
        right = min(1.0, (column + _LINE_CELLS) / wide)
        moment = Moment(round(score, 1), time_s, (column / wide, row / high, right, (row + 1) / high))
        (repeats if known else fresh).append(moment)
        if not known:
            thumbs.setdefault((column, row), []).append(thumb)
    return fresh + repeats
