"""The MCP server on stdin and stdout, for the program that started it."""

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


def run(context: ServerContext) -> None:
    """Serve until stdin ends; running calls are cancelled then."""
    with _ended_by_signals() as caught:
        anyio.run(Server(context).run_stdio_async)
    if caught:
        raise KeyboardInterrupt


@contextmanager
def _ended_by_signals() -> Iterator[list[int]]:
    """Close stdin at a signal while the block runs, and yield the signals received.

    The SDK reads stdin in a thread, and a thread that waits for a line cannot be interrupted. So stdin is replaced by a
    socket that a signal closes, which ends the server as if the client had closed its side.
    """
    inner, outer = socket.socketpair()
    stdin = os.dup(_STDIN)
    os.dup2(inner.fileno(), _STDIN)
    inner.close()
    threading.Thread(target=_forward, args=(stdin, outer), daemon=True).start()
    caught: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        caught.append(number)
        if len(caught) > 1:  # a second signal ends the process at once
            raise KeyboardInterrupt
        _close(outer)

    before = {number: signal.signal(number, end) for number in _SIGNALS}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _forward(stdin: int, outer: socket.socket) -> None:
    with suppress(OSError):  # stdin was closed, or a signal came first
        while piece := os.read(stdin, _PIECE_BYTES):
            outer.sendall(piece)
    _close(outer)


def _close(outer: socket.socket) -> None:
    with suppress(OSError):
        outer.shutdown(socket.SHUT_WR)
