"""Short texts drawn as small pictures, to be placed beside or on other pictures."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

FONT = cv2.FONT_HERSHEY_SIMPLEX
BACKGROUND, FOREGROUND = (24, 26, 32), (245, 245, 240)
CUT = "..."
CAPITAL_PX = 21
"""Height of a digit at scale 1, in OpenCV 4 and 5; `getTextSize` adds a margin in 5."""


def draw(text: str, *, height_px: int, max_width_px: int) -> NDArray[np.uint8]:
    """Return light text on a dark background, `height_px` high and as wide as needed.

    Text wider than `max_width_px` is cut and ends in dots.

    Raises:
        ValueError: If a size is below 1.
    """
    if min(height_px, max_width_px) < 1:
        raise ValueError(f"a label is 1 px or more, got {height_px=} and {max_width_px=}")
    thickness = max(1, round(height_px / 20))
    scale = height_px / 2 / CAPITAL_PX
    margin = height_px // 3
    text = _shortened(text, scale, thickness, max_width_px - 2 * margin)
    width = min(_width(text, scale, thickness) + 2 * margin, max_width_px)
    label = np.full((height_px, width, 3), BACKGROUND, np.uint8)
    corner = (margin, round(height_px * 0.75))
    cv2.putText(label, text, corner, FONT, scale, FOREGROUND, thickness, cv2.LINE_AA)
    return label


def _width(text: str, scale: float, thickness: int) -> int:
    return int(cv2.getTextSize(text, FONT, scale, thickness)[0][0])


def _shortened(text: str, scale: float, thickness: int, width_px: int) -> str:
    shown = text
    while shown.strip(".") and _width(shown, scale, thickness) > width_px:
        text = text[:-1]
        shown = text.rstrip() + CUT
    return shown
