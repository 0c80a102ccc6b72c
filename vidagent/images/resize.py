"""Pictures and sizes scaled to a longest side."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

MOST_ENLARGED = 4
"""Beyond this factor, interpolation adds pixels and shows nothing more."""


def fit_wh(size_wh: tuple[int, int], max_side_px: int) -> tuple[int, int]:
    """Return the size scaled to a longer side of at most `max_side_px`; no side is below 1.

    Raises:
        ValueError: If a side or the limit is below 1.
    """
    width, height = size_wh
    if min(width, height, max_side_px) < 1:
        raise ValueError(f"sizes and limits are 1 px or more, got {width}x{height} and {max_side_px}")
    longest = max(width, height)
    if longest <= max_side_px:
        return width, height
    return max(1, round(width * max_side_px / longest)), max(1, round(height * max_side_px / longest))


def fit(rgb: NDArray[np.uint8], max_side_px: int) -> NDArray[np.uint8]:
    """Return the picture scaled down by pixel area, or the same array if it already fits."""
    height, width = rgb.shape[:2]
    size_wh = fit_wh((width, height), max_side_px)
    if size_wh == (width, height):
        return rgb
    return np.asarray(cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def enlarge(rgb: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """Return the picture scaled up to a longer side of `side_px`, at most by `MOST_ENLARGED`."""
    height, width = rgb.shape[:2]
    factor = min(MOST_ENLARGED, side_px / max(width, height))
    if factor <= 1:
        return rgb
    size_wh = (round(width * factor), round(height * factor))
    return np.asarray(cv2.resize(rgb, size_wh, interpolation=cv2.INTER_CUBIC), np.uint8)
