"""Starter of decoding processes: forks of a template that each program starts once."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

import vidagent
from vidagent.errors import VideoError
from vidagent.video.process.sandbox import PASSED_ON
from vidagent.video.process.template import MOST_BYTES

WORKER = "vidagent.video.process.worker"
_TEMPLATE = "vidagent.video.process.template"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Starter:
    """Starts decoding processes; `starter` returns the one of this program.

    Args:
        worker: Module whose `main` they run.
        environment: Their environment.
    """

    def __init__(self, worker: str, environment: dict[str, str]) -> None:
        """Store the arguments; the template starts with the first process."""
        self._worker, self._environment = worker, environment
        self._lock, self._pid = threading.Lock(), os.getpid()
        self._channel: socket.socket | None = None
        self._template: subprocess.Popen[bytes] | None = None

    def start(self, settings: dict[str, Any], streams: list[int]) -> int:
        """Start a process and return its id.

        Args:
            settings: JSON values for its `main`.
            streams: Its standard input, output and error, and a pipe to which its exit code will be written.

        Raises:
            VideoError: If none can be started.
        """
        message = json.dumps(settings).encode()
        with self._lock:
            for _ in range(2):  # the template may have died since the last start, for lack of memory
                try:
                    channel = self._open()
                    socket.send_fds(channel, [message], streams)
                    return int(channel.recv(MOST_BYTES))
                except (OSError, ValueError):
                    self._close()
        raise VideoError("no process can be started to decode a video; see `vidagent doctor`")

    def close(self) -> None:
        """End the template, and with it what it started; a fork of this process leaves it alone."""
        if os.getpid() == self._pid:
            with self._lock:
                self._close()

    def _open(self) -> socket.socket:
        if self._channel is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._template = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
                    [sys.executable, "-P", "-m", _TEMPLATE, self._worker],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=self._environment,
                    process_group=0,
                )
            self._channel = ours
        return self._channel

    def _close(self) -> None:
        if self._channel is not None and self._template is not None:
            with contextlib.suppress(OSError):  # the template has ended
                self._channel.shutdown(socket.SHUT_RDWR)  # forks of this process have the channel, too
            self._channel.close()
            self._template.wait()
        self._channel = self._template = None


def starter() -> Starter:
    """Return the starter of this program for the environment as it is now."""
    return _starter(os.getpid(), WORKER, tuple(sorted(child_environment().items())))


@cache
def _starter(_: int, worker: str, environment: tuple[tuple[str, str], ...]) -> Starter:
    """Return the starter of a process, by its id: a fork must not talk to the template of its parent."""
    made = Starter(worker, dict(environment))
    atexit.register(made.close)
    return made


def child_environment() -> dict[str, str]:
    """Return the environment of the child: no secrets, the same packages, no thread pools, few malloc arenas."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    quiet = dict.fromkeys(_THREAD_VARIABLES, "1")
    packages = [str(Path(vidagent.__file__).parent.parent), *filter(None, sys.path)]
    return {**passed, **quiet, "PYTHONPATH": os.pathsep.join(packages), "MALLOC_ARENA_MAX": "2"}
