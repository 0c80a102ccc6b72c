"""Cuts against movement, noise and changes of light."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vidagent.agents.signals.vision.cuts import CUT, cut_scores


def cuts(frames):
    return [index + 1 for index, score in enumerate(cut_scores(frames)) if score >= CUT]


def test_one_score_for_each_step():
    frame = np.zeros((36, 64, 3), np.uint8)
    assert cut_scores([]) == []
    assert cut_scores([frame]) == []
    assert cut_scores([frame] * 3) == [0.0, 0.0]


def test_finds_the_cuts_between_three_shots(busy, jpeg):
    frames = [busy(1)] * 4 + [busy(2)] * 3 + [busy(3)] * 4
    rng = np.random.default_rng(0)
    noisy = [
        jpeg(np.clip(f + rng.normal(0, 4, f.shape), 0, 255).astype(np.uint8), quality=60) for f in frames
    ]
    assert cuts(noisy) == [4, 7]


def test_two_pictures_alone_can_be_judged(busy):
    assert cuts([busy(1), busy(2)]) == [1]
    assert cuts([busy(1), busy(1)]) == []


def test_a_shot_of_one_frame_has_two_cuts(busy):
    other = 255 - busy(1)
    assert cuts([busy(1), busy(1), other, busy(1), busy(1)]) == [2, 3]


def test_a_moving_object_is_no_cut(busy):
    frames = [cv2.circle(busy(1).copy(), (60 + 60 * i, 180), 50, (255, 0, 0), -1) for i in range(8)]
    assert cuts(frames) == []


def test_a_pan_is_no_cut(busy):
    wide = busy(7, 1500, 360)
    assert cuts([wide[:, x : x + 640] for x in range(0, 800, 60)]) == []


def test_a_fade_is_no_cut(busy):
    fade = [(busy(1) * (i / 12)).astype(np.uint8) for i in range(13)]
    assert cuts(fade) == []


def test_shots_in_the_same_colours_differ_by_where_they_are(busy):
    picture = np.full((360, 640, 3), 60, np.uint8)
    picture[:, 320:] = 200
    assert cuts([picture, picture, picture[:, ::-1], picture[:, ::-1]]) == [2]


@pytest.mark.videos
@pytest.mark.parametrize(
    ("video", "time_s", "cut"),
    [
        ("long_dev.mp4", 39.8667, True),
        ("long_dev.mp4", 441.0667, True),
        ("long_dev.mp4", 561.0, True),
        ("long_dev.mp4", 39.8667 + 13.0, False),
        ("claymation.mp4", 8.54, False),
        ("greenwall_man.mp4", 12.0, False),
        ("dashcam.mp4", 3.0, False),
    ],
)
def test_real_cuts_and_real_movement(frame_of, video, time_s, cut):
    step = 1 / 15
    frames = [frame_of(video, time_s + offset * step + 0.01) for offset in (-2, -1, 0, 1)]
    assert cuts(frames) == ([2] if cut else [])


def _panned(ground, first, count, step):
    return [np.ascontiguousarray(ground[:360, x : x + 640]) for x in range(first, first + count * step, step)]


def test_a_cut_between_fast_scenes_of_the_same_colours(busy):
    one, other = busy(11, 1800, 360), busy(12, 1800, 360)
    assert cuts([*_panned(one, 0, 4, 24), *_panned(other, 300, 4, 24)]) == [4]
    assert cuts([*_panned(one, 0, 1, 24), *_panned(other, 300, 2, 24)]) == [1]


def test_light_that_goes_out_is_no_cut(busy):
    lit = busy(4)
    assert cuts([lit] * 3 + [(lit * 0.35).astype(np.uint8)] * 3) == []


def test_a_plate_is_no_cut(busy):
    frames = [busy(5).copy() for _ in range(6)]
    for frame in frames[3:]:
        frame[40:220, 100:320] = 255
        frame[60:200:8, 120:300] = 0
    assert cuts(frames) == []
