"""Thoughts and the answer as they come: what a person sees on the way, and what is left on the screen."""

from __future__ import annotations

import codecs
import fcntl
import functools
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.graphs.scripts import Script, answer, clip_look
from tests.media.make import encode
from tests.scripted_server import ScriptedServer
from tests.serve.cli.test_app import FAKE_RUN
from tests.serve.terminal.screen import Screen

_REDRAWN = re.compile(r"(?=\r\x1b\[2K)")
"""Where a screen is about to be drawn anew: a slow reader gets several in one piece."""
SIZES = [(100, 30), (80, 10), (41, 24), (24, 8), (3, 3)]


@dataclass(frozen=True)
class Watched:
    """A command that was watched: its exit code, stdout if that was no terminal, and the screen as it changed."""

    code: int
    out: str
    screen: Screen
    shots: list[list[str]]

    def sees(self, *words: str) -> bool:
        """Tell whether all of some words stood on the screen at once, and are gone in the end."""
        at_once = any(all(any(word in line for line in shot) for word in words) for shot in self.shots)
        return at_once and not any(word in line for word in words for line in self.screen.lines)


def watched(
    command: list[str], *, columns: int = 100, rows: int = 30, piped: bool = False, **environment: str
) -> Watched:
    """Run a command whose stderr is a terminal, and its stdout too unless it is piped."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    variables = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    screen, shots, decoder = Screen(columns, rows), [], codecs.getincrementaldecoder("utf-8")()
    with subprocess.Popen(
        command,
        stdin=theirs, stdout=subprocess.PIPE if piped else theirs, stderr=theirs, cwd=ROOT, text=True,
        env=variables | {"TERM": "xterm-256color"} | environment,
    ) as process:  # fmt: skip
        os.close(theirs)
        try:
            while piece := os.read(ours, 4096):
                for drawn in _REDRAWN.split(decoder.decode(piece)):
                    screen.feed(drawn)
                    shots.append(screen.lines)
        except OSError:  # how Linux says that the other end is closed
            pass
        finally:
            os.close(ours)
        out = process.stdout.read() if process.stdout else ""
    return Watched(process.returncode, out, screen, shots)


def fake(*arguments: str, outcome: str = "") -> list[str]:
    """Return the command that asks a stand-in, which streams nasty words if it is asked to."""
    return [
        sys.executable,
        "-c",
        FAKE_RUN.format(arguments=("ask", "clip.mp4", "When?", *arguments), outcome=outcome),
    ]


@functools.cache
def plain() -> str:
    """Return what the same command writes where nothing moves."""
    done = subprocess.run(fake(), cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return done.stderr + done.stdout


def test_thoughts_and_the_answer_are_seen_as_they_come():
    seen = watched(fake())
    assert seen.code == 0
    assert seen.sees("verifying 1 claim thought 0, ")
    assert seen.sees("verifying 1 claim …", "thought 3, ")
    assert seen.sees("'SALE' is shown �[2J�]0;owned� �31m", "東京")
    assert seen.sees("long long long")
    assert seen.screen.cursor_shown


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_nothing_of_it_is_left(columns, rows):
    seen = watched(fake(), columns=columns, rows=rows)
    assert seen.code == 0
    screen = Screen(columns, rows)
    screen.feed(plain().replace("\n", "\r\n"))
    assert seen.screen.lines == screen.lines
    assert len(seen.shots) > 15


def test_the_answer_is_printed_once_and_on_stdout_alone():
    seen = watched(fake(), piped=True)
    assert seen.out.splitlines()[0] == "'SALE' is shown from 0:37.480 to 0:37.880."
    assert seen.out.count("'SALE'") == 1
    assert "\x1b" not in seen.out
    assert seen.sees("'SALE' is shown")
    assert seen.screen.lines[-1].startswith("cost  ")


def test_json_for_a_pipe_and_progress_for_the_person():
    seen = watched(fake("--json"), piped=True)
    assert seen.out.count("\n") == 1
    assert seen.out.startswith('{"status": "answered"')
    assert seen.sees("'SALE' is shown")


def test_verbose_keeps_the_events_and_no_word():
    seen = watched(fake("-v"))
    assert seen.sees("long long long")
    assert "step      verifying 1 claim" in seen.screen.lines
    assert not any(line.startswith(("thought", "token")) for line in seen.screen.lines)


def test_ctrl_c_amid_the_answer_leaves_a_clean_screen():
    seen = watched(fake(outcome="KeyboardInterrupt()"))
    assert seen.code == 130
    assert seen.sees("long long long")
    assert seen.screen.lines[-1] == "vidagent: interrupted"
    assert seen.screen.cursor_shown


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    encode(path, range(0, 4000, 40))
    return path


@pytest.mark.network
@pytest.mark.parametrize(
    ("kind", "streamed"),
    [
        ("a terminal", True),
        ("-q", False),
        pytest.param("a dumb terminal", False, marks=pytest.mark.slow),
        ("a pipe", False),
        pytest.param("a colourful pipe", False, marks=pytest.mark.slow),
    ],
)
def test_words_are_asked_for_one_by_one_only_where_somebody_looks(clip, kind, streamed):
    with ScriptedServer(Script([clip_look(1, 3)], [answer()])) as server:
        command = [sys.executable, "-m", "vidagent", "ask", str(clip), "When?", "--base-url", server.url]
        command += ["--model", "scripted", *(["-q"] if kind == "-q" else [])]
        if "pipe" in kind:
            colours = {"FORCE_COLOR": "1"} if "colourful" in kind else {}
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=60, env=os.environ | colours
            )
            assert ("\x1b[2K" in done.stderr, done.returncode) == (False, 0)
        else:
            assert watched(command, **({"TERM": "dumb"} if "dumb" in kind else {})).code == 0
    asked = [step for step, body in zip(server.steps, server.bodies, strict=True) if body.get("stream")]
    assert asked == (["plan", "plan", "verify"] if streamed else [])
    assert len(server.bodies) == 5
