"""The demo video shows what its tables say, to the frame."""

import subprocess
import sys

import av
import cv2
import numpy as np
import pytest
import zxingcpp
from av.video.frame import PictureType

from tests.media.demo import SCRIPT, demo, render_once

SMALL_WH = (320, 180)
STAYS, COMES = 24, 40  # grey levels: the codec stirs a still QR code by 15, the smallest text changes 56


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "sub" / "demo.mp4"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "render", render_once)
        assert demo.main([str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def frames(path):
    """All frames, small and grey, and the changes between each and the one before it."""
    with av.open(path) as container:
        return [
            (frame.time, frame.pict_type, frame.reformat(*SMALL_WH, format="gray").to_ndarray())
            for frame in container.decode(video=0)
        ]


def _at(path, *times_s):
    wanted = {round(t * demo.FPS) for t in times_s}
    with av.open(path) as container:
        return [
            f.to_ndarray(format="rgb24")
            for f in container.decode(video=0)
            if round(f.time * demo.FPS) in wanted
        ]


def _change(frames, number, part=np.s_[:]):
    before, after = frames[number - 1][2][part], frames[number][2][part]
    return np.abs(after.astype(int) - before).max()


def _part(caption):
    """The part of a small frame that holds the caption, and little more."""
    (width, height), _ = cv2.getTextSize(caption.text, cv2.FONT_HERSHEY_SIMPLEX, caption.scale, 1)
    share = SMALL_WH[0] / demo.SIZE_WH[0]
    x, y = (value * share for value in caption.centre)
    half_x, half_y = width * share / 2, max(height * share / 2, 1)
    return np.s_[round(y - half_y) : round(y + half_y) + 1, round(x - half_x) : round(x + half_x) + 1]


def test_every_time_lies_on_a_frame_and_inside_the_video():
    for event in demo.EVENTS:
        assert 0 <= demo.frame_number(event.start_s) < demo.frame_number(event.end_s)
        assert event.end_s <= demo.DURATION_S
    assert [demo.frame_number(cut) for cut in demo.CUTS_S] == sorted({round(cut * 25) for cut in demo.CUTS_S})
    assert demo.SHOTS == len(demo.SHOT_LIST) == 8
    with pytest.raises(ValueError, match="between two frames"):
        demo.frame_number(37.5)


def test_a_text_lasts_two_fifths_of_a_second_at_no_round_time():
    short = next(event for event in demo.EVENTS if event.what == "GATE 7 OPEN")
    assert (short.start_s, short.end_s) == (37.48, 37.88)
    assert demo.frame_number(short.end_s) - demo.frame_number(short.start_s) == 10


def test_clock_size_and_frames(path, frames):
    assert [time_s for time_s, _, _ in frames] == [n / demo.FPS for n in range(1500)]
    assert {PictureType(kind).name for _, kind, _ in frames} == {"I", "P", "B"}
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == demo.SIZE_WH
        assert stream.average_rate == demo.FPS
        assert container.duration == demo.DURATION_S * 1_000_000


def test_the_picture_jumps_at_the_cuts_and_nowhere_else(frames):
    jumps = [
        n for n in range(1, len(frames)) if np.abs(frames[n][2].astype(int) - frames[n - 1][2]).mean() > 12
    ]
    assert jumps == [demo.frame_number(cut) for cut in demo.CUTS_S]


@pytest.mark.parametrize("caption", demo.CAPTIONS, ids=lambda caption: caption.text)
def test_a_caption_comes_and_goes_in_its_frames(frames, caption):
    part = _part(caption)
    first, end = demo.frame_number(caption.start_s), demo.frame_number(caption.end_s)
    assert _change(frames, first, part) > COMES
    if end < len(frames):
        assert _change(frames, end, part) > COMES
    assert max(_change(frames, n, part) for n in range(first + 1, end)) < STAYS


def test_still_shots_are_still_and_motion_moves(frames):
    for event in demo.EVENTS:
        numbers = range(demo.frame_number(event.start_s) + 1, demo.frame_number(event.end_s))
        changes = [_change(frames, n) for n in numbers]
        if event.kind == "still":
            assert max(changes) < STAYS, event
        if event.kind == "motion":
            moved = [np.abs(frames[n][2].astype(int) - frames[n - 5][2]).max() > STAYS for n in numbers[5:]]
            assert np.mean(moved) > 0.95, event


def test_the_boat_waits_before_and_after_its_sail(frames):
    for start_s, end_s in ((6.0, 7.2), (14.48, 16.0)):
        numbers = range(demo.frame_number(start_s) + 1, demo.frame_number(end_s))
        assert max(_change(frames, n) for n in numbers) < STAYS


def test_the_red_screen_is_red_and_the_code_is_read(path):
    red, poster = _at(path, 18.0, 23.0)
    assert np.abs(red.astype(int) - (204, 24, 32)).max() <= 6
    assert [code.text for code in zxingcpp.read_barcodes(poster)] == [demo.CODE]


def test_the_command_line_asks_for_one_path(tmp_path):
    run = subprocess.run([sys.executable, SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.startswith("usage:")
    assert run.stdout == ""
