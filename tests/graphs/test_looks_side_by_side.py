"""Looks of one turn run at once, but no more than the profile says."""

from __future__ import annotations

import json
import threading
import time

import pytest

from tests.graphs.scripts import Script, answer, clip_look
from tests.scripted_server import step_of, tool_results

pytestmark = pytest.mark.network


class Watched:
    """Plays a script slowly, and counts the looks that wait for it at the same time."""

    def __init__(self, script: Script) -> None:
        self.script, self.now, self.most = script, 0, 0
        self._lock = threading.Lock()

    def __call__(self, body):
        if step_of(body) != "look":
            return self.script(body)
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.4)
        with self._lock:
            self.now -= 1
        return self.script(body)


@pytest.mark.parametrize("looks", [1, 3])
def test_as_many_as_the_profile_says(ask, looks, monkeypatch, tmp_path):
    (tmp_path / "own.toml").write_text(f"look_concurrency = {looks}\n")
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "own.toml"))
    script = Watched(Script([clip_look(n, n + 1) for n in range(5)], [answer()]))
    found, server = ask(script)
    assert script.most == looks
    assert found.status == "answered"
    assert (found.usage.rounds < found.usage.model_calls) == (looks > 1)
    results = tool_results([body for body in server.bodies if step_of(body) == "plan"][-1])
    assert [json.loads(result)["id"] for result in results] == ["L1", "L2", "L3", "L4", "L5"]
