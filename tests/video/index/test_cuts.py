"""Cuts among small grey pictures, against what changes a picture without being one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vidagent.video.decoders import open_decoder
from vidagent.video.decoders.pyav import PyavDecoder
from vidagent.video.index.cuts import CutFinder
from vidagent.video.index.scan import SCAN_WH

FPS = 25
RNG = np.random.default_rng(7)


def _ground(kind: str) -> np.ndarray:
    """Return a wide ground to pan over: soft spots, with stripes or a net of lines on them."""
    ground = cv2.GaussianBlur(RNG.integers(0, 255, (260, 1800), np.uint8), (0, 0), 9)
    ground = cv2.convertScaleAbs(ground, alpha=4, beta=-350 - 60 * (kind == "net"))
    for x in range(0, 1800 + 260, 24) if kind != "spots" else ():
        cv2.line(ground, (x, 0), (x - 260 * (kind == "stripes"), 260), 230, 2, cv2.LINE_AA)
    return ground


GROUNDS = [_ground(kind) for kind in ("spots", "stripes", "net", "stripes")]


def picture(index, *, ground=0, pan=0):
    left = 20 + index * pan % 1400
    return GROUNDS[ground][40:220, left : left + 320].copy()


def cuts_of(frames, fps=FPS):
    finder = CutFinder()
    for index, grey in enumerate(frames):
        finder.add(index / fps, grey)
    return [round(t * fps) for t in finder.finish()]


@pytest.mark.parametrize("pan", [0, 4, 9, 14])
def test_cuts_among_pans_of_any_speed(pan):
    shots = [0] * 30 + [1] * 25 + [2] * 31 + [3] * 20
    frames = [picture(i, ground=ground, pan=pan) for i, ground in enumerate(shots)]
    assert cuts_of(frames) == [30, 55, 86]
    assert cuts_of(frames[:31]) == [30]
    assert cuts_of(frames[28:]) == [2, 27, 58]


@pytest.mark.parametrize("pan", [0, 3, 14])
@pytest.mark.parametrize("wh", [(110, 110), (200, 70), (150, 130)])
def test_a_plate_that_comes_up_and_goes_is_no_cut(pan, wh):
    rng = np.random.default_rng(1)
    plate = 255 * rng.integers(0, 2, (wh[1] // 4 + 1, wh[0] // 4 + 1), np.uint8).repeat(4, 0).repeat(4, 1)

    def frames():
        for i in range(60):
            grey = picture(i, ground=1, pan=pan)
            if 25 <= i < 37:
                grey[20 : 20 + wh[1], 60 : 60 + wh[0]] = plate[: wh[1], : wh[0]]
            yield grey

    assert cuts_of(frames()) == []


@pytest.mark.parametrize("long", [1, 2, 3, 4])
@pytest.mark.parametrize("pan", [0, 3])
def test_a_flash_is_no_cut(long, pan):
    def frames():
        for i in range(60):
            grey = picture(i, pan=pan)
            yield cv2.convertScaleAbs(grey, alpha=1, beta=150) if 30 <= i < 30 + long else grey

    assert cuts_of(frames()) == []


def test_a_flash_at_a_cut_does_not_hide_it():
    frames = [picture(i, ground=i >= 30) for i in range(60)]
    frames[30] = np.full_like(frames[30], 255)
    assert cuts_of(frames) in ([30], [31])


@pytest.mark.parametrize("frames", [6, 12, 25])
def test_a_dissolve_is_no_cut(frames):
    def mixed():
        for i in range(80):
            part = min(1.0, max(0.0, (i - 30) / frames))
            yield cv2.addWeighted(picture(i), 1 - part, picture(i, ground=2), part, 0)

    assert cuts_of(mixed()) == []


def test_light_that_goes_out_in_one_frame_is_no_cut():
    assert (
        cuts_of(
            cv2.convertScaleAbs(picture(i, ground=1), alpha=0.4 if i >= 30 else 1, beta=0) for i in range(60)
        )
        == []
    )


def test_a_cut_between_even_pictures():
    assert cuts_of(np.full((180, 320), 40 if i < 20 else 180, np.uint8) for i in range(40)) == [20]


def test_of_two_cuts_close_together_one_counts():
    shots = [0] * 30 + [1] * 3 + [2] * 30
    assert cuts_of(picture(i, ground=ground) for i, ground in enumerate(shots)) in ([30], [33])


def test_pictures_half_a_second_apart_as_reference_pictures_are():
    shots = [0] * 10 + [1] * 8 + [2] * 12
    frames = [picture(i, ground=ground, pan=40) for i, ground in enumerate(shots)]
    assert cuts_of(frames, fps=2) == [10, 18]


@pytest.mark.videos
def test_the_cuts_of_real_films(videos):
    truth = {"claymation.mp4": [7.441, 9.343, 10.544, 13.146, 16.149, 21.188]}
    for name in ("claymation.mp4", "dashcam.mp4", "greenwall_man.mp4", "gnome_launch.webm", "cups.mp4"):
        decoder, finder = open_decoder("pyav", videos / name), CutFinder()
        assert isinstance(decoder, PyavDecoder)
        for shown in decoder.shown():
            finder.add(shown.time_s, shown.grey(SCAN_WH))
        decoder.close()
        assert finder.finish() == pytest.approx(truth.get(name, []), abs=0.002), name
