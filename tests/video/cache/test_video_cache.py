import logging
import sqlite3
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from vidagent.video.cache.video_cache import FoundText, VideoCache, default_folder

ONE, TWO = "a1" * 32, "b2" * 32


@pytest.fixture
def cache(tmp_path):
    return VideoCache(tmp_path / "cache")


def _files(cache):
    return [path for path in cache.folder.rglob("*") if path.is_file()]


def test_values_are_kept_by_video_and_key(cache):
    value = {"duration_s": 60.04, "cuts_s": [6.0, 16.0], "name": "Größe ✓", "none": None}
    cache.put_json(ONE, "probe", value)
    cache.put_json(ONE, "shots", [1])
    assert VideoCache(cache.folder.parent).get_json(ONE, "probe") == value
    assert cache.get_json(ONE, "shots") == [1]
    assert cache.get_json(TWO, "probe") is None
    cache.put_json(ONE, "probe", 2)
    assert cache.get_json(ONE, "probe") == 2


def test_arrays_are_kept_by_video_and_key(cache):
    arrays = {"times_s": np.arange(5) / 25, "keyframes": np.array([True, False])}
    cache.put_arrays(ONE, "packets", arrays)
    back = VideoCache(cache.folder.parent).get_arrays(ONE, "packets")
    assert all(np.array_equal(back[name], array) for name, array in arrays.items())
    assert isinstance(back["times_s"], np.memmap)
    assert cache.get_arrays(TWO, "packets") is None


def test_texts_are_kept_once_and_come_by_time(cache):
    cache.put_texts(ONE, [(9.5, "EXIT", (1, 2, 3, 4)), (2.0, "GATE 7", None)])
    cache.put_texts(ONE, [FoundText(9.5, "EXIT", (1, 2, 3, 4)), FoundText(9.5, "EXIT", (5, 6, 7, 8))])
    cache.put_texts(TWO, [(1.0, "OTHER", None)])
    assert cache.texts(ONE) == [
        (2.0, "GATE 7", None),
        (9.5, "EXIT", (1, 2, 3, 4)),
        (9.5, "EXIT", (5, 6, 7, 8)),
    ]
    assert cache.texts("c3" * 32) == []


def test_reading_makes_nothing(cache):
    assert cache.get_json(ONE, "probe") is None
    assert cache.get_arrays(ONE, "packets") is None
    assert cache.texts(ONE) == []
    assert not cache.folder.exists()


@pytest.mark.parametrize("key", ["", "../x", ".hidden", "a/b", "x" * 101])
def test_odd_keys_are_refused(cache, key):
    for call in (cache.get_json, cache.get_arrays):
        with pytest.raises(ValueError, match="cache key"):
            call(ONE, key)


@pytest.mark.parametrize("sha256", ["", "../" + "a" * 61, "A1" * 32])
def test_odd_hashes_are_refused(cache, sha256):
    with pytest.raises(ValueError, match="64 hex digits"):
        cache.get_arrays(sha256, "probe")
    with pytest.raises(ValueError, match="64 hex digits"):
        cache.texts(sha256)


def test_the_default_folder_is_the_users_unless_named(monkeypatch, tmp_path):
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path / "mine"))
    assert default_folder() == tmp_path / "mine"
    VideoCache().put_json(ONE, "probe", 1)
    assert (tmp_path / "mine" / "v1" / "index.sqlite3").is_file()
    monkeypatch.delenv("VIDAGENT_CACHE_DIR")
    assert default_folder() == Path(platformdirs.user_cache_dir("vidagent", appauthor=False))


