"""Whether the server lives, and whether it can take questions now; both are open and tell nothing else."""

from __future__ import annotations

import asyncio
import time
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from vidagent import api
from vidagent.errors import VidagentError
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.http.draining import DrainState
from vidagent.serve.core.storage.disk import Disk

_ASKED_AGAIN_S = 5.0
_WAIT_S = 3.0
_DISK_RETRY_S = "60"


class Health(BaseModel):
    """How the server is."""

    status: Literal["ok"] = "ok"


def router(disk: Disk, drain: DrainState) -> APIRouter:
    """Return the routes.

    Args:
        disk: Where the server keeps what it is given.
        drain: Whether it is about to end.
    """
    routes = APIRouter(tags=["health"])
    models = _Models()

    @routes.get("/healthz")
    async def healthz() -> Health:
        """Say that the process answers."""
        return Health()

    @routes.get("/readyz")
    async def readyz() -> Health:
        """Say whether questions are taken; 503 if the model is away, the disk full, or the server about to end."""
        drain.check()
        if disk.full:
            told = "the server's disk has less free than is kept so (--min-free-mb)"
            raise ApiError(503, "disk_full", told, {"Retry-After": _DISK_RETRY_S})
        if not await models.reached():
            raise ApiError(503, "not_ready", "the model's server does not answer", {"Retry-After": "5"})
        return Health()

    return routes


class _Models:
    """Whether the model's server answers, asked at most every few seconds however often probes come."""

    def __init__(self) -> None:
        self._asked_s = -_ASKED_AGAIN_S
        self._reached = False
        self._lock = asyncio.Lock()

    async def reached(self) -> bool:
        async with self._lock:
            if time.monotonic() - self._asked_s >= _ASKED_AGAIN_S:
                self._reached = await self._ask()
                self._asked_s = time.monotonic()
            return self._reached

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(_WAIT_S):
                await asyncio.to_thread(api.list_models)
        except (VidagentError, TimeoutError):
            return False
        return True
