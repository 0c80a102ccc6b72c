"""Frames as the API gives them: marked, cut, and never larger than allowed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.media.make import encode, spoil
from tests.media.odd import coded_frame, write
from vidagent import UsageError, VideoError, api
from vidagent.images import jpeg


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    encode(path, range(0, 2000, 40))
    return path


async def test_boxes_are_drawn_where_they_are(clip):
    box = (40, 40, 120, 80)
    seen = await api.frames_of(clip, [1.0, 1.0], marks_px=[box, None], size=api.Size(side_px=160))
    marked, plain = (jpeg.decode(picture.jpeg).astype(int) for picture in seen.pictures)
    changed = np.argwhere(abs(marked - plain).max(axis=2) > 90)
    top, left = changed.min(axis=0)
    bottom, right = changed.max(axis=0)
    assert (left, top, right, bottom) == pytest.approx((18, 18, 61, 41), abs=3)


async def test_pictures_are_scaled_down_until_all_of_them_fit(clip):
    seen = await api.look_at(clip, 0, 2, most_frames=4, size=api.Size(all_bytes=6000))
    assert len(seen.pictures) == 4
    assert sum(len(picture.jpeg) for picture in seen.pictures) <= 6000
    for picture in seen.pictures:
        assert jpeg.size_wh(picture.jpeg) == picture.size_wh
        assert picture.size_wh[0] < 320
        assert picture.box_px == (0, 0, 320, 180)


async def test_each_frame_is_shown_once_and_in_order(clip):
    seen = await api.look_at(clip, 0.9, 1.1, fps=1000, most_frames=16)
    times = [picture.time_s for picture in seen.pictures]
    assert times == pytest.approx([0.92, 0.96, 1.0, 1.04, 1.08])
    assert seen.every_frame


@pytest.mark.parametrize(("start_s", "end_s"), [(1, 1), (2, 1), (5, 6)])
async def test_a_range_that_is_none_is_refused(clip, start_s, end_s):
    with pytest.raises(UsageError):
        await api.look_at(clip, start_s, end_s)


async def test_damaged_frames_are_left_out_of_a_look_and_named_in_others(clip, tmp_path):
    spoil(clip, tmp_path / "spoilt.mp4", 20)
    seen = await api.look_at(tmp_path / "spoilt.mp4", 0.72, 1.2, fps=25, most_frames=16)
    assert [round(picture.time_s, 3) for picture in seen.pictures] == [0.72, 0.76]
    assert (seen.every_frame, seen.notes) == (
        False,
        ("11 frames damaged in the file, not shown: 0.800-1.200 s",),
    )
    again = await api.frames_of(tmp_path / "spoilt.mp4", [0.76, 1.0])
    assert (len(again.pictures), again.notes) == (2, ("damaged in the file: 1.000 s",))
    with pytest.raises(VideoError, match="damaged in the file"):
        await api.look_at(tmp_path / "spoilt.mp4", 1.0, 1.2)


async def test_a_look_between_two_labels_shows_both_at_any_rate(clip):
    for fps in (None, 5, 25):
        seen = await api.look_at(clip, 0.4, 0.8, fps=fps, most_frames=16)
        assert [round(seen.pictures[at].time_s, 3) for at in (0, -1)] == [0.4, 0.8]


async def test_a_poster_is_a_frame_with_something_to_see(tmp_path):
    red = np.full((180, 320, 3), (200, 20, 30), np.uint8)
    pictures = [red if number < 10 else coded_frame(number) for number in range(50)]
    path = write(tmp_path / "clip.mp4", pictures, options={"g": "5", "bf": "0", "crf": "12"})
    poster = await api.poster_of(path, size=api.Size(side_px=160))
    shown = jpeg.decode(poster.jpeg)
    assert poster.size_wh == (160, 90)
    assert shown.std(axis=(0, 1)).min() > 50  # no plain colour
    assert 0.4 <= poster.time_s < 1.1  # of the keyframes at 10%, 30% and 50%, not the first
