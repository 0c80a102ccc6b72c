"""The process on stdin and stdout: what it writes there, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests.serve.mcp.test_http import ASK, HELLO, LIST
from tests.serve.running import until

pytestmark = pytest.mark.network
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def start(root, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "vidagent", "mcp", "--root", str(root), *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ),
    )  # fmt: skip


def tell(process: subprocess.Popen[str], *messages) -> None:
    process.stdin.write("".join(json.dumps(message) + "\n" for message in messages))
    process.stdin.flush()


def test_stdout_carries_the_protocol_alone_and_the_end_of_stdin_ends_it(root):
    with start(root, "-v") as process:
        tell(process, HELLO)
        process.stdout.readline()
        out, err = process.communicate(
            "no json\n" + json.dumps(READY) + "\n" + json.dumps(LIST) + "\n", timeout=60
        )
    replies = [json.loads(line) for line in out.splitlines()]
    assert {reply["jsonrpc"] for reply in replies} == {"2.0"}
    assert process.returncode == 0
    assert "Traceback" not in err


@pytest.mark.parametrize("how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow), None])
def test_a_run_that_goes_on_is_cancelled_and_no_child_is_left(root, model, plays, how):
    plays.slow = True
    with start(root) as process:
        tell(process, HELLO, READY, ASK)
        until(lambda: "plan" in model.steps, 60)
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        if how is None:
            process.stdin.close()
        else:
            process.send_signal(how)
        assert process.wait(20) == (0 if how is None else 130)
        until(lambda: model.gone, 10)
        until(lambda: not any(child.is_running() for child in children), 10)
        if how is None:
            assert process.stderr.read() == ""
        else:
            assert process.stderr.read() == "vidagent: interrupted\n"


def test_what_is_missing_is_told(command, monkeypatch):
    monkeypatch.setattr("vidagent.serve.cli.commands.mcp._NEEDED", ("mcp", "no_such_library"))
    done = command("mcp")
    assert (done.code, done.out) == (2, "")
    assert done.err == "vidagent: this command needs no_such_library: pip install 'vidagent[mcp]'\n"


def test_help_loads_nothing_of_it():
    code = "import sys; from vidagent.serve.cli.app import run; run(['mcp', '--help']); "
    code += "print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(done.stderr.split())
    assert not loaded & {"mcp", "mcp_types", "fastapi", "uvicorn", "starlette", "pydantic_settings", "anyio"}
    assert "--public-name" in done.stdout
