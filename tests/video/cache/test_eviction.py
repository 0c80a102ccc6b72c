"""A cache within its limit: what was used longest ago goes, what is in use stays, and what went is made again."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from tests.media.make import encode
from vidagent import api
from vidagent.errors import UsageError
from vidagent.video.cache.video_cache import VideoCache
from vidagent.video.index.video_index import Index
from vidagent.video.video import Video

LIMIT = 1_000_000
VIDEOS = [f"{number:02x}" * 32 for number in range(30)]


@pytest.fixture
def cache(tmp_path) -> VideoCache:
    return VideoCache(tmp_path, LIMIT / 1e6)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def fill(cache: VideoCache, sha256: str) -> None:
    """Keep 100 kB of a video, half of it in the database, as one that was opened and closed."""
    end = cache.hold(sha256)
    cache.put_arrays(sha256, "activity", {"a": np.zeros(50_000, np.uint8)})
    cache.put_json(sha256, "scan", "x" * 50_000)
    cache.put_texts(sha256, [(1.0, "EXIT", None)])
    end()


def used(cache: VideoCache, sha256: str, at_s: float) -> None:
    os.utime(cache.folder / sha256[:2] / sha256, (at_s, at_s))


def there(cache: VideoCache, sha256: str) -> bool:
    """Say whether all of a video is there; never a part of it is."""
    parts = (
        cache.get_json(sha256, "scan") is not None,
        cache.get_arrays(sha256, "activity") is not None,
        cache.texts(sha256) != [],
    )
    assert len(set(parts)) == 1
    return parts[0]


def test_it_stays_within_the_limit_and_keeps_the_newest(cache):
    for number, sha256 in enumerate(VIDEOS):
        fill(cache, sha256)
        used(cache, sha256, number)
        assert size(cache.folder) < 1.05 * LIMIT
    kept = [there(cache, sha256) for sha256 in VIDEOS]
    assert kept == sorted(kept)
    assert 7 <= sum(kept) <= 10


def test_what_was_opened_again_stays(cache):
    for number, sha256 in enumerate(VIDEOS[:9]):
        fill(cache, sha256)
        used(cache, sha256, number)
    cache.hold(VIDEOS[0])()
    fill(cache, VIDEOS[9])
    fill(cache, VIDEOS[10])
    assert there(cache, VIDEOS[0])
    assert not there(cache, VIDEOS[1])


def test_what_is_held_stays_beyond_the_limit(cache):
    ends = [cache.hold(sha256) for sha256 in VIDEOS]
    for sha256 in VIDEOS:
        fill(cache, sha256)
    assert all(there(cache, sha256) for sha256 in VIDEOS)
    for end in ends:
        end()
    cache.put_json(VIDEOS[-1], "more", "x" * 50_000)
    assert size(cache.folder) < LIMIT


def test_no_limit_drops_nothing(tmp_path):
    cache = VideoCache(tmp_path)
    for sha256 in VIDEOS:
        fill(cache, sha256)
    assert all(there(cache, sha256) for sha256 in VIDEOS)


def test_arrays_that_are_being_read_outlive_their_file(cache):
    fill(cache, VIDEOS[0])
    arrays = cache.get_arrays(VIDEOS[0], "activity")
    for sha256 in VIDEOS[1:]:
        fill(cache, sha256)
    assert not there(cache, VIDEOS[0])
    assert arrays["a"].sum() == 0


HOLDER = textwrap.dedent(
    """
    import sys
    from vidagent.video.cache.video_cache import VideoCache

    VideoCache(sys.argv[1]).hold(sys.argv[2])
    print("held", flush=True)
    sys.stdin.read()
    """
)


def test_what_another_process_holds_stays_until_it_ends(cache, tmp_path):
    fill(cache, VIDEOS[0])
    used(cache, VIDEOS[0], 0)
    command = [sys.executable, "-c", HOLDER, str(tmp_path), VIDEOS[0]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        used(cache, VIDEOS[0], 0)
        for sha256 in VIDEOS[1:]:
            fill(cache, sha256)
        assert there(cache, VIDEOS[0])
        holder.kill()
    for sha256 in VIDEOS[1:]:
        fill(cache, sha256)
    assert not there(cache, VIDEOS[0])


FILLER = textwrap.dedent(
    """
    import random, sys
    import numpy as np
    from vidagent.video.cache.video_cache import VideoCache

    cache = VideoCache(sys.argv[1], 1)
    for number in range(40):
        sha256 = f"{random.randrange(30):02x}" * 32
        end = cache.hold(sha256)
        cache.put_arrays(sha256, "activity", {"a": np.zeros(50_000, np.uint8)})
        cache.put_json(sha256, "scan", "x" * 50_000)
        cache.put_texts(sha256, [(1.0, "EXIT", None)])
        assert cache.get_arrays(sha256, "activity")["a"].size == 50_000, number
        assert cache.get_json(sha256, "scan") and cache.texts(sha256), number
        end()
    """
)


def test_processes_that_fill_it_at_once_lose_nothing_that_they_hold(cache, tmp_path):
    fillers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", FILLER, str(tmp_path)], stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    assert [(filler.communicate(timeout=120)[1], filler.returncode) for filler in fillers] == [("", 0)] * 3
    assert size(cache.folder) < 1.5 * LIMIT
    assert sum(there(cache, sha256) for sha256 in VIDEOS) >= 5


def test_a_database_from_before_the_limit_is_made_smaller(tmp_path):
    old = VideoCache(tmp_path)
    for sha256 in VIDEOS:
        fill(old, sha256)
    for sha256 in VIDEOS[:2]:  # of these there are no arrays, and so no folder
        (old.folder / sha256[:2] / sha256 / "activity.arrays").unlink()
        (old.folder / sha256[:2] / sha256).rmdir()
    fill(VideoCache(tmp_path, LIMIT / 1e6), VIDEOS[-1])
    assert size(old.folder) < LIMIT
    assert old.get_json(VIDEOS[0], "scan") is None
    assert there(old, VIDEOS[-1])


def test_an_open_video_is_held_and_a_closed_one_is_not(cache, tmp_path):
    encode(tmp_path / "clip.mp4", range(0, 2000, 40))
    with Video.open(tmp_path / "clip.mp4") as video:
        Index(video, cache).report()
        used(cache, video.info.sha256, 0)
        for sha256 in VIDEOS:
            fill(cache, sha256)
        assert cache.get_arrays(video.info.sha256, "activity-6") is not None
        used(cache, video.info.sha256, 0)
    for sha256 in VIDEOS:
        fill(cache, sha256)
    assert cache.get_arrays(video.info.sha256, "activity-6") is None


def test_the_setting_holds_for_what_is_indexed_and_runs_are_no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("VIDAGENT_CACHE_MB", "0.018")  # an empty database is 16 kB
    record = tmp_path / "cache" / "runs" / "20260101-000000-000000" / "answer.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}" * 100_000)
    for number in range(5):
        encode(tmp_path / f"{number}.mp4", range(0, 400 + 40 * number, 40))
        assert set(api.index_video(tmp_path / f"{number}.mp4").seconds) == {"activity", "scan"}
    assert size(tmp_path / "cache" / "v1") < 18_000
    assert api.index_video(tmp_path / "4.mp4").seconds == {}
    assert set(api.index_video(tmp_path / "0.mp4").seconds) == {"activity", "scan"}
    assert record.is_file()


@pytest.mark.parametrize("value", ["0", "-1", "inf", "much"])
def test_a_bad_limit_is_named(monkeypatch, value):
    monkeypatch.setenv("VIDAGENT_CACHE_MB", value)
    with pytest.raises(UsageError, match=rf"setting cache_mb .*; got '{value}'"):
        api.index_video("clip.mp4")
