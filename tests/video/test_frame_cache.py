from __future__ import annotations

import os
import shutil
import threading

import numpy as np
import pytest

from tests.media.code import read_code
from vidagent.errors import VideoError
from vidagent.images import jpeg
from vidagent.video.frame import Frame
from vidagent.video.frame_cache import FrameCache, FrameKey
from vidagent.video.shared_video import SharedVideo
from vidagent.video.video import Video

TIMES_S = [1.0, 3.0, 5.0]


@pytest.fixture
def path(clip_path, tmp_path):
    return shutil.copy(clip_path("h264"), tmp_path / "clip.mp4")


def key(time_s):
    return FrameKey((1,), None, "pyav", time_s, "exact", None, None)


def frame(time_s, side_px=16):
    return Frame(time_s, np.zeros((side_px, side_px, 3), np.uint8))


def test_the_same_frames_are_decoded_once(path):
    with Video.open(path) as video:
        first = video.frames_at(TIMES_S, max_side_px=160)
        decoded = video.frames_decoded
        again = video.frames_at([5.0, 1.0], max_side_px=160)
        assert [id(one) for one in again] == [id(first[2]), id(first[0])]
        assert video.frames_decoded == decoded
        assert video.frames_at([1.0], max_side_px=80)[0].rgb.shape != first[0].rgb.shape
        assert video.frames_decoded > decoded
    with Video.open(path) as reopened:
        assert reopened.frames_at([3.0], max_side_px=160) == [first[1]]
        with pytest.raises(ValueError, match="read-only"):
            first[1].rgb[0, 0] = 0
    with pytest.raises(VideoError, match="was closed"):
        reopened.frames_at([3.0], max_side_px=160)


def test_questions_at_once_share_the_decoding(path):
    with Video.open(path) as video:
        before = video.frames_decoded
        views = [SharedVideo.share(video)() for _ in range(4)]
        threads = [threading.Thread(target=view.frames_at, args=(TIMES_S,)) for view in views]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(view.frames_decoded > 0 for view in views) == 1
        assert sum(view.frames_decoded for view in views) == video.frames_decoded - before


def test_a_file_that_was_replaced_is_decoded_anew(path, clip_path):
    with Video.open(path) as video:
        shown = video.frames_at([1.0])[0]
    shutil.copy(clip_path("turned_180"), path)
    os.utime(path, (1, 1))
    with Video.open(path) as video:
        assert read_code(video.frames_at([1.0])[0].rgb) == read_code(shown.rgb)
        assert video.frames_at([1.0])[0] is not shown


def test_the_oldest_frames_are_dropped_and_large_ones_are_not_kept():
    size = frame(0.0).rgb.nbytes
    cache = FrameCache(most_bytes=10 * size)
    for time_s in range(10):
        cache.put(key(time_s), frame(time_s))
    assert cache.get(key(0)) is not None
    cache.put(key(10), frame(10))
    cache.put(key(11), frame(11, side_px=32))
    assert [time_s for time_s in range(12) if cache.get(key(time_s)) is None] == [1, 11]


def test_a_frame_is_encoded_once(monkeypatch):
    shown, encode, encoded = frame(0.0), jpeg.encode, []
    monkeypatch.setattr(jpeg, "encode", lambda rgb: encoded.append(1) or encode(rgb))
    assert jpeg.of_frame(shown) == jpeg.of_frame(shown) == encode(shown.rgb)
    assert len(encoded) == 1
