"""The server on stdin and stdout, for the program that started it."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import anyio

from vidagent.serve.mcp.context import ServerContext
from vidagent.serve.mcp.server import Server

_STDIN = 0
_PIECE_BYTES = 1 << 16
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(serving: ServerContext) -> None:
    """Serve until stdin ends; what runs then is cancelled.

    Raises:
        KeyboardInterrupt: If a signal ended it.
    """
    with _ended_by_signals() as caught:
        anyio.run(Server(serving).run_stdio_async)
    if caught:
        raise KeyboardInterrupt


@contextmanager
def _ended_by_signals() -> Iterator[list[int]]:
    """Let signals end stdin while the block runs, and give those that came.

    The SDK reads stdin in a thread, and nothing ends a thread that waits for a line. So stdin is put through a socket,
    which a signal closes: then all ends as it does when the client closes its side.
    """
    inner, outer = socket.socketpair()
    stdin = os.dup(_STDIN)
    os.dup2(inner.fileno(), _STDIN)
    inner.close()
    threading.Thread(target=_pass_on, args=(stdin, outer), daemon=True).start()
    caught: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        caught.append(number)
        if len(caught) > 1:  # who asks twice will not wait
            raise KeyboardInterrupt
        _close(outer)

    before = {number: signal.signal(number, end) for number in _SIGNALS}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _pass_on(stdin: int, outer: socket.socket) -> None:
    with suppress(OSError):  # stdin went away, or a signal came first
        while piece := os.read(stdin, _PIECE_BYTES):
            outer.sendall(piece)
    _close(outer)


def _close(outer: socket.socket) -> None:
    with suppress(OSError):
        outer.shutdown(socket.SHUT_WR)
