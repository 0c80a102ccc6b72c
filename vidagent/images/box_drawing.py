"""Boxes drawn on pictures to show where evidence is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vidagent.images import label
from vidagent.images.tiles import clamp_box
from vidagent.types import Box

LINE, EDGE = (255, 214, 10), (0, 0, 0)


def draw_box(rgb: NDArray[np.uint8], box_px: Box, text: str | None = None) -> NDArray[np.uint8]:
    """Return a copy of the picture with a box drawn around a part, and a label above it, below it or inside.

    The lines lie outside the part, so that they cover nothing of it unless it touches the picture's edge. They are
    yellow with black edges, visible on any background.
    """
    marked = rgb.copy()
    height, width = rgb.shape[:2]
    line = max(2, round(max(width, height) / 400))
    x0, y0, x1, y1 = clamp_box(box_px, (width, height))
    for grow, colour, thickness in ((2 * line, EDGE, line), (line, LINE, line)):
        outer = clamp_box((x0 - grow, y0 - grow, x1 + grow, y1 + grow), (width, height))
        _outline(marked, outer, colour, thickness)
    if text:
        _draw_label(marked, (x0, y0, x1, y1), text, 2 * line)
    return marked


def _outline(rgb: NDArray[np.uint8], box_px: Box, colour: tuple[int, int, int], thickness: int) -> None:
    """Draw an outline whose lines lie inside the box."""
    x0, y0, x1, y1 = box_px
    for a, b in (
        ((x0, y0), (x1 - 1, min(y0 + thickness, y1) - 1)),
        ((x0, max(y1 - thickness, y0)), (x1 - 1, y1 - 1)),
        ((x0, y0), (min(x0 + thickness, x1) - 1, y1 - 1)),
        ((max(x1 - thickness, x0), y0), (x1 - 1, y1 - 1)),
    ):
        cv2.rectangle(rgb, a, b, colour, cv2.FILLED)


def _draw_label(rgb: NDArray[np.uint8], box_px: Box, text: str, gap: int) -> None:
    height, width = rgb.shape[:2]
    text_image = label.draw(text, height_px=min(height, max(14, height // 28)), max_width_px=width)
    high, wide = text_image.shape[:2]
    x0, y0, _, y1 = box_px
    above, below = y0 - gap - high, y1 + gap
    top = above if above >= 0 else below if below + high <= height else max(0, y1 - high)
    left = min(max(0, x0 - gap), width - wide)
    rgb[top : top + high, left : left + wide] = text_image
