import numpy as np
import pytest

from vidagent.images import resize


@pytest.mark.parametrize(
    ("size_wh", "limit", "expected"),
    [
        ((1280, 720), 640, (640, 360)),
        ((720, 1280), 640, (360, 640)),
        ((640, 360), 640, (640, 360)),
        ((320, 180), 640, (320, 180)),
        ((1921, 3), 100, (100, 1)),
        ((1000, 1), 10, (10, 1)),
    ],
)
def test_fit_wh_keeps_the_aspect_and_never_grows(size_wh, limit, expected):
    assert resize.fit_wh(size_wh, limit) == expected


@pytest.mark.parametrize(("size_wh", "limit"), [((0, 5), 10), ((5, 5), 0)])
def test_fit_wh_refuses_empty_sizes(size_wh, limit):
    with pytest.raises(ValueError, match="1 px or more"):
        resize.fit_wh(size_wh, limit)


def test_fit_averages_pixels_and_has_the_size_of_fit_wh():
    rgb = np.zeros((100, 201, 3), np.uint8)
    rgb[::2] = 200
    small = resize.fit(rgb, 50)
    assert (small.shape[1], small.shape[0]) == resize.fit_wh((201, 100), 50)
    assert small.dtype == np.uint8
    assert np.abs(small.astype(int) - 100).max() <= 1


@pytest.mark.parametrize(
    ("size_wh", "side_px", "larger_wh"),
    [
        ((100, 50), 300, (300, 150)),
        ((50, 100), 1000, (200, 400)),
        ((100, 50), 100, (100, 50)),
        ((1, 1), 9, (4, 4)),
    ],
)
def test_enlarge_keeps_the_aspect_and_never_shrinks(size_wh, side_px, larger_wh):
    rgb = np.full((size_wh[1], size_wh[0], 3), 90, np.uint8)
    large = resize.enlarge(rgb, side_px)
    assert (large.shape[1], large.shape[0]) == larger_wh
    assert set(np.unique(large)) == {90}
    assert resize.enlarge(rgb, max(size_wh)) is rgb


def test_fit_returns_the_same_array_where_it_fits():
    rgb = np.zeros((10, 20, 3), np.uint8)
    assert resize.fit(rgb, 20) is rgb
