"""A folder with a small video, a scripted model that the server's questions go to, and a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.graphs.scripts import Script, answer, clip_look
from tests.media.make import encode
from tests.scripted_server import Raw, ScriptedServer, step_of
from tests.serve.rest.running import running

QUESTION = "When is it seen?"


class Plays:
    """A model's script that starts anew for each run, and may be told to hold the planner's replies back."""

    def __init__(self) -> None:
        self.slow = False

    def __call__(self, body):
        if self.slow and step_of(body) == "plan":
            return Raw(b" " * 400, drip_s=0.02)
        script = Script([clip_look(1, 3)], [answer()])
        script.planned = int(any(message["role"] == "tool" for message in body["messages"]))
        return script(body)


@pytest.fixture(scope="session")
def root(tmp_path_factory) -> Path:
    """Return a folder that has `clip.mp4` of 4 s in it."""
    folder = tmp_path_factory.mktemp("root")
    encode(folder / "clip.mp4", range(0, 4000, 40))
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
