import numpy as np
import pytest

from vidagent.images import label


@pytest.mark.parametrize("height", [14, 20, 40, 80])
def test_a_label_has_its_height_and_its_text_keeps_off_the_edges(height):
    drawn = label.draw("0:37.480", height_px=height, max_width_px=1000)
    assert drawn.shape[0] == height
    rows, columns = np.nonzero(drawn.max(axis=2) > 120)
    assert rows.min() > 0
    assert rows.max() < height - 1
    assert columns.min() > 0
    assert columns.max() < drawn.shape[1] - 1
    assert rows.max() - rows.min() >= 0.4 * height
    assert abs(rows.max() + rows.min() + 1 - height) <= 0.1 * height + 1


def test_longer_text_is_wider_until_it_is_cut():
    short, long = (label.draw(text, height_px=20, max_width_px=200) for text in ("0:01", "0:01.480"))
    assert short.shape[1] < long.shape[1] <= 200
    assert label.draw("a long name " * 20, height_px=20, max_width_px=200).shape[1] <= 200


def test_a_cut_text_ends_in_dots():
    cut = label.draw("W" * 100, height_px=20, max_width_px=200)
    count = next(n for n in range(100, 0, -1) if np.array_equal(_whole("W" * n + "..."), cut))
    assert count < 30
    assert _whole("W" * (count + 1) + "...").shape[1] > 200


def _whole(text):
    return label.draw(text, height_px=20, max_width_px=100_000)


@pytest.mark.parametrize("text", ["", "Zürich ✓"])
def test_empty_and_foreign_texts_draw(text):
    assert label.draw(text, height_px=20, max_width_px=300).shape[0] == 20


def test_no_room_is_refused():
    with pytest.raises(ValueError, match="1 px or more"):
        label.draw("a", height_px=0, max_width_px=10)
    assert label.draw("a", height_px=4, max_width_px=1).shape == (4, 1, 3)
