"""`vidagent vlm serve` as a process, with a stand-in for vLLM: health, restarts, ends, and what it says."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.serve.vlm.fake_vllm import FakeVllm, free_port, install, runs, serving

pytestmark = pytest.mark.network


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "server.log"


@pytest.fixture
def arguments(tmp_path: Path, port: int, log: Path) -> list[str]:
    return ["tiny", "--vllm", str(tmp_path / "vllm"), "--port", str(port), "--log", str(log)]


def ended(fake: FakeVllm) -> bool:
    """Tell that something was started, and nothing of it runs."""
    return bool(fake.starts) and not fake.alive


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
def test_served_until_a_signal_and_nothing_is_left(tmp_path, arguments, port, log, number, code):
    fake = install(tmp_path)
    with serving(*arguments) as run:
        run.until("healthy ")
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/health").status == 200
        assert len(fake.alive) == 2
        assert run.end(number) == code
    assert ended(fake)
    assert f"serving   tiny at http://127.0.0.1:{port}/v1\n" in run.said
    assert f"ask       vidagent ask VIDEO QUESTION --base-url http://127.0.0.1:{port}/v1\n" in run.said
    assert f"log       {log}\n" in run.said
    assert "ended     the server\n" in run.said
    assert ("vidagent: interrupted" in run.said) == (code == 130)
    assert "Starting to load model x" in log.read_text()


def test_what_is_started_is_what_is_printed(tmp_path, arguments, command):
    fake = install(tmp_path)
    with serving(*arguments, "--pruning", "0.5", "--", "--seed", "7") as run:
        run.until("healthy ")
        run.end(signal.SIGINT)
    (start,) = fake.starts
    printed = command("vlm", "serve", *arguments, "--pruning", "0.5", "--print", "--", "--seed", "7").out
    assert [str(fake.path), *start["argv"]] == printed.replace("\\\n", "").replace("'", "").split()


def test_a_stubborn_server_is_killed_by_a_second_ctrl_c(tmp_path, arguments):
    fake = install(tmp_path, stubborn=True)
    with serving(*arguments) as run:
        run.until("healthy ")
        run.process.send_signal(signal.SIGINT)
        run.until("ending ")
        time.sleep(1)
        assert run.process.poll() is None
        assert run.end(signal.SIGINT) == 130
    assert ended(fake)
    assert run.said.endswith("killed    the server: it did not end by itself\nvidagent: interrupted\n")


def test_ctrl_c_while_it_starts(tmp_path, arguments):
    fake = install(tmp_path, delay_s=60)
    with serving(*arguments) as run:
        run.until("loading weights")
        assert run.end(signal.SIGINT) == 130
    assert ended(fake)
    assert run.said.splitlines()[-4:] == [
        "starting  loading weights",
        "ending    the server; once more kills it",
        "ended     the server",
        "vidagent: interrupted",
    ]


def test_a_signal_at_any_moment_of_a_wait_is_taken():
    """Send one at each line that runs during a wait; a handler that takes the lock of the wait never returns."""
    code = """
import signal, sys
from vidagent.serve.vlm.launcher import _Interruption

def at_each_line(frame, event, arg):
    signal.raise_signal(signal.SIGHUP)
    return at_each_line

with _Interruption() as interruption:
    sys.settrace(at_each_line)
    came = interruption.wait(0)
    sys.settrace(None)
    assert came and interruption.asked() and interruption.again()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_a_server_that_dies_before_it_is_healthy_is_a_model_error(tmp_path, arguments, log):
    words = "\n".join(
        [
            "Traceback (most recent call last):",
            '(APIServer pid=1) ERROR 11-21 12:00:00 [core.py:1]   File "x.py", line 1',
            "(APIServer pid=1) ERROR 11-21 12:00:00 [core.py:1] torch.OutOfMemoryError: CUDA out of memory.",
            "RuntimeError: Engine core initialization failed.",
        ]
    )
    fake = install(tmp_path, dies_early=[1], last_words=words)
    with serving(*arguments) as run:
        assert run.wait() == 4
    assert ended(fake)
    assert len(fake.starts) == 1
    assert run.said.endswith(
        "          torch.OutOfMemoryError: CUDA out of memory.\n"
        "          RuntimeError: Engine core initialization failed.\n"
        f"vidagent: the server died before it was healthy, exit code 3; log: {log}\n"
    )


