"""Frames as the API gives them: marked, cut, and never larger than allowed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.media.make import encode
from vidagent import UsageError, api
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
