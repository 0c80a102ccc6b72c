"""What every test stands on: no network, an environment of its own, and the folder of real videos."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vidagent
from tests.media.kept import FOLDER
from tests.media.make import CLIPS, Clip
from tests.scripted_server import ScriptedServer
from vidagent.types import Answer

ROOT = Path(__file__).resolve().parent.parent
VIDEOS = "VIDAGENT_TEST_VIDEOS"
LOOPBACK = ["127.0.0.1", "::1", "localhost"]
SLOW_TIMEOUT_S = 3600
COLOURS = {"NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}


def pytest_configure(config: pytest.Config) -> None:
    """Let signals end what the tests start, and give this run's processes a folder for what takes long to make.

    What is ignored here, by a shell in the background or nohup, would be ignored by every child; what is handled here
    is not.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)
    os.environ["VIDAGENT_PROBE_SERVER"] = "false"  # for fixtures that outlive a test, too
    if FOLDER not in os.environ:  # the workers of a run have it from the first process
        folder = tempfile.TemporaryDirectory(prefix="vidagent-tests-")
        os.environ[FOLDER] = folder.name
        config.add_cleanup(folder.cleanup)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Open only the loopback to tests marked `network`, no socket to others; give slow tests their time."""
    for item in items:
        if item.get_closest_marker("network"):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
        if item.get_closest_marker("slow") or item.get_closest_marker("vllm"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT_S))


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the developer's settings, cache and terminal out of the tests."""
    for name in list(os.environ):
        if (name.startswith("VIDAGENT_") and name != VIDEOS) or name in COLOURS:
            monkeypatch.delenv(name)
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("VIDAGENT_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))
    monkeypatch.setenv("VIDAGENT_PROBE_SERVER", "false")


@pytest.fixture(scope="session")
def videos() -> Path:
    """Return the folder of real videos, or skip the test where there is none."""
    folder = Path(os.environ.get(VIDEOS, ROOT.parent / "shared" / "videos"))
    if not (folder / "items.jsonl").is_file():
        # They are too large for the repository, and not ours to give on.
        pytest.skip(f"no real videos: set {VIDEOS} to their folder")
    return folder


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Clip]:
    """Return the function from a name in `CLIPS` to its clip."""
    folder, made = tmp_path_factory.mktemp("clips"), {}

    def make(name: str) -> Clip:
        if name not in made:
            made[name] = CLIPS[name](folder)
        return made[name]

    return make


@pytest.fixture
def few_frames(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the scripted model take few frames, for speed."""
    (tmp_path / "few.toml").write_text("frames_per_call = 6\noverview_frames = 9\n")
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "few.toml"))


@pytest.fixture
def ask(clip) -> Callable[..., tuple[Answer, ScriptedServer]]:
    """Return the function that asks a scripted model about a clip of 8 s."""

    def run(script: Any, question: str = "When is it seen?", **options: Any) -> tuple[Answer, ScriptedServer]:
        with ScriptedServer(script) as server:
            path = options.pop("path", None) or clip("h264").path
            found = vidagent.analyze_video(path, question, base_url=server.url, model="scripted", **options)
        return found, server

    return run
