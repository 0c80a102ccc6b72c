"""Clips of every kind, made once for the session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vidagent
from tests.media.make import CLIPS, Clip
from tests.scripted_server import ScriptedServer
from vidagent.types import Answer


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
