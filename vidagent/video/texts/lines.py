"""A cheap detector of lines of text: rows of strokes of like height, found without reading them.

It lets through what only looks like text, as OCR reads what it finds; it must not miss what OCR could read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vidagent.types import Box


_STEPS: Final = (1, 3)
"""Letters of up to about 70 pixels are found in the picture itself, larger ones in one of a third of its size."""
_STROKE: Final = cv2.getStructuringElement(cv2.MORPH_RECT, (11, 11))
"""Wider than a stroke of the largest letters of a step."""
_REACH: Final = cv2.getStructuringElement(cv2.MORPH_RECT, (5, 1))
"""Joins letters over gaps of a few pixels."""
_LEAST_LEVELS: Final = 24
"""Grey levels by which a stroke stands out."""
_LEAST_HIGH: Final = 6
_MOST_HIGH: Final = 80
"""Heights of a line, in pixels of the step's picture."""
_LEAST_INK: Final = 0.1
_MOST_INK: Final = 0.85
"""Shares of a line's box that its strokes fill."""
_LEAST_STROKES: Final = 1.2
_LEAST_DENSITY: Final = 0.5
"""Strokes that a row of pixels through the line crosses: on average, and for a width as long as the line is high."""
_GAP: Final = 1.3
_LIKE: Final = 2.2
"""Parts of one line are at most so many heights apart, and one is at most so many times as high as the other."""

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Line:
    """A line that may be text: its box in pixels of the picture, and how many strokes a row of pixels crosses."""

    box: Box
    strokes: float

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.box[3] - self.box[1]


def text_lines(grey: Grey, box: Box) -> list[Line]:
    """Return the lines in a part of a picture that may be text, those with the most strokes first.

    Args:
        grey: The picture, `(H, W)`.
        box: The part, in its pixels.
    """
    x0, y0, x1, y1 = box
    part = grey[y0:y1, x0:x1]
    found: list[Line] = []
    for step in _STEPS:
        size_wh = (part.shape[1] // step, part.shape[0] // step)
        if min(size_wh) < _LEAST_HIGH:
            continue
        small = (
            part if step == 1 else cv2.resize(part, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8)
        )
        for method in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
            ink = cv2.morphologyEx(small, method, _STROKE) > _LEAST_LEVELS
            for a, b, c, d in _joined(list(_pieces(ink))):
                strokes = _crossed(ink[b:d, a:c])
                if strokes >= max(_LEAST_STROKES, _LEAST_DENSITY * (c - a) / (d - b)) and d - b <= _MOST_HIGH:
                    found.append(Line((x0 + a * step, y0 + b * step, x0 + c * step, y0 + d * step), strokes))
    return _without_doubles(found)


def _pieces(ink: Mask) -> Iterator[Box]:
    """Yield boxes around letters, or around words whose letters nearly touch."""
    closed = cv2.morphologyEx(ink.astype(np.uint8), cv2.MORPH_CLOSE, _REACH)
    count, _, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    for x, y, wide, high, area in stats[1:count].tolist():
        if _LEAST_HIGH <= high <= _MOST_HIGH and area >= _LEAST_INK * wide * high and wide <= 40 * high:
            yield x, y, x + wide, y + high


def _joined(pieces: list[Box]) -> list[Box]:
    """Join the pieces of a line."""
    lines: list[Box] = []
    for piece in sorted(pieces):
        near = [line for line in lines[-60:] if _one_line(line, piece)]
        lines = [line for line in lines if line not in near]
        lines.append(around([*near, piece]))
    return lines


def _one_line(a: Box, b: Box) -> bool:
    low, high = sorted((a[3] - a[1], b[3] - b[1]))
    down = min(a[3], b[3]) - max(a[1], b[1])
    across = max(a[0], b[0]) - min(a[2], b[2])
    return high <= _LIKE * low and down > 0.5 * low and across <= _GAP * high


def _crossed(ink: Mask) -> float:
    """Return how many strokes a row of pixels in the middle of a line crosses, or 0 if it is too full or empty."""
    high = len(ink)
    middle = ink[high // 4 : max(high // 4 + 1, high - high // 4)]
    if not _LEAST_INK / 2 <= float(ink.mean()) <= _MOST_INK:
        return 0.0
    rises = (middle[:, 1:] & ~middle[:, :-1]).sum(axis=1) + middle[:, 0]
    return float(rises.mean())


def _without_doubles(lines: list[Line]) -> list[Line]:
    kept: list[Line] = []
    for line in sorted(lines, key=lambda one: -one.strokes):
        if not any(
            covered(line.box, other.box) > 0.5 or covered(other.box, line.box) > 0.8 for other in kept
        ):
            kept.append(line)
    return kept


def covered(box: Box, by: Box) -> float:
    """Return the share of a box that another one covers."""
    across = max(0, min(box[2], by[2]) - max(box[0], by[0]))
    down = max(0, min(box[3], by[3]) - max(box[1], by[1]))
    return across * down / max(1, (box[2] - box[0]) * (box[3] - box[1]))


def around(boxes: list[Box]) -> Box:
    """Return the box around some boxes."""
    sides = list(zip(*boxes, strict=True))
    return min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3])
