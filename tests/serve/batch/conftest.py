"""Drawn clips, inputs, and a scripted model for batches."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.graphs.scripts import answer, clip_look, observation
from tests.media.make import encode
from tests.scripted_server import calls, labelled_images, parts, routes, says, step_of
from tests.serve.conftest import Done, command

__all__ = ["command"]

MODEL = ["--model", "scripted"]
WAIT_S = 120


def script(body: dict[str, Any]) -> dict[str, Any]:
    """Reply by what the request holds alone; a direct question is told how many pictures it has."""
    step = step_of(body)
    if step is None:
        return says(f"B. {len(pictures(body))} pictures")
    if step == "route":
        return routes("locate")
    if step == "plan":
        turns = [[clip_look(1, 3)], [answer()]]
        return calls(*turns[min(sum(one["role"] == "assistant" for one in body["messages"]), 1)])
    if step == "look":
        return says(observation(times=[labelled_images(body)[0][0]]))
    if step == "verify":
        return says('{"why": "because", "verdict": "supported", "confidence": 0.8}')
    return says('{"answer": "Composed from the claims.", "choice": null, "confidence": 0.9}')


def pictures(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pictures of a request."""
    return [part for part in parts(body) if part["type"] == "image_url"]


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> Path:
    """Return a folder with three clips of 4 s."""
    folder = tmp_path_factory.mktemp("clips")
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        encode(folder / name, tuple(40 * number for number in range(100)))
    return folder


@pytest.fixture
def batch(command, clips, tmp_path) -> Callable[..., Done]:
    """Return a function that runs a batch over lines, into `tmp_path / "out.jsonl"`."""

    def run(lines: list[dict[str, Any] | str], *arguments: str) -> Done:
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (tmp_path / "in.jsonl").write_text("\n".join([*texts, ""]))
        return command(*command_line(tmp_path, clips), *arguments)

    return run


@pytest.fixture
def results(tmp_path) -> Callable[[], list[dict[str, Any]]]:
    """Return a function that reads the output."""
    return lambda: [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]


def command_line(folder: Path, clips: Path) -> list[str]:
    """Return the arguments of every batch."""
    return ["batch", str(folder / "in.jsonl"), "-o", str(folder / "out.jsonl"), "--video-root", str(clips)]


def write_lines(folder: Path, lines: list[dict[str, Any]]) -> None:
    """Write the input of `command_line`."""
    (folder / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def slowly(seconds: float) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return the script with a wait before each reply."""

    def reply(body: dict[str, Any]) -> dict[str, Any]:
        time.sleep(seconds)
        return script(body)

    return reply


def process(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "vidagent", *arguments]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def written(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for(path: Path, lines: int, running: subprocess.Popen[str]) -> None:
    until_s = time.monotonic() + WAIT_S
    while written(path) < lines and running.poll() is None and time.monotonic() < until_s:
        time.sleep(0.01)
    assert written(path) >= lines


def interrupt(running: subprocess.Popen[str]) -> None:
    """Press Ctrl-C; it ends with a word, and no traceback."""
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=WAIT_S)
    assert (running.returncode, said.splitlines()[-1]) == (130, "vidagent: interrupted")
    assert "Traceback" not in said
