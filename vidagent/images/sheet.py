"""Contact sheets: many pictures on one, each with a label under it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidagent.images import label, resize

BACKGROUND = (24, 26, 32)
GAP_PX = 8


def contact_sheet(
    rgbs: Sequence[NDArray[np.uint8]], labels: Sequence[str], *, columns: int, cell_px: int
) -> NDArray[np.uint8]:
    """Lay pictures out row by row, each scaled down to a cell with its label under it.

    Args:
        rgbs: The pictures, of any sizes.
        labels: One short text each, such as a time.
        columns: Most pictures in a row.
        cell_px: Longest side of a picture on the sheet; from 32.

    Raises:
        ValueError: If there is no picture, the labels differ in number, or a number is out of range.
    """
    if not rgbs or len(rgbs) != len(labels):
        raise ValueError(f"a sheet needs pictures and one label each, got {len(rgbs)} and {len(labels)}")
    if columns < 1 or cell_px < 32:
        raise ValueError(f"a sheet has 1 or more columns of 32 px or more, got {columns} of {cell_px}")
    pictures = [resize.fit(rgb, cell_px) for rgb in rgbs]
    height = max(picture.shape[0] for picture in pictures)
    cells = [_cell(picture, text, cell_px, height) for picture, text in zip(pictures, labels, strict=True)]
    return _grid(cells, min(columns, len(cells)))


def _cell(picture: NDArray[np.uint8], text: str, width: int, height: int) -> NDArray[np.uint8]:
    strip = max(14, width // 12)
    cell = np.full((height + strip, width, 3), BACKGROUND, np.uint8)
    left, top = (width - picture.shape[1]) // 2, (height - picture.shape[0]) // 2
    cell[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    words = label.draw(text, height_px=strip, max_width_px=width)
    middle = (width - words.shape[1]) // 2
    cell[height:, middle : middle + words.shape[1]] = words
    return cell


def _grid(cells: Sequence[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    height, width = cells[0].shape[:2]
    rows = math.ceil(len(cells) / columns)
    shape = (GAP_PX + rows * (height + GAP_PX), GAP_PX + columns * (width + GAP_PX), 3)
    sheet = np.full(shape, BACKGROUND, np.uint8)
    for number, cell in enumerate(cells):
        top = GAP_PX + number // columns * (height + GAP_PX)
        left = GAP_PX + number % columns * (width + GAP_PX)
        sheet[top : top + height, left : left + width] = cell
    return sheet
