"""Whether a text that was read in one frame stands in another: its strokes are compared, and nothing is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vidagent.types import Box


STANDS = 0.5
"""Least likeness of the strokes of a text that stands in a frame."""
_SURE = 0.85
_SURE_LETTER = 0.75
"""Likeness of a text that did not change, and of each of its letters: a 4 in place of a 5 has less."""
_BRIGHTER = 1.15
"""A text that has so much more contrast than before was still fading in."""
_LEAST_CONTRAST = 0.2
"""Share of its contrast that a text has at least that fades in or out."""
_LEAST_INK = 0.3
_WORST_PART = 0.3
_LETTER = 0.5
"""Width of a narrow letter, as a share of the height of its line."""
_INKED_SHARE = 0.1
"""A part of a line with less ink than this shows no letter."""
_HIGHEST_PX = 40
_SAME_BLOCK = 4
_SAME_LEVELS = 4.0
"""Two pictures count as the same if no 4x4 block differs by this many grey levels on average.

`ORCHID 7421` and `ORCHID 7427`, 7 px high and 20 levels brighter than the background, differ by 7.4, an 8 and a 6 by
5.8; only a full stop that faint (2.8) goes unnoticed. On the sample screen recording 45% of frames 0.1 s apart are
the same by this measure. Pictures are compared with those actually read, so slow fades add up.
"""

Grey = NDArray[np.uint8]
Strokes = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """The strokes of a text as they were where it was read.

    Args:
        strokes: Its strokes, `(h, w)`, in grey levels.
        step: Pixels of the frame for one of `strokes`.
        size_wh: Width and height of its box in pixels of the frame, multiples of `step`.
        side: Side of the largest stroke, in pixels of `strokes`.
        bright: Whether its letters are brighter than what is behind them.
    """

    strokes: Strokes
    step: int
    size_wh: tuple[int, int]
    side: int
    bright: bool


def template(grey: Grey, box: Box) -> Template:
    """Cut the template of a text out of the frame it was read in.

    Args:
        grey: The frame, `(H, W)`.
        box: The box of the text, in pixels of the frame.
    """
    x0, y0, x1, y1 = box
    step = -(-(y1 - y0) // _HIGHEST_PX)
    width, height = (max(1, round(length / step)) * step for length in (x1 - x0, y1 - y0))
    side = max(5, round(height / step / 2) | 1)
    inside = grey[max(0, y0) : y1, max(0, x0) : x1]
    dark, middle, light = (float(level) for level in np.percentile(inside, (2, 50, 98)))
    bright = light - middle > middle - dark
    strokes = _strokes(grey, (x0, y0, x0 + width, y0 + height), step, side, bright=bright)
    return Template(strokes, step, (width, height), side, bright)


def likeness(
    known: Template, grey: Grey, place: tuple[float, float], reach: int
) -> tuple[float, float, float]:
    """Compare a text with a part of a frame.

    Args:
        known: The text.
        grey: The frame, `(H, W)`.
        place: Where its upper left corner is expected, in pixels of the frame.
        reach: How far from there it may be, in pixels.

    Returns:
        The likeness from 0 to 1, to compare with `STANDS`, and the place `(x, y)` of its upper left corner.
    """
    width, height = known.size_wh
    reach = -(-reach // known.step) * known.step
    left, top = round(place[0]) - reach, round(place[1]) - reach
    box = (left, top, left + width + 2 * reach, top + height + 2 * reach)
    if box[2] <= 0 or box[3] <= 0 or left >= grey.shape[1] or top >= grey.shape[0]:
        return 0.0, *place
    strokes = _strokes(grey, box, known.step, known.side, bright=known.bright)
    _, score, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(strokes, known.strokes, cv2.TM_CCOEFF_NORMED))
    high, wide = known.strokes.shape
    seen = strokes[y : y + high, x : x + wide]
    return _checked(known.strokes, seen, score), left + x * known.step, top + y * known.step


def unchanged(known: Template, grey: Grey, place: tuple[float, float]) -> bool:
    """Return whether a text stands in a part of a frame letter by letter as it was, and no clearer than it was.

    Args:
        known: The text.
        grey: The frame, `(H, W)`.
        place: Where its upper left corner is, in pixels of the frame.
    """
    score, x, y = likeness(known, grey, place, 2)
    if score < _SURE:
        return False
    left, top = round(x), round(y)
    box = (left, top, left + known.size_wh[0], top + known.size_wh[1])
    seen = _strokes(grey, box, known.step, known.side, bright=known.bright)
    ink = known.strokes > _LEAST_INK * known.strokes.max()
    level = float(known.strokes[ink].mean())
    clearer = float(seen[ink].mean()) > _BRIGHTER * level
    return not clearer and _worst_letter(known.strokes, seen, level) >= _SURE_LETTER


def same_picture(a: Grey, b: Grey) -> bool:
    """Return whether two grey pictures differ so little that no letter changed."""
    if a.shape != b.shape or not a.size:
        return False
    height, width = a.shape
    blocks_wh = max(1, width // _SAME_BLOCK), max(1, height // _SAME_BLOCK)
    difference = cv2.absdiff(a, b).astype(np.float32)
    return float(cv2.resize(difference, blocks_wh, interpolation=cv2.INTER_AREA).max()) < _SAME_LEVELS


def within(box: Box, grey: Grey) -> Box:
    """Return the part of a box that lies in a picture, at least one pixel."""
    height, width = grey.shape
    x0, y0 = min(max(0, box[0]), width - 1), min(max(0, box[1]), height - 1)
    return x0, y0, max(x0 + 1, min(width, box[2])), max(y0 + 1, min(height, box[3]))


def _checked(known: Strokes, seen: Strokes, score: float) -> float:
    """Return the likeness, or 0 if the contrast is too low or a letter is quite another."""
    ink = known > _LEAST_INK * known.max()
    if not ink.any() or not np.isfinite(score):
        return 0.0
    level = float(known[ink].mean())
    if seen[ink].mean() < _LEAST_CONTRAST * level:
        return 0.0
    return max(0.0, score) if _worst_letter(known, seen, level) >= _WORST_PART else 0.0


def _worst_letter(known: Strokes, seen: Strokes, level: float) -> float:
    """Return the least correlation of the parts of two lines that are as wide as a letter and hold ink in one."""
    high, wide = known.shape
    parts = max(1, round(wide / (_LETTER * high)))
    starts = (np.arange(parts) * wide) // parts
    sizes = high * np.diff(starts, append=wide)

    def sums(columns: Strokes) -> NDArray[np.float64]:
        return np.asarray(np.add.reduceat(columns.sum(axis=0, dtype=np.float64), starts))

    inked = sums((known > _LEAST_INK * level).astype(np.float32)) > _INKED_SHARE * sizes
    inked |= sums((seen > _LEAST_INK * level).astype(np.float32)) > _INKED_SHARE * sizes
    if not inked.any():
        return 0.0
    a, b = sums(known), sums(seen)
    both = sums(known * seen) - a * b / sizes
    spread = np.sqrt((sums(known * known) - a * a / sizes) * (sums(seen * seen) - b * b / sizes))
    alike = np.divide(both, spread, out=np.zeros_like(both), where=spread > 0)
    return float(alike[inked].min())


def _strokes(grey: Grey, box: Box, step: int, side: int, *, bright: bool) -> Strokes:
    """Return how far strokes stand out of a part of a frame, which may reach beyond its edges."""
    margin = side * step
    part = _padded(grey, (box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin))
    if step > 1:
        size_wh = (part.shape[1] // step, part.shape[0] // step)
        part = cv2.resize(part, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (side, side))
    strokes = cv2.morphologyEx(part, cv2.MORPH_TOPHAT if bright else cv2.MORPH_BLACKHAT, kernel)
    return np.asarray(strokes[side:-side, side:-side], np.float32)


def _padded(grey: Grey, box: Box) -> Grey:
    """Cut out a part of a picture, with its edge repeated where the part reaches beyond."""
    x0, y0, x1, y1 = within(box, grey)
    sides = (max(0, y0 - box[1]), max(0, box[3] - y1), max(0, x0 - box[0]), max(0, box[2] - x1))
    part = grey[y0:y1, x0:x1]
    return cv2.copyMakeBorder(part, *sides, cv2.BORDER_REPLICATE).astype(np.uint8) if any(sides) else part
