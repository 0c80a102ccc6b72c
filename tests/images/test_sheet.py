import numpy as np
import pytest

from vidagent.images import label
from vidagent.images.sheet import BACKGROUND, GAP_PX, contact_sheet

RED, GREEN = (220, 20, 20), (20, 200, 40)


def _plain(width, height, colour):
    return np.full((height, width, 3), colour, np.uint8)


def _strip(sheet, row, column, cell, height, strip):
    """The label's part of a cell."""
    top = GAP_PX + row * (height + strip + GAP_PX) + height
    left = GAP_PX + column * (cell + GAP_PX)
    return sheet[top : top + strip, left : left + cell]


def test_pictures_stand_row_by_row_in_equal_cells():
    colours = [(40 * n, 255 - 40 * n, 90) for n in range(5)]
    sheet = contact_sheet([_plain(640, 360, c) for c in colours], list("abcde"), columns=3, cell_px=240)
    height, strip = 135, 20
    assert sheet.shape == (GAP_PX + 2 * (height + strip + GAP_PX), GAP_PX + 3 * (240 + GAP_PX), 3)
    for number, colour in enumerate(colours):
        y = GAP_PX + number // 3 * (height + strip + GAP_PX) + height // 2
        x = GAP_PX + number % 3 * (240 + GAP_PX) + 120
        assert tuple(sheet[y, x]) == colour
    assert (sheet[GAP_PX + height + strip + GAP_PX :, -240:] == BACKGROUND).all()


def test_fewer_pictures_than_columns_make_a_narrow_sheet():
    sheet = contact_sheet([_plain(640, 360, RED)], ["0:01.000"], columns=6, cell_px=160)
    assert sheet.shape[1] == 160 + 2 * GAP_PX


def test_pictures_of_other_shapes_are_centred_and_not_enlarged():
    sheet = contact_sheet([_plain(400, 200, RED), _plain(50, 100, GREEN)], ["a", "b"], columns=2, cell_px=200)
    green = np.argwhere((sheet == GREEN).all(axis=2))
    (top, left), (bottom, right) = green.min(axis=0), green.max(axis=0) + 1
    assert (bottom - top, right - left) == (100, 50)
    assert left == GAP_PX + 200 + GAP_PX + 75
    assert top == GAP_PX


def test_labels_are_those_of_their_pictures():
    times = ["0:37.480", "0:42.000"]
    sheet = contact_sheet([_plain(320, 180, RED)] * 2, times, columns=2, cell_px=320)
    for column, text in enumerate(times):
        words = label.draw(text, height_px=26, max_width_px=320)
        strip = _strip(sheet, 0, column, 320, 180, 26)
        left = (320 - words.shape[1]) // 2
        assert np.array_equal(strip[:, left : left + words.shape[1]], words)


def test_labels_can_be_read_back():
    from vidagent.video.texts.reader import TextReader

    times = ["0:37.480", "12:42.000", "1:02:03.250"]
    sheet = contact_sheet([_plain(320, 180, RED)] * 3, times, columns=3, cell_px=320)
    read = {line.text.replace(" ", "") for line in TextReader().read(sheet)}
    assert read >= set(times)


@pytest.mark.parametrize(
    ("count", "labels", "columns", "cell_px", "message"),
    [
        (0, [], 2, 100, "one label each"),
        (2, ["a"], 2, 100, "got 2 and 1"),
        (1, ["a"], 0, 100, "1 or more columns"),
        (1, ["a"], 1, 8, "32 px or more"),
    ],
)
def test_odd_requests_are_refused(count, labels, columns, cell_px, message):
    with pytest.raises(ValueError, match=message):
        contact_sheet([_plain(64, 36, RED)] * count, labels, columns=columns, cell_px=cell_px)
