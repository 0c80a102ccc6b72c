"""Grids: which frame lies where, at which size, and what is written before them."""

from __future__ import annotations

import numpy as np
import pytest

from vidagent.agents.prompting.messages import count_frames, frame_load, frames_content, plan_messages
from vidagent.images import jpeg
from vidagent.images.grid import CELL_PX, make_grids
from vidagent.images.shown_frame import ShownFrame
from vidagent.images.store import FrameStore

SHADES = [20 * number for number in range(11)]


@pytest.fixture
def store(tmp_path) -> FrameStore:
    return FrameStore(tmp_path)


def drawn(store: FrameStore, size_wh: tuple[int, int]) -> list[ShownFrame]:
    """Return eleven grey frames, one a second and each lighter than the one before."""
    frames = []
    for number, shade in enumerate(SHADES):
        data = jpeg.encode(np.full((size_wh[1], size_wh[0], 3), shade, np.uint8))
        store.put(data)
        frames.append(ShownFrame.of(float(number), data, size_wh=size_wh))
    return frames


@pytest.mark.parametrize(
    ("size_wh", "columns", "cell_wh"), [((768, 432), 2, (455, 256)), ((432, 768), 4, (256, 455))]
)
def test_frames_lie_row_by_row_in_large_cells(store, size_wh, columns, cell_wh):
    first, rest = make_grids(drawn(store, size_wh), store)
    assert (first.cells_s, rest.cells_s) == (tuple(map(float, range(8))), (8.0, 9.0, 10.0))
    assert min(cell_wh) == CELL_PX
    rgb = jpeg.decode(store.get(first.ref))
    assert rgb.shape == (8 // columns * cell_wh[1], columns * cell_wh[0], 3)
    middles = rgb[cell_wh[1] // 2 :: cell_wh[1], cell_wh[0] // 2 :: cell_wh[0], 0]
    assert np.abs(middles.flatten().astype(int) - SHADES[:8]).max() <= 2


def test_exact_times_stand_before_a_grid(store):
    grids = [store.load(grid) for grid in make_grids(drawn(store, (768, 432)), store)]
    label = frames_content(grids)[2]["text"]
    assert label == "t = 8.000 s, 9.000 s / 10.000 s (a grid of frames, row by row from the top left)"
    messages = plan_messages("?", None, "", grids, "", 1, None, [])
    assert count_frames(messages) == 11
    assert frame_load(messages) == pytest.approx(0.35 * 11)
