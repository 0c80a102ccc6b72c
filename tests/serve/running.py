"""A server that runs in this process, on a free port of the loopback, and is asked by real HTTP."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from tests.graphs.scripts import Script, answer, clip_look
from tests.scripted_server import Raw, step_of
from vidagent.serve.core.http.options import ServerOptions
from vidagent.serve.core.http.server import AnnouncingServer
from vidagent.serve.rest.app import make

QUESTION = "When is it seen?"
PATIENCE = float(os.environ.get("VIDAGENT_TEST_PATIENCE", "1"))
"""How much longer than on an idle machine these tests wait for what is to happen."""


class Plays:
    """A model's script that starts anew for each run, and may be told to hold the planner's replies back."""

    def __init__(self) -> None:
        self.slow = False
        self.draft = answer()

    def __call__(self, body):
        if self.slow and step_of(body) == "plan":
            return Raw(b" " * 400, drip_s=0.02)
        script = Script([clip_look(1, 3)], [self.draft])
        script.planned = int(any(message["role"] == "tool" for message in body["messages"]))
        return script(body)


@contextlib.contextmanager
def running(data_dir: Path, *, app: FastAPI | None = None, **options) -> Iterator[httpx.Client]:
    """Serve with these options, and give a client of the server."""
    settings = ServerOptions(port=0, data_dir=data_dir, **{"insecure_local": True, "drain_s": 1.0, **options})
    server = AnnouncingServer(app or make(settings), settings, "serving {url}")
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    _wait(server, thread)
    try:
        with httpx.Client(base_url=server.url, timeout=60 * PATIENCE) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the server does not end"


@contextlib.contextmanager
def process(data_dir: Path, *flags: str, **env: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve in a process of its own; give the server's URL and the process, whose log is on its stderr."""
    command = [sys.executable, "-m", "vidagent", "serve", "--insecure-local", "--port", "0", *flags]
    with subprocess.Popen(
        [*command, "--data-dir", str(data_dir)], stderr=subprocess.PIPE, text=True, env={**os.environ, **env}
    ) as serving:
        lines: list[str] = []
        while not (lines and lines[-1].startswith("vidagent: serving http://127.0.0.1:")):
            lines.append(serving.stderr.readline())
            assert lines[-1], lines
        try:
            yield re.search(r"http://[\d.:]+", lines[-1])[0], serving
        finally:
            serving.terminate()


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + 30 * PATIENCE
    while not server.started:
        assert thread.is_alive(), "the server has ended"
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.01)


def until(true, seconds: float = 5.0) -> float:
    """Wait until something is true, and return the seconds that it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds * PATIENCE, "it does not come true"
        time.sleep(0.01)
    return time.monotonic() - began
