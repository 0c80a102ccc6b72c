"""Client of the process that cuts a stream: it gets bytes, or an address, and gives pieces."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

from vidagent.errors import VideoError
from vidagent.video.process.starter import child_environment
from vidagent.video.stream.cutter import MAX_PIECE_BYTES, Piece
from vidagent.video.stream.process import HEADER

COMMAND = (sys.executable, "-m", "vidagent.video.stream.process")
_MAX_HEADER_BYTES = 10_000
_LAST_PIECES_S = 3.0


class StreamProcess:
    """A process that cuts one stream; one thread feeds it, another one iterates over the pieces."""

    def __init__(self, seconds: float, url: str | None = None) -> None:
        """Start it.

        Args:
            seconds: Shortest piece.
            url: An address that libav opens itself; None: the bytes are fed.
        """
        settings = json.dumps({"seconds": seconds, "by_address": url is not None})
        self._popen = subprocess.Popen(  # noqa: S603 - this package's own module
            [*COMMAND, settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
        )
        self._by_address = url is not None
        if url is not None:  # not an argument: it may hold a password, and everybody can list those
            self.feed(url.encode())
            self.finish()

    def feed(self, data: bytes) -> bool:
        """Send bytes of the stream; return False if the process has ended."""
        try:
            _pipe(self._popen.stdin).write(data)
            _pipe(self._popen.stdin).flush()
        except (BrokenPipeError, ValueError):
            return False
        return True

    def finish(self) -> None:
        """Say that the stream has ended; its last pieces follow."""
        with suppress(BrokenPipeError):
            _pipe(self._popen.stdin).close()

    def __iter__(self) -> Iterator[Piece]:
        """Yield the pieces as they are cut, until the stream ends.

        Raises:
            VideoError: If it cannot be read.
        """
        out = _pipe(self._popen.stdout)
        while head := out.read(HEADER.size):
            header = _header(out, head)
            if "error" in header:
                raise VideoError(str(header["error"])[:300])
            data = out.read(min(int(header["bytes"]), 2 * MAX_PIECE_BYTES))
            if len(data) < header["bytes"]:
                break
            yield Piece(data, float(header["start_s"]), float(header["end_s"]), bool(header["jumped"]))
        if code := self._popen.wait():
            raise VideoError(f"the process that reads the stream ended with code {code}")

    def end(self) -> None:
        """Read no further; the last pieces follow, but none of an address that is silent."""
        if not self._by_address:
            self.finish()
            return
        self._popen.terminate()
        try:
            self._popen.wait(_LAST_PIECES_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it now; the iteration ends, too."""
        self._popen.kill()
        self._popen.wait()

    def close(self) -> None:
        """Kill it and close its pipes; called by the thread that iterates."""
        self.kill()
        for pipe in (self._popen.stdin, self._popen.stdout):
            with suppress(BrokenPipeError):
                _pipe(pipe).close()


def _header(out: IO[bytes], head: bytes) -> dict[str, Any]:
    (length,) = HEADER.unpack(head) if len(head) == HEADER.size else (_MAX_HEADER_BYTES + 1,)
    if length > _MAX_HEADER_BYTES:
        raise VideoError("the process that reads the stream broke its protocol")
    header: dict[str, Any] = json.loads(out.read(length))
    return header


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101 - both are pipes
    return pipe
