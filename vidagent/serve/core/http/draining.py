"""Graceful shutdown on SIGTERM: pending questions and uploads finish, new ones are refused."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

from starlette.types import ASGIApp, Receive, Scope, Send

from vidagent.serve.core.errors import ApiError

_RETRY = {"Retry-After": "10"}
"""Seconds until another process may have taken over."""


class DrainState:
    """Begins with SIGTERM and lasts until the pending requests have their replies, at most `max_s` seconds."""

    def __init__(self, max_s: float) -> None:
        """Start with no pending requests."""
        self._max_s = max_s
        self._begun = False
        self._pending = 0
        self._finished = asyncio.Event()

    def check(self) -> None:
        """Raise an error during shutdown."""
        if self._begun:
            raise ApiError(503, "draining", "the server is shutting down; ask again in a moment", _RETRY)

    @contextmanager
    def track(self) -> Iterator[None]:
        """Make the shutdown wait for the block."""
        self.check()
        self._pending += 1
        try:
            yield
        finally:
            self._pending -= 1
            self._finished.set()

    @contextmanager
    def on_sigterm(self) -> Iterator[None]:
        """Begin at a SIGTERM during the block, and pass the signal on when drained; pass a second one on at once."""
        end = signal.getsignal(signal.SIGTERM)
        if threading.current_thread() is not threading.main_thread() or not callable(end):
            yield
            return
        loop = asyncio.get_running_loop()

        def handle(number: int, frame: FrameType | None) -> None:
            if self._begun:
                end(number, frame)
            else:
                self._begun = True
                loop.call_soon_threadsafe(begin)

        def begin() -> None:
            self._last = loop.create_task(self._when_finished(lambda: end(signal.SIGTERM, None)))

        signal.signal(signal.SIGTERM, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, end)

    async def _when_finished(self, then: Callable[[], object]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._max_s):
                while self._pending:
                    self._finished.clear()
                    await self._finished.wait()
        then()


@dataclass
class DrainMiddleware:
    """ASGI middleware that tracks POST requests and refuses new ones during shutdown; reads are still served."""

    app: ASGIApp
    drain: DrainState

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or the app's lifespan."""
        if scope["type"] == "lifespan":
            with self.drain.on_sigterm():
                await self.app(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "POST":
            with self.drain.track():
                await self.app(scope, receive, send)
        else:
            await self.app(scope, receive, send)
