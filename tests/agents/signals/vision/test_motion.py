"""Movement: that it is seen, where, and that light and compression are not taken for it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vidagent.agents.signals.vision.motion import motion, still, where


def noisy(rgb, seed, spread=3.0):
    noise = np.random.default_rng(seed).normal(0, spread, rgb.shape)
    return np.clip(rgb + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("at", "place"),
    [
        ((80, 60), "upper left"),
        ((560, 60), "upper right"),
        ((320, 180), "centre"),
        ((80, 180), "left"),
        ((320, 320), "bottom"),
        ((320, 40), "top"),
        ((560, 310), "lower right"),
    ],
)
def test_says_where_something_moved(busy, jpeg, at, place):
    before = jpeg(noisy(busy(1), 1))
    after = jpeg(noisy(cv2.circle(busy(1).copy(), at, 18, (255, 255, 255), -1), 2))
    seen = motion(before, after)
    assert seen is not None
    assert seen.where == place
    truth = [at[0] - 18, at[1] - 18, at[0] + 18, at[1] + 18]
    assert np.abs(np.array(seen.box) - truth).max() <= 8
    assert 0 < seen.fraction < 0.02
    assert 0.5 <= seen.score <= 1


def test_the_box_holds_the_old_and_the_new_place(busy):
    before = cv2.rectangle(busy(2).copy(), (100, 100), (140, 140), (255, 255, 255), -1)
    after = cv2.rectangle(busy(2).copy(), (400, 200), (440, 240), (255, 255, 255), -1)
    seen = motion(before, after)
    assert seen is not None
    assert np.abs(np.array(seen.box) - [100, 100, 440, 240]).max() <= 4


@pytest.mark.parametrize("quality", [40, 70, 90])
def test_noise_and_compression_are_still(busy, jpeg, quality):
    assert still(jpeg(noisy(busy(3), 1), quality=quality), jpeg(noisy(busy(3), 2), quality=quality))


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 25), (1.0, -20), (0.8, 0), (1.25, 0), (0.7, 30)])
def test_a_change_of_light_is_still_but_hides_no_movement(busy, jpeg, gain, offset):
    def lit(rgb):
        return np.clip(rgb * gain + offset, 0, 255).astype(np.uint8)

    base = (busy(4) * 0.7 + 25).astype(np.uint8)
    moved = cv2.circle(base.copy(), (500, 100), 20, (10, 10, 10), -1)
    assert still(jpeg(base), jpeg(lit(base)))
    seen = motion(jpeg(base), jpeg(lit(moved)))
    assert seen is not None
    assert seen.where == "upper right"


def test_a_pan_is_everywhere(busy):
    wide = busy(5, 900, 360)
    seen = motion(wide[:, :640], wide[:, 40:680])
    assert seen is not None
    assert seen.where == "everywhere"
    assert seen.fraction > 0.3


def test_the_same_picture_is_still():
    black = np.zeros((360, 640, 3), np.uint8)
    assert still(black, black)
    assert still(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1, 3), np.uint8))


def test_black_to_white_is_light_and_a_shape_in_it_is_not():
    black = np.zeros((90, 160, 3), np.uint8)
    assert still(black, black + 255)
    assert not still(black, cv2.circle(black.copy(), (80, 45), 10, (255, 255, 255), -1))


def test_pictures_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="one size"):
        motion(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8))


def test_words_for_places():
    assert where((0, 0, 640, 360), (640, 360)) == "everywhere"
    assert where((300, 0, 340, 360), (640, 360)) == "centre"
    assert where((600, 300, 640, 360), (640, 360)) == "lower right"


@pytest.mark.videos
def test_cars_on_a_real_road(frame_of):
    road = [frame_of("overhead_road.avi", t) for t in (0.0, 1.0, 6.2, 6.6)]
    assert still(road[0], road[1])
    seen = motion(road[2], road[3])
    assert seen is not None
    assert seen.box[0] == 0
