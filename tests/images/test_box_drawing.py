import numpy as np
import pytest

from vidagent.images.box_drawing import EDGE, LINE, draw_box

GREY = np.full((360, 640, 3), 128, np.uint8)


def test_the_box_is_framed_and_the_part_itself_is_untouched():
    marked = draw_box(GREY, (200, 100, 300, 150))
    assert (marked[100:150, 200:300] == 128).all()
    assert tuple(marked[99, 250]) == tuple(marked[150, 250]) == LINE
    assert tuple(marked[125, 199]) == tuple(marked[125, 300]) == LINE
    assert tuple(marked[97, 250]) == tuple(marked[125, 303]) == EDGE
    assert (GREY == 128).all()


def test_nothing_else_changes():
    marked = draw_box(GREY, (200, 100, 300, 150))
    rows, columns = np.nonzero((marked != 128).any(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (96, 153, 196, 303)


@pytest.mark.parametrize("box", [(0, 0, 640, 360), (-50, -50, 20, 20), (630, 350, 900, 900), (5, 5, 5, 5)])
def test_boxes_at_the_edges_are_still_seen(box):
    marked = draw_box(GREY, box, "sign")
    assert (marked == LINE).all(axis=2).any()
    assert marked.shape == GREY.shape


def test_a_tiny_picture_is_marked():
    assert draw_box(np.zeros((3, 3, 3), np.uint8), (0, 0, 3, 3), "x").shape == (3, 3, 3)


def _label_rows(box):
    plain, named = draw_box(GREY, box), draw_box(GREY, box, "GATE 7")
    rows = np.nonzero((plain != named).any(axis=2))[0]
    return rows.min(), rows.max()


def test_the_label_stands_above_else_below_else_inside():
    assert _label_rows((200, 100, 300, 150))[1] < 100
    assert _label_rows((200, 5, 300, 150))[0] >= 150
    top, bottom = _label_rows((0, 0, 640, 360))
    assert 300 < top < bottom < 360


def test_a_label_at_the_right_edge_stays_in_the_picture():
    plain, named = (draw_box(GREY, (600, 100, 640, 150), text) for text in (None, "a long enough label"))
    assert (plain != named).any()
