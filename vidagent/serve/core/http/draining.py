"""The time between being told to end and ending: what was asked goes on, what is new is sent elsewhere."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from starlette.types import ASGIApp, Receive, Scope, Send

from vidagent.serve.core.errors import ApiError

_RETRY = {"Retry-After": "10"}
"""By when another process may be there."""


class DrainState:
    """Begins with SIGTERM, and lasts until what was asked before has its reply.

    Args:
        most_s: Seconds that it takes at most.
    """

    def __init__(self, most_s: float) -> None:
        """Wait for the signal."""
        self._most_s = most_s
        self._begun = False
        self._asked = 0
        self._replied = asyncio.Event()

    def check(self) -> None:
        """Refuse what comes too late.

        Raises:
            ApiError: If the server is about to end.
        """
        if self._begun:
            raise ApiError(503, "draining", "the server is about to end; ask again in a moment", _RETRY)

    @contextmanager
    def waited_for(self) -> Iterator[None]:
        """Have the end wait for the block.

        Raises:
            ApiError: If the server is about to end.
        """
        self.check()
        self._asked += 1
        try:
            yield
        finally:
            self._asked -= 1
            self._replied.set()

    @contextmanager
    def heeding(self) -> Iterator[None]:
        """Begin with a SIGTERM that comes while the block runs, and pass it on in the end; a second one, at once."""
        end = signal.getsignal(signal.SIGTERM)
        if threading.current_thread() is not threading.main_thread() or not callable(end):
            yield
            return
        loop = asyncio.get_running_loop()

        def heed(number: int, frame: FrameType | None) -> None:
            if self._begun:
                end(number, frame)
            else:
                self._begun = True
                loop.call_soon_threadsafe(begin)

        def begin() -> None:
            self._last = loop.create_task(self._until_replied(lambda: end(signal.SIGTERM, None)))

        signal.signal(signal.SIGTERM, heed)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, end)

    async def _until_replied(self, then: Callable[[], object]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._most_s):
                while self._asked:
                    self._replied.clear()
                    await self._replied.wait()
        then()


class DrainMiddleware:
    """Wraps the app: questions and uploads are waited for, and no new ones taken; reading goes on."""

    def __init__(self, app: ASGIApp, drain: DrainState) -> None:
        """Stand around the app."""
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or the app's whole life.

        Raises:
            ApiError: If it comes too late.
        """
        if scope["type"] == "lifespan":
            with self._drain.heeding():
                await self._app(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "POST":
            with self._drain.waited_for():
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)
