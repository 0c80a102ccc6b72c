"""Films of pictures: each picture comes back at its place, and a server's arithmetic gives its time."""

from __future__ import annotations

import io
import math
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from vidagent.images import jpeg, mp4

STEPS_S = [
    1001 / 24000,
    1 / 25,
    1001 / 30000,
    1001 / 60000,
    1 / 60,
    0.2,
    1.0,
    3.2,
    12.504,
    47.619,
    562.5,
]


def picture(number: int, size_wh: tuple[int, int] = (96, 64)) -> bytes:
    """Draw a grey ground with a bar whose place and colour tell the number."""
    width, height = size_wh
    rgb = np.full((height, width, 3), 60, np.uint8)
    rgb[:, 8 * number : 8 * number + 8] = [(220, 40, 40), (40, 200, 60), (50, 60, 220)][number % 3]
    return jpeg.encode(rgb, 95)


def pictures(count: int, size_wh: tuple[int, int] = (96, 64)) -> list[bytes]:
    return [picture(number, size_wh) for number in range(count)]


def decoded(data: bytes, tmp_path) -> tuple[float, int, list]:
    """Return frame rate, frame count and pictures as OpenCV reads them, which is how vLLM does."""
    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    capture = cv2.VideoCapture(str(path))
    found = []
    while (read := capture.read())[0]:
        found.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    told = capture.get(cv2.CAP_PROP_FPS), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    return *told, found


@pytest.mark.parametrize("step_s", STEPS_S)
@pytest.mark.parametrize("count", [2, 3, 12])
def test_a_server_that_counts_frames_gets_their_times(step_s, count, tmp_path):
    fps, frames, shown = decoded(mp4.encode(pictures(count), step_s), tmp_path)
    assert frames == len(shown) == count
    for number in range(count):
        assert number / fps == pytest.approx(number * step_s, rel=1e-6)
    assert math.floor(frames / fps * (1.01 / step_s)) >= count  # so a rate just above its own takes them all


def test_each_picture_comes_back_in_its_colours(tmp_path):
    sent = pictures(12)
    _, _, shown = decoded(mp4.encode(sent, 0.5), tmp_path)
    for before, after in zip(sent, shown, strict=True):
        rgb = jpeg.decode(before)
        assert after.shape == rgb.shape
        # Flat colours come through within a few levels; edges of colour are at half size.
        assert np.median(np.abs(after.astype(int) - rgb)) <= 2
        assert cv2.PSNR(after, rgb) > 30


def test_every_picture_is_a_keyframe_at_its_time():
    data = mp4.encode(pictures(5), 1001 / 30000)
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == Fraction(30000, 1001)
        frames = list(container.decode(stream))
    assert [frame.key_frame for frame in frames] == [True] * 5
    assert [frame.pts * frame.time_base for frame in frames] == [n * Fraction(1001, 30000) for n in range(5)]


def test_odd_sizes_are_made_even_without_losing_pixels(tmp_path):
    sent = pictures(2, (95, 63))
    _, _, shown = decoded(mp4.encode(sent, 1.0), tmp_path)
    assert shown[0].shape == (64, 96, 3)
    assert np.median(np.abs(shown[1][:63, :95].astype(int) - jpeg.decode(sent[1]))) <= 2


def test_the_same_pictures_give_the_same_bytes():
    one = mp4.encode(pictures(6), 2.0)
    mp4.encode(pictures(3), 1.0)
    mp4.encode(pictures(4), 1.0)  # the films kept are others now
    assert mp4.encode(pictures(6), 2.0) == one
    assert mp4.encode(pictures(6), 2.5) != one


@pytest.mark.parametrize(
    ("frames", "step_s", "words"),
    [
        ([], 1.0, "one picture or more"),
        (pictures(2), 0.0, "above 0 s, got 0.0"),
        (pictures(2), 1e-9, "above 0 s, got 1e-09"),
        ([picture(0), picture(0, (64, 64))], 1.0, "one size"),
        ([b"no picture"], 1.0, "not a picture"),
    ],
)
def test_what_cannot_be_a_film_is_refused(frames, step_s, words):
    with pytest.raises(ValueError, match=words):
        mp4.encode(frames, step_s)
