import threading

import cv2
import numpy as np
import pytest

from vidagent.agents.signals.language import wording
from vidagent.agents.signals.vision.observer import Looker, Picture, StoppedError

GREY, RED, GREEN = (90, 96, 104), (204, 24, 32), (30, 140, 60)


def plain(colour=GREY, wh=(640, 360)):
    return np.full((wh[1], wh[0], 3), colour, np.uint8)


def written(text, colour=GREY, at=(60, 180), ink=(250, 250, 250)):
    rgb = plain(colour)
    cv2.putText(rgb, text, at, cv2.FONT_HERSHEY_DUPLEX, 1.5, ink, 2, cv2.LINE_AA)
    return rgb


def with_disc(x):
    rgb = plain()
    cv2.circle(rgb, (x, 100), 40, (240, 200, 40), -1)
    return rgb


def code(text):
    modules = cv2.QRCodeEncoder.create().encode(text)
    rgb = plain((250, 250, 250))
    side = cv2.resize(modules, (240, 240), interpolation=cv2.INTER_NEAREST)
    rgb[60:300, 200:440] = side[:, :, None]
    return rgb


def pictures(*rgbs, step_s=0.04):
    return [Picture(round(n * step_s, 3), rgb) for n, rgb in enumerate(rgbs)]


@pytest.fixture
def looker(reader):
    return Looker(reader, threading.Event())


def times(seen):
    return [sighting.time_s for sighting in seen.sightings]


def test_a_text_is_seen_where_it_stands(looker):
    seen = looker.observe(
        wording.is_shown("GATE 72"), pictures(plain(), written("GATE 72"), written("GATE 12"))
    )
    assert (seen.found, times(seen)) == (True, [0.04])
    x0, y0, x1, y1 = seen.sightings[0].box
    assert 50 < x0 < 130 < 250 < x1 < 450
    assert 300 < y0 < 450 < y1 < 600
    assert seen.what == 'In 1 of 3 frames, at 0.040 s: "GATE 72".'


def test_what_is_not_seen_is_said(looker):
    seen = looker.observe(wording.is_shown("GATE 72"), pictures(plain(), written("BERTH 14")))
    assert (seen.found, seen.sightings, seen.what) == (False, [], "Not in any of the 2 frames checked.")


def test_texts_are_read_all_or_by_their_background(looker):
    rgb = written("HELLO")
    rgb[240:330, 300:600] = GREEN
    cv2.putText(rgb, "START", (330, 305), cv2.FONT_HERSHEY_DUPLEX, 1.5, (250, 250, 250), 2, cv2.LINE_AA)
    every = looker.observe(wording.ANY_TEXT, pictures(rgb))
    assert [sighting.text for sighting in every.sightings] == ["HELLO", "START"]
    green = looker.observe(wording.on_background("green"), pictures(rgb))
    assert [sighting.text for sighting in green.sightings] == ["START"]
    assert looker.observe(wording.on_background("red"), pictures(rgb)).found is False


def test_the_highlighted_line(looker):
    rgb = plain((20, 20, 24))
    rgb[150:200] = (40, 90, 200)
    for row, name in enumerate(["one.png", "two.png", "three.png", "four.png"]):
        cv2.putText(
            rgb, name, (60, 85 + 100 * row if row != 1 else 187), 2, 1.2, (240, 240, 240), 2, cv2.LINE_AA
        )
    seen = looker.observe(wording.HIGHLIGHTED, pictures(rgb))
    assert [sighting.text for sighting in seen.sightings] == ["two.png"]


def test_codes(looker):
    seen = looker.observe(wording.ANY_CODE, pictures(plain(), code("one"), code("two")))
    assert [(s.time_s, s.text) for s in seen.sightings] == [(0.04, "one"), (0.08, "two")]
    assert looker.observe(wording.QR_CODES, pictures(code("one"))).found is True


def test_fills(looker):
    half = plain(RED)
    half[:180] = GREEN
    shown = pictures(plain(RED), half, plain(GREEN))
    assert times(looker.observe(wording.is_filled("red"), shown)) == [0.0]
    assert [s.text for s in looker.observe(wording.FILL, shown).sightings] == ["red", "green"]


def test_cuts(looker):
    seen = looker.observe(wording.ANY_CUT, pictures(plain(), plain(), plain(RED), plain(RED)))
    assert times(seen) == [0.08]
    assert looker.observe(wording.ANY_CUT, pictures(plain())).found is False


def test_movement_and_stillness(looker):
    shown = pictures(with_disc(100), with_disc(100), with_disc(120), with_disc(140), with_disc(140))
    moved = looker.observe(wording.ANY_MOTION, shown)
    assert times(moved) == [0.08, 0.12]
    assert moved.sightings[0].text == "upper left"
    assert times(looker.observe(wording.STILL, shown)) == [0.04, 0.16]


def test_a_cut_between_neighbours_is_no_movement_and_no_stillness(looker):
    shown = pictures(plain(), plain(), plain(RED), plain(RED))
    assert looker.observe(wording.ANY_MOTION, shown).found is False
    assert times(looker.observe(wording.STILL, shown)) == [0.04, 0.12]


def test_pictures_far_apart_tell_no_cut_from_movement(looker):
    shown = pictures(with_disc(100), written("BERTH 14", RED), step_s=5.0)
    assert looker.observe(wording.ANY_MOTION, shown).found is True


def test_what_it_cannot_see_it_does_not_judge(looker):
    seen = looker.observe("Does the man wear a hat?", pictures(plain()))
    assert (seen.found, seen.confidence, seen.sightings) == (None, 0.0, [])
    assert "--base-url" in seen.what


@pytest.mark.parametrize(
    ("claim", "rgb", "verdict"),
    [
        (wording.claim_text("GATE 72", 0), written("GATE 72"), "supported"),
        (wording.claim_text("GATE 72", 0), written("GATE 12"), "unsupported"),
        (wording.claim_text("GATE 72", 9), written("GATE 72"), "unsupported"),
        (wording.claim_code("one", 0), code("one"), "supported"),
        (wording.claim_code("one", 0), code("two"), "unsupported"),
        (wording.claim_fill("red", 0), plain(RED), "supported"),
        (wording.claim_fill("red", 0), plain(GREEN), "unsupported"),
        ("The man wears a hat at 0.000 s.", plain(), "unsupported"),
    ],
)
def test_claims_are_judged_at_their_time(looker, claim, rgb, verdict):
    assert looker.judge(claim, pictures(rgb)).verdict == verdict


def test_claims_about_steps_need_the_frame_before(looker):
    shown = pictures(with_disc(100), with_disc(100), with_disc(120))
    assert looker.judge("Something moves at 0.080 s.", shown).verdict == "supported"
    assert looker.judge("Something moves at 0.040 s.", shown).verdict == "unsupported"
    assert looker.judge("The picture is still at 0.040 s.", shown).verdict == "supported"
    cut = pictures(plain(), plain(), plain(RED))
    assert looker.judge(wording.claim_cut(0.08), cut).verdict == "supported"
    assert looker.judge(wording.claim_cut(0.04), cut).verdict == "unsupported"


@pytest.mark.parametrize("question", [wording.ANY_TEXT, wording.ANY_CODE, wording.FILL, wording.ANY_CUT])
def test_it_stops_when_nobody_waits(reader, question):
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        Looker(reader, stop).observe(question, pictures(plain(), plain()))
