"""Client of the decoding process: start it, send requests, limit its time, report how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

import vidagent
from vidagent.errors import UsageError, VideoError
from vidagent.video.process.pipe import ProtocolError, encode, receive
from vidagent.video.process.sandbox import PASSED_ON

_TAIL_BYTES = 4096
_TABLE_BYTES = 256 << 20
"""Room for tables of packets and times (a hundred hours of video) and for the JPEGs of what may be text, whatever the
limit on pixels."""
_MESSAGE_CHARS = 500
_WORKER = "vidagent.video.process.worker"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Limits:
    """Resource limits of decoding one video.

    Args:
        memory_bytes: Address space of the decoding process.
        open_s: Seconds without progress while opening.
        call_s: Seconds without progress in any other request. Progress is a decoded picture or a few hundred packets
            read, so that a hang is ended but not a long request.
        max_pixels: Pixels of one picture. The default allows 8K (7680x4320) but not 8192x8192.
        reply_bytes: Bytes of pixels in one message; longer replies are fetched in several.
        call_bytes: Bytes of pixels that one call may return.
    """

    memory_bytes: int = 3 << 30
    open_s: float = 20.0
    call_s: float = 60.0
    max_pixels: int = 36_000_000
    reply_bytes: int = 64 << 20
    call_bytes: int = 2 << 30

    def __post_init__(self) -> None:
        """Check that every limit is positive."""
        for name in self.__slots__:
            value = getattr(self, name)
            if not value > 0:
                raise UsageError(f"limit {name} must be more than 0, got {value!r}")


class _GoneError(Exception):
    """The process closed its end of the pipe."""


class _SilentError(Exception):
    """The process made no progress within its time limit."""


class Process:
    """One decoding process for one file.

    Args:
        path: Absolute path of the file.
        shown: The path as the caller gave it, for messages.
        decoder: Name of the decoder.
        limits: Its resource limits.
        stream: Number of the video stream, by default the one that a player shows.
    """

    def __init__(
        self, path: Path, shown: str, decoder: str, limits: Limits, stream: int | None = None
    ) -> None:
        """Start the process, without waiting for it."""
        self._shown = shown
        self._limits = limits
        self._stderr = tempfile.TemporaryFile(mode="a+b", buffering=0)  # noqa: SIM115 - lives as long as the process
        settings = {
            "path": str(path),
            "decoder": decoder,
            "max_pixels": limits.max_pixels,
            "memory_bytes": limits.memory_bytes,
            "stream": stream,
        }
        self._popen = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
            [sys.executable, "-P", "-m", _WORKER, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
            env=_environment(),
            process_group=0,  # protects it from Ctrl-C; in a new session, niceness would have no effect
        )
        for pipe in (self._popen.stdin, self._popen.stdout):
            assert pipe is not None  # noqa: S101 - both are pipes
            os.set_blocking(pipe.fileno(), False)
        self._end = weakref.finalize(self, _end, self._popen, self._stderr)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether it can still take requests."""
        return self._end.alive and self._popen.poll() is None

    def send(self, op: str, **arguments: Any) -> None:  # noqa: ANN401 - JSON values
        """Send a request; `wait` fetches its reply."""
        deadline = time.monotonic() + self._limits.call_s
        try:
            for buffer in encode({"op": op, **arguments}):
                self._push(memoryview(buffer), deadline)
        except (_GoneError, _SilentError) as error:
            raise self._failure(error, self._limits.call_s) from None

    def wait(
        self, *, limit_s: float, on_progress: Callable[[float], None] | None = None
    ) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        """Return the reply to the last request.

        Args:
            limit_s: Seconds that may pass without progress.
            on_progress: Called with the fraction done, by requests that report it.

        Raises:
            UsageError: If the request is invalid.
            VideoError: If the file cannot be decoded, or the process crashed, hung or ran out of memory and is gone.
        """
        try:
            while True:
                header, arrays = self._message(limit_s)
                if "progress" not in header:
                    break
                if on_progress is not None and isinstance(header["progress"], float):
                    on_progress(header["progress"])
        except (_GoneError, _SilentError, ProtocolError) as error:
            raise self._failure(error, limit_s) from None
        except BaseException:
            self.kill()
            raise
        self._raise_error(header)
        return header, arrays

    def kill(self) -> None:
        """End the process now."""
        self._end()

    def _message(self, limit_s: float) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        deadline = time.monotonic() + limit_s
        most = max(self._limits.call_bytes, _TABLE_BYTES)
        return receive(lambda buffer: self._pull(buffer, deadline), max_bytes=most)

    def _pull(self, buffer: memoryview, deadline: float) -> None:
        while buffer:
            fd = self._ready(self._popen.stdout, select.POLLIN, deadline)
            count = os.readv(fd, [buffer])
            if count == 0:
                raise _GoneError
            buffer = buffer[count:]

    def _push(self, buffer: memoryview, deadline: float) -> None:
        while buffer:
            fd = self._ready(self._popen.stdin, select.POLLOUT, deadline)
            try:
                buffer = buffer[os.write(fd, buffer) :]
            except BrokenPipeError:
                raise _GoneError from None

    def _ready(self, pipe: IO[bytes] | None, event: int, deadline: float) -> int:
        if pipe is None or pipe.closed:
            raise _GoneError
        poll = select.poll()
        poll.register(pipe.fileno(), event)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise _SilentError
        if pipe.closed:
            raise _GoneError
        return pipe.fileno()

    def _raise_error(self, header: dict[str, Any]) -> None:
        match header.get("error"):
            case None:
                return
            case "usage":
                raise UsageError(_one_line(header.get("message")))
            case "memory":
                self.kill()
                raise VideoError(f"{self._shown}: decoding it needs more than {self._memory} of memory")
            case _:
                raise VideoError(f"{self._shown}: {_one_line(header.get('message'))}")

    def _failure(self, error: Exception, limit_s: float) -> VideoError:
        """Kill what is left of the process and return an error that says what happened to it."""
        if isinstance(error, _SilentError):
            self.kill()
            return VideoError(f"{self._shown}: the decoder hung: no progress in {limit_s:g} s")
        if isinstance(error, ProtocolError):
            self.kill()
            return VideoError(f"{self._shown}: the decoder broke its protocol: it sent {error}")
        if not self._end.alive:
            return VideoError(f"{self._shown}: the video was closed")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(1.0)
        code, output = self._popen.poll(), self._last_output()
        self.kill()
        return VideoError(f"{self._shown}: {_ending(code)}{f' ({output})' if output else ''}")

    @property
    def _memory(self) -> str:
        return f"{self._limits.memory_bytes / (1 << 30):.3g} GiB"

    def _last_output(self) -> str:
        size = os.fstat(self._stderr.fileno()).st_size
        tail = os.pread(self._stderr.fileno(), _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        lines = tail.decode("utf-8", "replace").strip().splitlines()
        return _one_line(lines[-1])[:200] if lines else ""


def _end(popen: subprocess.Popen[bytes], stderr: IO[bytes]) -> None:
    popen.kill()
    popen.wait()
    for pipe in (popen.stdin, popen.stdout, stderr):
        if pipe is not None:
            pipe.close()


def _environment() -> dict[str, str]:
    """Return the environment of the child: no secrets, the same packages, no thread pools, few malloc arenas."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    quiet = dict.fromkeys(_THREAD_VARIABLES, "1")
    packages = [str(Path(vidagent.__file__).parent.parent), *filter(None, sys.path)]
    return {**passed, **quiet, "PYTHONPATH": os.pathsep.join(packages), "MALLOC_ARENA_MAX": "2"}


def _ending(code: int | None) -> str:
    if code is None:
        return "the decoder closed its pipe"
    if code < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
            return (
                f"the decoder was ended by {name}"
                if code == -signal.SIGKILL
                else f"the decoder crashed: {name}"
            )
    return f"the decoder ended with exit code {code}"


def _one_line(text: object) -> str:
    return " ".join(str(text).split())[:_MESSAGE_CHARS]
