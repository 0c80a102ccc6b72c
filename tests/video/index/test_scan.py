"""One pass over drawn pictures: cuts to the frame, brief texts among movement, memory that does not grow."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vidagent.video.index.moments import MomentFinder, thin_strokes
from vidagent.video.index.scan import SCAN_WH, Scan, Scanner

FPS = 25
RNG = np.random.default_rng(3)
SCENES = [cv2.GaussianBlur(RNG.integers(0, 255, (200, 700), np.uint8), (0, 0), 9) for _ in range(4)]


def picture(
    index: int, *, scene: int = 0, pan: int = 0, text: str | None = None, at=(60, 120)
) -> NDArray[np.uint8]:
    """Return frame `index`: a blurred scene, panned by `pan` pixels a frame, with a text drawn over it."""
    width, height = SCAN_WH
    left = index * pan % 300
    grey = SCENES[scene][:height, left : left + width].copy()
    grey = cv2.convertScaleAbs(grey, alpha=2.5, beta=-190 + 20 * scene)
    if text:
        cv2.putText(grey, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2, cv2.LINE_AA)
    return grey


def scan(frames, *, exact: bool = True) -> Scan:
    scanner = Scanner(exact=exact)
    for index, grey in enumerate(frames):
        scanner.add(index / FPS, grey)
    return scanner.finish()


def test_cuts_are_the_first_frames_of_the_new_shots():
    shots = [0] * 40 + [1] * 33 + [2] * 50 + [3] * 21
    found = scan(picture(i, scene=scene, pan=1) for i, scene in enumerate(shots))
    assert found.cuts_s == pytest.approx([40 / FPS, 73 / FPS, 123 / FPS])
    assert found.exact


def test_a_cut_in_the_last_frames_is_found():
    found = scan(picture(i, scene=i >= 58) for i in range(60))
    assert found.cuts_s == pytest.approx([58 / FPS])


def test_fast_panning_is_no_cut():
    assert scan(picture(i, pan=7) for i in range(120)).cuts_s == ()


def test_a_flash_of_two_frames_does_not_make_two_shots():
    found = scan(picture(i, scene=1 if i in {50, 51} else 0) for i in range(100))
    assert len(found.cuts_s) <= 1


@pytest.mark.parametrize("first", [30, 71, 112])
@pytest.mark.parametrize("pan", [0, 3])
def test_a_text_of_a_fifth_of_a_second_is_the_best_moment(first: int, pan: int):
    texts = dict.fromkeys(range(first, first + 5), "ORCHID 74")
    best = scan(picture(i, pan=pan, text=texts.get(i)) for i in range(160)).moments[0]
    assert first / FPS <= best.time_s < (first + 5) / FPS
    x0, y0, x1, y1 = best.box
    assert x1 * 320 > 60
    assert x0 * 320 < 200
    assert y1 * 180 > 100
    assert y0 * 180 < 122


def test_a_faint_text_is_not_hidden_by_stronger_detail_elsewhere_in_the_same_second():
    def frames():
        for i in range(100):
            grey = picture(i, text="CRANE BUSY" if 48 <= i < 70 else None, at=(20, 30))
            if 50 <= i < 58:
                cv2.putText(grey, "faint", (240, 165), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 235, 1, cv2.LINE_AA)
            yield grey

    moments = scan(frames()).moments
    assert any(50 / FPS <= m.time_s < 58 / FPS for m in moments[:3])


def test_a_repeated_picture_takes_one_place_and_a_rare_one_comes_before_its_repeats():
    def frames():
        for i in range(60 * FPS):
            second, step = divmod(i, 2 * FPS)
            text = "SAME TITLE" if step < 20 and second else None
            rare = 1203 <= i < 1211
            yield picture(i, text="rare" if rare else text, at=(180, 60) if rare else (30, 140))

    moments = scan(frames()).moments
    places = [k for k, m in enumerate(moments) if 1203 / FPS <= m.time_s < 1211 / FPS]
    assert places, "the rare text is among the moments"
    assert places[0] <= 3


def test_an_even_picture_has_no_moments():
    assert scan(np.full(SCAN_WH[::-1], 90, np.uint8) for _ in range(100)).moments == ()


def test_motion_is_told_second_by_second():
    frames = [picture(0)] * (2 * FPS) + [picture(i, pan=5) for i in range(2 * FPS)]
    motion = scan(frames).motion
    assert len(motion) == 4
    assert max(motion[:2]) < 0.1
    assert min(motion[2:]) > 1


def test_the_finder_keeps_a_bounded_number_of_pictures():
    finder = MomentFinder()
    for i in range(10 * FPS):
        finder.add(i / FPS, thin_strokes(picture(i, pan=2)))
    assert len(finder._recent) <= FPS + 2


@pytest.mark.slow
@pytest.mark.videos
def test_every_join_of_a_real_film_is_a_cut(videos):
    import json

    from vidagent.video.video import Video

    parts = json.loads((videos / "segments.json").read_text())["long_dev.mp4"]["segments"]
    with Video.open(videos / "long_dev.mp4") as video:
        cuts = np.array(video.scan().cuts_s)
    missed = [part["start_s"] for part in parts[1:] if np.abs(cuts - part["start_s"]).min() > 1 / 15 + 0.02]
    assert missed == []


def test_a_time_stamp_that_lies_does_not_fill_the_scan():
    scanner = Scanner(exact=True)
    for time_s in (0.0, 0.04, 4_000_000_000.0):
        scanner.add(time_s, picture(0))
    assert len(scanner.finish().motion) == 360_000
