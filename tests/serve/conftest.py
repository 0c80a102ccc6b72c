"""Fixtures of the doors: a stand-in for the API, a way to run commands, and a REST server with a scripted model."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

import vidagent
from tests.media.make import encode
from tests.scripted_server import ScriptedServer
from tests.serve.answers import FakeApi
from tests.serve.core.storage.test_keys import tenants  # noqa: F401 - pytest finds the fixture by its name
from tests.serve.running import Plays, running
from tests.video.texts.test_finder import clip, write
from vidagent.serve.cli import app
from vidagent.serve.terminal import console


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """Return the one object on stdout."""
        return json.loads(self.out)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """Put a stand-in in the place of `vidagent.api`."""
    fake = FakeApi()
    monkeypatch.setitem(sys.modules, "vidagent.api", fake)
    monkeypatch.setattr(vidagent, "api", fake, raising=False)
    return fake


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Return a function that runs a command line in this process."""
    console.stdout.cache_clear()
    console.stderr.cache_clear()

    def call(*arguments: str) -> Done:
        code = app.run(arguments)
        said = capfd.readouterr()
        return Done(code, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def root(tmp_path_factory) -> Path:
    """Return a folder that has `clip.mp4` of 4 s in it."""
    folder = tmp_path_factory.mktemp("root")
    encode(folder / "clip.mp4", range(0, 4000, 40))
    return folder


@pytest.fixture
def text_clip(tmp_path) -> Path:
    """Return a folder with `text.mp4`, in whose second half another line of text appears."""

    def drawn(number, picture):
        write(picture, "Total 42", (60, 100))
        if number >= 25:
            write(picture, "Second line", (60, 200))

    folder = tmp_path / "texts"
    folder.mkdir()
    clip(folder / "text.mp4", 50, drawn)
    return folder


@pytest.fixture
def plays() -> Plays:
    return Plays()


@pytest.fixture
def model(plays, monkeypatch):
    """Run a scripted model, and have questions go to it."""
    with ScriptedServer(plays) as server:
        monkeypatch.setenv("VIDAGENT_BASE_URL", server.url)
        monkeypatch.setenv("VIDAGENT_MODEL", "scripted")
        yield server


@pytest.fixture
def client(model, root, tmp_path):
    """Serve the folder, without keys."""
    with running(tmp_path, roots=(root,), batch=3) as client:
        yield client


@pytest.fixture(scope="module")
def refusing(root, tmp_path_factory) -> Iterator[tuple[httpx.Client, ScriptedServer]]:
    """Serve the folder for a module's requests that are refused; give the client, and the model that nobody asks."""
    with pytest.MonkeyPatch.context() as patch, ScriptedServer(Plays()) as model:
        patch.setenv("VIDAGENT_BASE_URL", model.url)
        patch.setenv("VIDAGENT_MODEL", "scripted")
        patch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        with running(tmp_path_factory.mktemp("data"), roots=(root,), batch=3) as client:
            yield client, model