def test_without_an_error_the_last_lines_are_shown(tmp_path, arguments):
    install(tmp_path, dies_early=[1], last_words="\n".join(f"line {number}" for number in range(20)))
    with serving(*arguments) as run:
        assert run.wait() == 4
    shown = [line.strip() for line in run.said.splitlines() if line.startswith("    ")]
    assert shown == [f"line {number}" for number in range(14, 20)]


def test_a_crash_after_it_was_healthy_restarts_it(tmp_path, arguments, log):
    fake = install(tmp_path, dies_late=[1])
    with serving(*arguments) as run:
        run.until("died ")
        assert "RuntimeError: the engine fell over" in run.said
        run.until("healthy ")
        assert len(fake.starts) == 2
        assert not any(map(runs, fake.starts[0]["pids"]))
        assert run.end(signal.SIGINT) == 130
    assert ended(fake)
    assert "died      the server, exit code 0; restarts left: 3\n" in run.said
    assert log.read_text().count(" serve tiny-qwen3vl ") == 2


def test_restarts_are_counted(tmp_path, arguments):
    fake = install(tmp_path, dies_late=[1], dies_early=[2])
    with serving(*arguments, "--restarts", "1") as run:
        assert run.wait() == 4
    assert ended(fake)
    assert len(fake.starts) == 2
    assert "vidagent: the server died 2 times" in run.said


def test_a_server_that_never_gets_healthy(tmp_path, arguments):
    fake = install(tmp_path, healthy=False)
    with serving(*arguments, "--wait", "2") as run:
        assert run.wait() == 4
    assert ended(fake)
    assert "not healthy within 2 s (--wait), last seen loading weights" in run.said


def test_a_port_that_is_taken(tmp_path, arguments, port):
    fake = install(tmp_path)
    with socket.create_server(("127.0.0.1", port)), serving(*arguments) as run:
        assert run.wait() == 2
    assert run.said == f"vidagent: port {port} of 127.0.0.1 is taken; choose another with --port\n"
    assert fake.starts == []


def test_the_users_profile_is_named_in_the_question(tmp_path, arguments):
    own = tmp_path / "mine.toml"
    own.write_text('[serve.env]\nVLLM_LOGGING_LEVEL = "DEBUG"\n[serve.variants.only]\nmodel = "acme/see-1"\n')
    fake = install(tmp_path, served="acme/see-1")
    with serving(str(own), *arguments[1:]) as run:
        run.until("healthy ")
        run.end(signal.SIGINT)
    assert f"ask       VIDAGENT_PROFILE={own} vidagent ask VIDEO QUESTION" in run.said
    (start,) = fake.starts
    assert start["argv"][:2] == ["serve", "acme/see-1"]
    assert start["env"] == {"VLLM_LOGGING_LEVEL": "DEBUG"}


def test_vllm_on_the_path_and_the_log_in_the_users_folder(tmp_path, port):
    fake = install(tmp_path)
    env = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "HOME": str(tmp_path),
    }
    with serving("tiny", "--port", str(port), env=env) as run:
        run.until("healthy ")
        run.end(signal.SIGINT)
    assert ended(fake)
    where = run.said.partition("log       ")[2].partition("\n")[0]
    assert where.startswith(str(tmp_path))
    assert where.endswith(f"vlm-{port}.log")
    assert "Starting to load model x" in Path(where).read_text()


def test_a_status_line_on_a_terminal(tmp_path, arguments):
    fake = install(tmp_path, delay_s=2)
    mine, theirs = pty.openpty()
    argv = [sys.executable, "-m", "vidagent", "vlm", "serve", *arguments]
    process = subprocess.Popen(argv, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = bytearray()
    with contextlib.suppress(OSError):  # EIO: the other side is closed
        while b"healthy " not in shown:
            shown += os.read(mine, 4096)
    assert b"healthy " in shown, shown
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):  # EIO: the other side is closed
        while True:
            shown += os.read(mine, 4096)
    os.close(mine)
    assert process.wait(30) == 130
    assert ended(fake)
    assert re.search(rb" loading weights, \d+ s", shown)
    assert b"starting  loading weights\r\n" not in shown