def test_a_folder_that_cannot_be_written_is_gone_without(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    cache = VideoCache(tmp_path / "file" / "cache")
    with caplog.at_level(logging.WARNING):
        cache.put_json(ONE, "probe", 1)
        cache.put_arrays(ONE, "packets", {"a": np.zeros(1)})
        cache.put_texts(ONE, [(1.0, "EXIT", None)])
    assert len(caplog.records) == 1  # said once, not for each entry
    assert "continuing without the cache" in caplog.text
    assert cache.get_json(ONE, "probe") is None
    assert cache.get_arrays(ONE, "packets") is None
    assert cache.texts(ONE) == []


def _nonsense(path):
    path.write_bytes(b"no database at all" * 1000)


def _cut(path):
    path.write_bytes(path.read_bytes()[:5000])


def _empty(path):
    path.write_bytes(b"")


def _scrambled(path):
    whole = bytearray(path.read_bytes())
    whole[4096:] = bytes(byte ^ 0xA5 for byte in whole[4096:])
    path.write_bytes(whole)


def _tables_gone(path):
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE entries")
        connection.execute("DROP TABLE texts")
    connection.close()


@pytest.mark.parametrize("damage", [_nonsense, _cut, _empty, _scrambled, _tables_gone])
def test_a_damaged_database_is_started_anew(cache, damage):
    for n in range(300):
        cache.put_json(ONE, f"key{n}", "x" * 200)
    cache.put_texts(ONE, [(1.0, "EXIT", None)])
    damage(cache.folder / "index.sqlite3")
    assert cache.get_json(ONE, "key1") is None
    assert cache.texts(ONE) == []
    cache.put_json(ONE, "key1", "new")
    cache.put_texts(ONE, [(2.0, "ENTRY", None)])
    assert VideoCache(cache.folder.parent).get_json(ONE, "key1") == "new"
    assert cache.texts(ONE) == [(2.0, "ENTRY", None)]


def test_a_damaged_value_counts_as_absent(cache):
    cache.put_json(ONE, "probe", {"a": 1})
    with sqlite3.connect(cache.folder / "index.sqlite3") as connection:
        connection.execute("UPDATE entries SET value = '{\"a\": '")
    connection.close()
    assert cache.get_json(ONE, "probe") is None
    cache.put_json(ONE, "probe", {"a": 2})
    assert cache.get_json(ONE, "probe") == {"a": 2}


def test_damaged_arrays_count_as_absent_and_are_made_anew(cache, caplog):
    cache.put_arrays(ONE, "packets", {"sizes": np.arange(1000)})
    (path,) = _files(cache)
    whole = path.read_bytes()
    for damaged in (whole[:-8], whole[:-8] + b"ouch!!!!", b"", b"nonsense"):
        path.write_bytes(damaged)
        assert cache.get_arrays(ONE, "packets") is None
    assert len(caplog.records) == 3  # two of them are the same words
    cache.put_arrays(ONE, "packets", {"sizes": np.arange(1000)})
    assert cache.get_arrays(ONE, "packets")["sizes"][999] == 999


def test_a_database_held_by_another_is_waited_for(cache):
    cache.put_json(ONE, "probe", 1)
    holder = sqlite3.connect(cache.folder / "index.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        put = pool.submit(cache.put_json, ONE, "probe", 2)
        assert cache.get_json(ONE, "probe") == 1
        holder.execute("COMMIT")
        put.result(timeout=10)
    holder.close()
    assert cache.get_json(ONE, "probe") == 2


def test_threads_share_one_cache(cache):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: cache.put_json(ONE, f"key{n}", n), range(60)))
        assert list(pool.map(lambda n: cache.get_json(ONE, f"key{n}"), range(60))) == list(range(60))


WORKER = textwrap.dedent(
    """
    import sys, time
    import numpy as np
    from vidagent.video.cache.video_cache import VideoCache

    folder, name, count, begin = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    time.sleep(max(0, begin - time.time()))
    sha256 = "a1" * 32
    cache = VideoCache(folder)
    for n in range(count):
        cache.put_json(sha256, f"{name}.{n}", n)
        cache.put_json(sha256, "shared", {"by": name, "fill": "x" * 3000})
        cache.put_texts(sha256, [(float(n), "SAME", None), (float(n), name, (1, 2, 3, 4))])
        cache.put_arrays(sha256, "packets", {"n": np.full(20_000, n), "name": np.full(9, ord(name))})
        assert cache.get_json(sha256, f"{name}.{n}") == n, n
        assert len(cache.get_json(sha256, "shared")["fill"]) == 3000
        arrays = cache.get_arrays(sha256, "packets")
        assert (arrays["n"] == arrays["n"][0]).all() and arrays["n"].size == 20_000
    """
)


def _run_together(folder, names, count):
    begin = str(time.time() + 1.0)
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", WORKER, str(folder), name, str(count), begin],
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    return [(worker.communicate(timeout=60)[1], worker.returncode) for worker in workers]


def test_processes_write_at_once_and_lose_nothing(tmp_path):
    assert _run_together(tmp_path, "xyz", 40) == [("", 0)] * 3
    cache = VideoCache(tmp_path)
    assert all(cache.get_json(ONE, f"{name}.{n}") == n for name in "xyz" for n in range(40))
    assert len(cache.texts(ONE)) == 4 * 40
    assert not list(tmp_path.rglob("*.part"))


def test_processes_that_find_it_damaged_at_once_start_it_anew_once(tmp_path):
    cache = VideoCache(tmp_path)
    cache.put_json(ONE, "old", 1)
    _nonsense(cache.folder / "index.sqlite3")
    results = _run_together(tmp_path, "xyz", 10)
    assert [code for _, code in results] == [0, 0, 0], results
    assert cache.get_json(ONE, "old") is None
    assert all(cache.get_json(ONE, f"{name}.{n}") == n for name in "xyz" for n in range(10))


def test_a_process_killed_in_the_middle_does_no_harm(tmp_path):
    begin = str(time.time())
    command = [sys.executable, "-c", WORKER, str(tmp_path), "x", "100000", begin]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as worker:
        cache = VideoCache(tmp_path)
        deadline = time.monotonic() + 20
        while cache.get_json(ONE, "x.5") is None and time.monotonic() < deadline:
            time.sleep(0.02)
        worker.kill()
    assert cache.get_json(ONE, "x.5") == 5
    cache.put_json(ONE, "after", 1)
    assert cache.get_json(ONE, "after") == 1
    assert cache.get_arrays(ONE, "packets")["n"].size == 20_000
