"""Grids: several frames of a video in one picture, row by row, for about a third of the tokens of single ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vidagent.images import jpeg, resize
from vidagent.images.shown_frame import ShownFrame
from vidagent.images.store import FrameStore

CELL_PX = 256
"""Shorter side of a cell: large enough to tell what happens, too small for small text."""
CELL_SHARE = 0.35
"""Tokens of a cell, as a share of those of a frame sent alone: by their pixels, at a longer side of 768."""
CELLS = 8
"""Frames in a grid: two columns of four wide frames, or four of two tall ones, so that it is nearly square."""
_WIDE, _TALL = 2, 4


def columns_of(grid: ShownFrame) -> int:
    """Return how many cells stand in a row."""
    return min(len(grid.cells_s), _columns(grid.box_px[2], grid.box_px[3]))


def make_grids(frames: Sequence[ShownFrame], store: FrameStore) -> tuple[ShownFrame, ...]:
    """Lay frames of one video out in grids, whose JPEGs are put into the store.

    A grid's `time_s` is its first frame's, and its `box_px` the source picture of one frame.
    """
    return tuple(_grid(part, store) for part in _parts(frames))


def _parts(frames: Sequence[ShownFrame]) -> Iterator[Sequence[ShownFrame]]:
    for start in range(0, len(frames), CELLS):
        yield frames[start : start + CELLS]


def _grid(frames: Sequence[ShownFrame], store: FrameStore) -> ShownFrame:
    box = frames[0].box_px
    columns = min(len(frames), _columns(box[2], box[3]))
    cells = [_cell(jpeg.decode(store.get(frame.ref))) for frame in frames]
    height, width = (max(cell.shape[side] for cell in cells) for side in (0, 1))
    rows = -(-len(cells) // columns)
    picture = np.zeros((rows * height, columns * width, 3), np.uint8)
    for place, cell in enumerate(cells):
        top, left = place // columns * height, place % columns * width
        picture[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    ref, size_wh = store.put(jpeg.encode(picture)), (columns * width, rows * height)
    return ShownFrame(frames[0].time_s, ref, size_wh, box, cells_s=tuple(frame.time_s for frame in frames))


def _cell(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    return resize.fit(rgb, round(CELL_PX * max(height, width) / min(height, width)))


def _columns(width: int, height: int) -> int:
    return _WIDE if width >= height else _TALL
