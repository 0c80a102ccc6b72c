"""`vidagent cache`: what is kept, and what clearing it leaves."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from vidagent.runs.recorder import Trace
from vidagent.video.cache.video_cache import VideoCache

ONE, OTHER = "ab" * 32, "cd" * 32
DONE, GOING = "20260101-000000-aaaaaa", "20260101-000001-bbbbbb"


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """Make a cache with two indexes, a run that is done, one that goes on and a file of somebody else."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(folder))
    monkeypatch.chdir(tmp_path)
    for sha256 in (ONE, OTHER):
        VideoCache(folder).put_json(sha256, "scan", [1] * 1000)
        VideoCache(folder).hold(sha256)()
    for run_id in (DONE, GOING):
        frames = folder / "runs" / run_id / "frames"
        frames.mkdir(parents=True)
        (frames / "one.jpg").write_bytes(b"x" * 1_000_000)
        (frames.parent / "trace.jsonl").write_text("{}")
    (folder / "runs" / "mine").mkdir()
    return folder


def runs_in(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "runs").iterdir())


def test_show(cache, command):
    lines = command("cache", "show").out.splitlines()
    assert lines[0] == f"folder    {cache}"
    assert lines[1].startswith("indexes   2 videos, ")
    assert lines[2] == "frames    2 runs, 2.0 MB"
    assert lines[3] == "runs      2 runs, 0.0 MB"
    assert lines[4].startswith("sessions  0 sessions, ")
    said = command("cache", "show", "--json").json()
    assert (said["folder"], said["frames"]) == (str(cache), {"count": 2, "bytes": 2_000_000})


def test_show_of_no_cache_makes_none(tmp_path, monkeypatch, command):
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path / "none"))
    assert command("cache", "show", "--json").json()["bytes"] == 0
    assert command("cache", "clear", "--yes").code == 0
    assert not (tmp_path / "none").exists()


def test_clear_leaves_what_is_in_use(cache, command):
    going = Trace(cache / "runs" / GOING / "trace.jsonl", 1, None)
    release = VideoCache(cache).hold(ONE)
    done = command("cache", "clear", "--yes")
    assert done.out.splitlines() == [
        "indexes   1 removed; 1 in use kept",
        "frames    1 removed; 1 in use kept",
        "runs      1 removed; 1 in use kept",
        "sessions  0 removed",
    ]
    assert runs_in(cache) == [GOING, "mine"]
    assert VideoCache(cache).get_json(ONE, "scan") is not None
    assert VideoCache(cache).get_json(OTHER, "scan") is None
    going.close()
    release()
    assert command("cache", "clear", "--yes", "--json").json()["cleared"][2] == {
        "kind": "runs",
        "removed": 1,
        "kept": 0,
    }
    assert runs_in(cache) == ["mine"]


def test_one_kind_is_cleared_alone(cache, command):
    assert command("cache", "clear", "frames", "--yes").out == "frames    2 removed\n"
    assert (cache / "runs" / DONE / "trace.jsonl").exists()
    assert not (cache / "runs" / DONE / "frames").exists()
    assert VideoCache(cache).get_json(ONE, "scan") is not None
    assert command("cache", "clear", "videos", "--yes").code == 2


@pytest.mark.parametrize(("typed", "left"), [("y\n", 0), ("n\n", 2), ("", 2)])
def test_it_asks_first(cache, command, monkeypatch, typed, left):
    terminal = io.StringIO(typed)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    done = command("cache", "clear", "runs")
    assert f"Remove this from {cache}? [y/N] " in done.err.replace("\n", "")
    assert len([name for name in runs_in(cache) if name != "mine"]) == left


def test_without_a_terminal_it_takes_yes(cache, command):
    done = command("cache", "clear")
    assert (done.code, done.out) == (2, "")
    assert done.err == "vidagent: nothing is removed without --yes where nobody can be asked\n"
    assert (cache / "runs" / DONE).exists()
