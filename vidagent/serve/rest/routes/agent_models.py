"""The route that lists the models behind the agent."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from vidagent.serve.core.agent_models import AgentModels
from vidagent.serve.core.caller import requires
from vidagent.serve.core.schemas import AgentModelList


def router(models: AgentModels) -> APIRouter:
    """Return the route."""
    routes = APIRouter(prefix="/v1/agent-models", tags=["models"], dependencies=[Depends(requires("ask"))])

    @routes.get("")
    async def listed() -> AgentModelList:
        """List the models that a question may name as `model`; the one that answers by default comes first."""
        return AgentModelList(data=await models.listed())

    return routes
