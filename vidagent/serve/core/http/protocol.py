"""HTTP/1.1 connections with time limits, so that clients that send or read nothing do not keep them."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 20.0
"""Time for the head of a request, from its first byte or from the connection on."""
READ_S = 60.0
"""Time that a client may leave the next bytes of a response unread."""


class TimedProtocol(H11Protocol):
    """uvicorn's h11 protocol, which aborts a connection whose time is over.

    uvicorn itself closes idle connections between two requests; `RequestMiddleware` limits the time of bodies.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - passed on to uvicorn
        """Start no timer."""
        super().__init__(*arguments, **named)
        self._head = _Timer(self)
        self._reading = _Timer(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Time the first head."""
        super().connection_made(transport)
        self._head.start(HEAD_S)

    def data_received(self, data: bytes) -> None:
        """Time what comes outside of a request: the next head, or the rest of a body that nobody reads."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._head.start(HEAD_S)
        else:
            self._head.stop()

    def pause_writing(self) -> None:
        """Time a client that does not read."""
        super().pause_writing()
        self._reading.start(READ_S)

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        self._reading.stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        self._head.stop()
        self._reading.stop()
        super().connection_lost(exc)


class _Timer:
    """Aborts a connection after a time, unless it is stopped; starting it again changes nothing."""

    def __init__(self, protocol: H11Protocol) -> None:
        self._protocol = protocol
        self._handle: asyncio.TimerHandle | None = None

    def start(self, seconds: float) -> None:
        if self._handle is None:
            self._handle = self._protocol.loop.call_later(seconds, self._abort)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _abort(self) -> None:
        self._protocol.transport.abort()
