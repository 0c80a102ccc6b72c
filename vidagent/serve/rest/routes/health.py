"""Liveness and readiness probes, open to clients without a key."""

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

_CACHE_S = 5.0
_TIMEOUT_S = 3.0
_DISK_RETRY_S = "60"


class Health(BaseModel):
    """A healthy server."""

    status: Literal["ok"] = "ok"


def router(disk: Disk, drain: DrainState) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["health"])
    model_server = _ModelServer()

    @routes.get("/healthz")
    async def healthz() -> Health:
        """Report that the process is alive."""
        return Health()

    @routes.get("/readyz")
    async def readyz() -> Health:
        """Report whether questions are accepted; 503 if the model is away, the disk full, or the server stopping."""
        drain.check()
        if disk.full:
            message = "the server's disk has too little free space (--min-free-mb)"
            raise ApiError(503, "disk_full", message, {"Retry-After": _DISK_RETRY_S})
        if not await model_server.available():
            raise ApiError(503, "not_ready", "the model's server does not answer", {"Retry-After": "5"})
        return Health()

    return routes


class _ModelServer:
    """Availability of the model's server, checked at most every few seconds however often probes come."""

    def __init__(self) -> None:
        self._checked_s = -_CACHE_S
        self._is_available = False
        self._lock = asyncio.Lock()

    async def available(self) -> bool:
        async with self._lock:
            if time.monotonic() - self._checked_s >= _CACHE_S:
                self._is_available = await self._check()
                self._checked_s = time.monotonic()
            return self._is_available

    async def _check(self) -> bool:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await asyncio.to_thread(api.list_models)
        except (VidagentError, TimeoutError):
            return False
        return True
