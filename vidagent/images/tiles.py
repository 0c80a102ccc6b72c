"""Parts of a picture: tile grids, grid cells, boxes and crops, all in source pixels."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidagent.types import Box

GRID_FORM = re.compile(r"\s*(\d{1,2})\s*[x×*]\s*(\d{1,2})\s*:\s*(\d{1,2})\s*,\s*(\d{1,2})\s*")
MAX_GRID = 16


@dataclass(frozen=True, slots=True)
class GridCell:
    """One cell of a grid laid over a picture; rows and columns count from 1 at the top left.

    Raises:
        ValueError: If the grid has no or too many cells, or the cell lies outside it.
    """

    rows: int
    cols: int
    row: int
    col: int

    def __post_init__(self) -> None:
        """Check that the cell is in its grid."""
        if not (1 <= self.rows <= MAX_GRID and 1 <= self.cols <= MAX_GRID):
            raise ValueError(f"a grid has 1 to {MAX_GRID} rows and columns, got {self.rows}x{self.cols}")
        if not (1 <= self.row <= self.rows and 1 <= self.col <= self.cols):
            raise ValueError(
                f"a cell of a {self.rows}x{self.cols} grid is from 1,1 to {self.rows},{self.cols}, "
                f"got {self.row},{self.col}"
            )


def parse_grid(text: str) -> GridCell:
    """Read `ROWSxCOLS:ROW,COL`, such as `3x3:2,1` for the middle of the left edge.

    Raises:
        ValueError: If the text has another format, or names a cell outside the grid.
    """
    match = GRID_FORM.fullmatch(text)
    if not match:
        raise ValueError(f"a grid cell is ROWSxCOLS:ROW,COL counted from 1, such as 3x3:2,1; got {text!r}")
    return GridCell(*(int(part) for part in match.groups()))


def cell(size_wh: tuple[int, int], rows: int, cols: int, row: int, col: int, overlap: float = 0.0) -> Box:
    """Return the box of one grid cell, rows and columns counted from 1.

    Args:
        size_wh: Size of the picture.
        rows: Rows of the grid.
        cols: Columns of the grid.
        row: Row of the cell, from 1 at the top.
        col: Column of the cell, from 1 at the left.
        overlap: How far the cell reaches into each neighbour, as a fraction of its own size, 0 to 1.

    Raises:
        ValueError: If the cell lies outside the grid, or the overlap is not from 0 to 1.
    """
    place = GridCell(rows, cols, row, col)
    if not 0 <= overlap <= 1:
        raise ValueError(f"overlap is a fraction from 0 to 1, got {overlap}")
    x0, x1 = _edges(size_wh[0], place.cols, place.col, overlap)
    y0, y1 = _edges(size_wh[1], place.rows, place.row, overlap)
    return clamp_box((x0, y0, x1, y1), size_wh)


def _edges(length: int, parts: int, part: int, overlap: float) -> tuple[int, int]:
    step = length / parts
    return round((part - 1 - overlap) * step), round((part + overlap) * step)


def grid_shape(size_wh: tuple[int, int], *, max_tiles: int, tile_px: int) -> tuple[int, int]:
    """Return `(cols, rows)`: the grid of at most `max_tiles` whose aspect is closest to the picture's.

    Among grids of one aspect the larger is taken where the picture has more than half of its pixels: the
    dynamic tiling of InternVL (`find_closest_aspect_ratio` in its model card) and Nemotron Nano VL.

    Raises:
        ValueError: If a size or limit is below 1.
    """
    width, height = size_wh
    if min(width, height, max_tiles, tile_px) < 1:
        raise ValueError(f"sizes and limits are 1 or more, got {size_wh}, {max_tiles=}, {tile_px=}")
    shapes = [
        (cols, rows)
        for cols in range(1, min(max_tiles, width) + 1)
        for rows in range(1, min(max_tiles // cols, height) + 1)
    ]
    best, best_gap = (1, 1), math.inf
    for cols, rows in sorted(shapes, key=lambda shape: shape[0] * shape[1]):
        gap = abs(width / height - cols / rows)
        filled = width * height > 0.5 * tile_px**2 * cols * rows
        if gap < best_gap or (gap == best_gap and filled):
            best, best_gap = (cols, rows), gap
    return best


def grid(size_wh: tuple[int, int], *, max_tiles: int, tile_px: int, overlap: float = 0.0) -> list[Box]:
    """Return the boxes of an aspect-aware grid of at most `max_tiles`, row by row; together they cover all.

    Args:
        size_wh: Size of the picture.
        max_tiles: Most tiles to cut it into.
        tile_px: Side of the square a tile is shown at; see `grid_shape`.
        overlap: How far a tile reaches into each neighbour, as a fraction of its own size, 0 to 1.
    """
    cols, rows = grid_shape(size_wh, max_tiles=max_tiles, tile_px=tile_px)
    return [
        cell(size_wh, rows, cols, row, col, overlap)
        for row in range(1, rows + 1)
        for col in range(1, cols + 1)
    ]


def clamp_box(box: Box, size_wh: tuple[int, int]) -> Box:
    """Return the box inside the picture, its corners in order, at least 1 px wide and high."""
    x0, x1 = _clamp(box[0], box[2], size_wh[0])
    y0, y1 = _clamp(box[1], box[3], size_wh[1])
    return x0, y0, x1, y1


def _clamp(start: int, end: int, length: int) -> tuple[int, int]:
    start, end = min(start, end), max(start, end)
    start = min(max(start, 0), length - 1)
    return start, min(max(end, start + 1), length)


def crop(rgb: NDArray[np.uint8], box_px: Box) -> NDArray[np.uint8]:
    """Return a copy of the part of the picture in the box, clamped to the picture."""
    height, width = rgb.shape[:2]
    x0, y0, x1, y1 = clamp_box(box_px, (width, height))
    return rgb[y0:y1, x0:x1].copy()


def denormalise(box_1000: tuple[float, float, float, float], region_px: Box) -> Box:
    """Convert a model's box in 0..1000 of the picture it was shown to source pixels.

    Args:
        box_1000: `xyxy` in thousandths of the shown picture; corners in any order, clamped to 0..1000.
        region_px: The part of the source picture that was shown.

    Raises:
        ValueError: If a coordinate is not a finite number.
    """
    if not all(math.isfinite(value) for value in box_1000):
        raise ValueError(f"a box is four numbers from 0 to 1000, got {box_1000}")
    left, top, right, bottom = region_px
    width, height = right - left, bottom - top
    x0, y0, x1, y1 = (min(max(value, 0.0), 1000.0) for value in box_1000)
    inner = (
        math.floor(min(x0, x1) * width / 1000),
        math.floor(min(y0, y1) * height / 1000),
        math.ceil(max(x0, x1) * width / 1000),
        math.ceil(max(y0, y1) * height / 1000),
    )
    x0, y0, x1, y1 = clamp_box(inner, (width, height))
    return left + x0, top + y0, left + x1, top + y1
