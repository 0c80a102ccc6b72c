"""How many questions are answered at once: of one client, and of all; who comes too many is told when to come back."""

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

_LONGEST_S = 60
_FIRST_GUESS_S = 5.0
_WEIGHT = 0.2
"""Of the last run, in the mean time of a run."""


class ConcurrencyLimits:
    """The lanes of a server.

    Args:
        total: How many questions are answered at once.
        each: How many of one client.
    """

    def __init__(self, total: int, each: int) -> None:
        """Start with all of them free."""
        self._total, self._each = total, each
        self._held: Counter[str] = Counter()
        self._mean_s = _FIRST_GUESS_S
        self._freed = asyncio.Event()

    @property
    def running(self) -> int:
        """How many are held."""
        return self._held.total()

    @contextmanager
    def held(self, client: Client) -> Iterator[None]:
        """Hold a lane while the block runs.

        Raises:
            ApiError: If there is none for this client, or none at all.
        """
        retry = {"Retry-After": str(min(max(1, math.ceil(self._mean_s)), _LONGEST_S))}
        if self._held[client.owner] >= self._each:
            told = f"you have {self._each} questions going on, which is the most"
            raise ApiError(429, "too_many", told, retry)
        if self.running >= self._total:
            raise ApiError(503, "busy", "the server has as many questions as it answers at once", retry)
        with self._taken(client):
            yield

    @asynccontextmanager
    async def waited_for(self, client: Client) -> AsyncIterator[None]:
        """Hold a lane while the block runs, once there is one."""
        while not self._free(client):
            self._freed.clear()
            await self._freed.wait()
        with self._taken(client):
            yield

    def _free(self, client: Client) -> bool:
        return self._held[client.owner] < self._each and self.running < self._total

    @contextmanager
    def _taken(self, client: Client) -> Iterator[None]:
        began = time.monotonic()
        self._held[client.owner] += 1
        try:
            yield
        finally:
            self._held[client.owner] -= 1
            self._held += Counter()  # drops clients without any
            self._mean_s += _WEIGHT * (time.monotonic() - began - self._mean_s)
            self._freed.set()


class LimitedRoute(APIRoute):
    """A route that asks questions: each of its requests holds a lane until its reply has been sent."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request.

        Raises:
            ApiError: If there is no lane for it.
        """
        if scope["method"] != "POST":
            return await super().handle(scope, receive, send)
        lanes: ConcurrencyLimits = scope["app"].state.lanes
        with lanes.held(scope["state"]["client"]):
            return await super().handle(scope, receive, send)
