"""A full or read-only disk: a question ends in an answer or a typed error; nothing half-written is trusted."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

import vidagent
from tests.video.drawn import draw
from vidagent.errors import UsageError

pytestmark = pytest.mark.network
QUESTION = 'When is the text "PIER 94" shown?'
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("drawn"))


@pytest.fixture
def tmpfs(tmp_path):
    """Return a function that mounts a small file system, or makes it larger or read-only."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = False

    def mount(options: str) -> Path:
        nonlocal mounted
        options = f"remount,{options}" if mounted else options
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this user may not mount file systems")
        mounted = True
        return folder

    yield mount
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


def ask(clip):
    return vidagent.analyze_video(clip.path, QUESTION, model="signals")


def found(answer, clip) -> bool:
    return bool(answer.spans) and abs(answer.spans[0].start_s - clip.text.start_s) < 0.1


@pytest.mark.parametrize(
    "size", ["8k", *(pytest.param(size, marks=pytest.mark.slow) for size in ("64k", "512k", "4m")), "ro"]
)
def test_a_small_cache_is_done_without_and_not_trusted_later(size, clip, tmpfs, monkeypatch, caplog):
    folder = tmpfs("size=1m,ro" if size == "ro" else f"size={size}")
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(folder))
    with caplog.at_level(logging.WARNING):
        assert found(ask(clip), clip)
    assert "the run is kept in" in caplog.text
    tmpfs("size=64m,rw")
    caplog.clear()
    assert found(ask(clip), clip)
    assert "the run is kept in" not in caplog.text
    folders = [path for path in folder.rglob("*") if path.is_dir()]
    assert folders
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


def test_where_there_is_little_room_the_run_is_kept_elsewhere(clip, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 40, 1 << 40, 1 << 20))
    with caplog.at_level(logging.WARNING):
        assert found(ask(clip), clip)
    assert "1.0 MB are free there, and a run may take 16 MB" in caplog.text


def test_a_disk_that_fills_during_a_run_is_a_typed_error(clip, tmp_path):
    """A limit on the size of files stands for the full disk."""
    code = (
        "import resource, sys, vidagent\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))\n"
        "try:\n"
        "    vidagent.analyze_video(sys.argv[1], sys.argv[2], model='signals')\n"
        "except vidagent.UsageError as error:\n"
        "    print(error)\n"
    )
    environment = {**os.environ, "VIDAGENT_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(clip.path), QUESTION],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cannot be kept in" in done.stdout
    assert "VIDAGENT_CACHE_DIR" in done.stdout


def test_without_any_folder_it_is_a_typed_error(clip, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path / "file" / "cache"))

    def none(**_):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.mkdtemp", none)
    with pytest.raises(UsageError, match="a run can be kept neither in"):
        ask(clip)
