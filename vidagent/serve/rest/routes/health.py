"""Liveness and readiness probes, open to clients without a key."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from vidagent.serve.core.agent_models import AgentModels
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.http.draining import DrainState
from vidagent.serve.core.storage.disk import Disk

_DISK_RETRY_S = "60"


class Health(BaseModel):
    """A healthy server."""

    status: Literal["ok"] = "ok"


def router(disk: Disk, drain: DrainState, models: AgentModels) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["health"])

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
        await models.listed()
        return Health()

    return routes
