"""Limits on what is done at once, per client and in total; what exceeds them gets a `Retry-After`."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from vidagent.serve.core.caller import Client
from vidagent.serve.core.errors import ApiError

_MAX_RETRY_S = 60
_FIRST_GUESS_S = 5.0
_WEIGHT = 0.2
"""Weight of the last run in the moving average of run times."""


class ConcurrencyLimits:
    """The slots of a server, in total and per client; each running question, or what else `what` names, takes one."""

    def __init__(self, total: int, per_client: int, what: str = "questions") -> None:
        """Start with all slots free."""
        self._total, self._per_client, self._what = total, per_client, what
        self._running: Counter[str] = Counter()
        self._queued: Counter[str] = Counter()
        self._mean_s = _FIRST_GUESS_S
        self._freed = asyncio.Event()

    @property
    def running(self) -> int:
        """Number of slots taken."""
        return self._running.total()

    @property
    def _retry(self) -> dict[str, str]:
        """The header that says when a slot may be free: after a usual run, at most a minute."""
        return {"Retry-After": str(min(max(1, math.ceil(self._mean_s)), _MAX_RETRY_S))}

    @contextmanager
    def slot(self, client: Client) -> Iterator[None]:
        """Take a slot while the block runs.

        Raises:
            ApiError: If the client's limit or the server's is reached.
        """
        if self._running[client.owner] >= self._per_client:
            message = f"you have reached the limit of {self._what} at once: {self._per_client}"
            raise ApiError(429, "too_many", message, self._retry)
        if self.running >= self._total:
            raise ApiError(503, "busy", f"the server is at its limit of {self._what} at once", self._retry)
        with self._take(client):
            yield

    @asynccontextmanager
    async def wait_for_slot(self, client: Client) -> AsyncIterator[None]:
        """Wait for a slot and take it while the block runs."""
        while self._running[client.owner] >= self._per_client or self.running >= self._total:
            self._freed.clear()
            await self._freed.wait()
        with self._take(client):
            yield

    @asynccontextmanager
    async def short_wait(self, client: Client, *, most: int, within_s: float) -> AsyncIterator[None]:
        """Wait for a slot and take it while the block runs, both within some seconds.

        Raises:
            ApiError: If the client has `most` such blocks waiting or running already, or the time is over.
        """
        if self._queued[client.owner] >= most:
            message = f"you wait for {most} {self._what} already"
            raise ApiError(429, "too_many", message, self._retry)
        self._queued[client.owner] += 1
        try:
            async with asyncio.timeout(within_s), self.wait_for_slot(client):
                yield
        except TimeoutError as error:
            raise ApiError(504, "too_late", f"not ready within {within_s:g} s") from error
        finally:
            self._queued[client.owner] -= 1
            self._queued += Counter()  # drops clients at zero

    @contextmanager
    def _take(self, client: Client) -> Iterator[None]:
        began = time.monotonic()
        self._running[client.owner] += 1
        try:
            yield
        finally:
            self._running[client.owner] -= 1
            self._running += Counter()  # drops clients at zero
            self._mean_s += _WEIGHT * (time.monotonic() - began - self._mean_s)
            self._freed.set()


class LimitedRoute(APIRoute):
    """A route whose POST requests each take a slot until the reply has been sent."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["method"] != "POST":
            return await super().handle(scope, receive, send)
        concurrency: ConcurrencyLimits = scope["app"].state.concurrency
        with concurrency.slot(scope["state"]["client"]):
            return await super().handle(scope, receive, send)
