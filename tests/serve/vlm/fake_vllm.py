"""A stand-in for the `vllm` program: serves /health after a while, and dies, hangs or is stubborn on demand."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

SOURCE = """#!{python}
import http.server, json, os, signal, subprocess, sys, threading, time
does, notes = json.loads({does!r}), {notes!r}
with open(notes, "a") as file:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    variables = {{name: value for name, value in os.environ.items() if name.startswith("VLLM_")}}
    print(json.dumps({{"argv": sys.argv[1:], "pids": [os.getpid(), child.pid], "env": variables}}), file=file)
starts = len(open(notes).readlines())
if does["stubborn"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("(APIServer pid=1) INFO 11-21 12:00:00 [api_utils.py:286] non-default args: {{}}", flush=True)
if starts in does["dies_early"]:
    print(does["last_words"], file=sys.stderr, flush=True)
    os._exit(3)
print("(Worker pid=2) INFO 11-21 12:00:01 [runner.py:68] Starting to load model x...", flush=True)
time.sleep(does["delay_s"])
healthy = time.monotonic()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b""
        if self.path == "/v1/models":
            body = json.dumps({{"data": [{{"id": does["served"]}}]}}).encode()
        self.send_response(200 if does["healthy"] else 503)
        self.end_headers()
        self.wfile.write(body)
        if starts in does["dies_late"]:
            threading.Timer(0.2, os._exit, [0]).start()
            print("(EngineCore pid=3) ERROR 11-21 12:00:02 [core.py:1] RuntimeError: the engine fell over", flush=True)

address = sys.argv[sys.argv.index("--host") + 1], int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(address, Handler).serve_forever()
"""


@dataclass(frozen=True)
class Behaviour:
    """What the stand-in does; starts are counted from 1."""

    delay_s: float = 0.2
    served: str = "tiny"
    healthy: bool = True
    stubborn: bool = False
    dies_early: list[int] = field(default_factory=list)
    dies_late: list[int] = field(default_factory=list)
    last_words: str = "ValueError: no such thing"


@dataclass
class FakeVllm:
    """The program, and what it noted down of each start."""

    path: Path
    notes: Path

    @property
    def starts(self) -> list[dict]:
        return (
            [json.loads(line) for line in self.notes.read_text().splitlines()] if self.notes.exists() else []
        )

    @property
    def alive(self) -> list[int]:
        """Return the processes of all starts that still run."""
        return [pid for start in self.starts for pid in start["pids"] if runs(pid)]


def install(folder: Path, **behaviour) -> FakeVllm:
    fake = FakeVllm(folder / "vllm", folder / "starts.jsonl")
    does = json.dumps(asdict(Behaviour(**behaviour)))
    fake.path.write_text(SOURCE.format(python=sys.executable, does=does, notes=str(fake.notes)))
    fake.path.chmod(0o755)
    return fake


def runs(pid: int) -> bool:
    """Tell whether a process runs; one that is dead and not reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    """Return a port that is free, below those that the system hands out meanwhile to others."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


class Serving:
    """`vidagent vlm serve` as a process."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vidagent", "vlm", "serve", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(env or {})},
        )
        self.said = ""

    def until(self, words: str) -> str:
        """Read what it prints until a line holds some words."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.said += line
            if words in line:
                return line
        raise AssertionError(f"it never said {words!r}, but:\n{self.said}")

    def end(self, number: int) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        assert self.process.stdout
        self.said += self.process.stdout.read()
        return self.process.wait(30)


@contextlib.contextmanager
def serving(*arguments: str, env: dict[str, str] | None = None) -> Iterator[Serving]:
    run = Serving(*arguments, env=env)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.wait()
        assert run.process.stdout
        run.process.stdout.close()
