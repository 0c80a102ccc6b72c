"""What a person at a terminal sees, tried on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.serve.cli.test_app import FAKE_RUN, fake_process

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOURS = re.compile(r"\x1b\[[0-9;]*3[0-7][0-9;]*m")


def on_terminal(*arguments: str, outcome: str = "", **environment: str) -> tuple[int, str]:
    """Run a command whose stdin, stdout and stderr are a terminal; return its code and all it wrote."""
    code = FAKE_RUN.format(arguments=arguments, outcome=outcome)
    ours, theirs = pty.openpty()
    variables = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT,
        env=variables | {"TERM": "xterm-256color", "COLUMNS": "100"} | environment,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    return process.wait(30), said.decode()


def test_a_terminal_gets_colour_and_a_status_line():
    code, said = on_terminal("ask", "clip.mp4", "When?")
    assert code == 0
    assert COLOURS.search(said)
    assert "opening the video" in said
    plain = ESCAPES.sub("", said)
    assert "looked    clip 0:34.000 to 0:40.000, 24 frames at 4 fps; found: SALE at 37.480 s" in plain
    assert "'SALE' is shown from 0:37.480 to 0:37.880." in plain
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h") == 1  # the cursor comes back


def test_no_color_is_honoured():
    code, said = on_terminal("ask", "clip.mp4", "When?", NO_COLOR="1")
    assert code == 0
    assert not COLOURS.search(said)


def test_a_dumb_terminal_gets_plain_lines():
    code, said = on_terminal("ask", "clip.mp4", "When?", TERM="dumb")
    assert code == 0
    assert "\x1b" not in said
    assert "opening the video" not in said


def test_json_on_a_terminal_is_indented():
    _, said = on_terminal("ask", "clip.mp4", "When?", "-q", "--json")
    assert '\n  "status": "answered"' in said.replace("\r", "")


@pytest.mark.parametrize("where", ["in the run", "under the status line"])
def test_ctrl_c(where):
    outcome = "lambda path: (print('here', flush=True), __import__('time').sleep(30))"
    quiet = ["-q"] if where == "in the run" else []
    process = fake_process(
        "ask", "clip.mp4", "When?", *quiet, outcome=outcome, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    said, complaint = process.communicate(timeout=10)
    assert (process.returncode, said) == (130, "")
    assert complaint.endswith("vidagent: interrupted\n")
    assert "Traceback" not in complaint
