"""Client of the decoding process: start it, send requests, limit its time, report how it ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from vidagent.errors import UsageError, VideoError
from vidagent.video.process.pipe import ProtocolError, encode, receive
from vidagent.video.process.starter import starter

_TAIL_BYTES = 4096
_TABLE_BYTES = 256 << 20
"""Room for tables of packets and times (a hundred hours of video) and for the JPEGs of what may be text, whatever the
limit on pixels."""
_MESSAGE_CHARS = 500
_ENDING_S = 1.0
"""How long a process that closed its pipe may take to end."""


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
        settings = {
            "path": str(path),
            "decoder": decoder,
            "max_pixels": limits.max_pixels,
            "memory_bytes": limits.memory_bytes,
            "stream": stream,
        }
        self._waiting = threading.RLock()  # its pipes stay open while one of them is waited for
        self._stderr = tempfile.TemporaryFile(mode="a+b", buffering=0)  # noqa: SIM115 - lives as long as the process
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        self._ended, report = os.pipe()
        self._stdin, self._stdout = ours_in, ours_out
        for pipe in (ours_in, ours_out, self._ended):
            os.set_blocking(pipe, False)
        theirs = [theirs_in, theirs_out, self._stderr.fileno(), report]
        try:
            self.pid = starter().start(settings, theirs)
        except BaseException:
            _close(ours_in, ours_out, self._ended, self._stderr)
            raise
        finally:
            for pipe in (theirs_in, theirs_out, report):
                os.close(pipe)
        self._end = weakref.finalize(
            self,
            _kill,
            self.pid,
            self._ended,
            self._waiting,
            (ours_in, ours_out, self._ended, self._stderr),
        )

    @property
    def alive(self) -> bool:
        """Whether it can still take requests."""
        return self._end.alive and not _has_ended(self._ended)

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
            with self._waiting:
                self._await(self._stdout, select.POLLIN, deadline)
                count = os.readv(self._stdout, [buffer])
            if count == 0:
                raise _GoneError
            buffer = buffer[count:]

    def _push(self, buffer: memoryview, deadline: float) -> None:
        while buffer:
            with self._waiting:
                self._await(self._stdin, select.POLLOUT, deadline)
                try:
                    buffer = buffer[os.write(self._stdin, buffer) :]
                except BrokenPipeError:
                    raise _GoneError from None

    def _await(self, pipe: int, event: int, deadline: float) -> None:
        if not self._end.alive:
            raise _GoneError
        poll = select.poll()
        poll.register(pipe, event)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise _SilentError
        if not self._end.alive:
            raise _GoneError

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
        code = _exit_code(self._ended, _ENDING_S)
        output = self._last_output()
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


def _has_ended(report: int, wait_s: float = 0.0) -> bool:
    """Return whether a process has ended, or ends within some seconds."""
    poll = select.poll()
    poll.register(report, select.POLLIN)
    return bool(poll.poll(wait_s * 1000))


def _exit_code(report: int, wait_s: float) -> int | None:
    """Return the exit code of a process that ends within some seconds, if its template tells it."""
    told = os.read(report, 16) if _has_ended(report, wait_s) else b""
    return int(told) if told else None


def _kill(pid: int, report: int, waiting: threading.RLock, held: Sequence[int | IO[bytes]]) -> None:
    """Kill a process and close what belongs to it; once it has ended, its number may be another's.

    Its end wakes a thread that waits for one of its pipes. They are closed after that, as the next process is given the
    same descriptors, and the thread would go on to wait for that one.
    """
    if not _has_ended(report):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with waiting:
        _close(*held)


def _close(*held: int | IO[bytes]) -> None:
    for one in held:
        if isinstance(one, int):
            os.close(one)
        else:
            one.close()


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
