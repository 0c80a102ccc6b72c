"""The models that may answer questions: the embedded one, and those of the model servers within reach."""

from __future__ import annotations

import asyncio
import math
import time

from vidagent import api, config
from vidagent.agents.server.connection import public_url
from vidagent.errors import VidagentError
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.schemas import AgentModelBody

_CACHE_S = 5.0
_TIMEOUT_S = 30.0
"""A model server that is starting, or a busy machine, may take as long to list its models."""
_RETRY_S = "5"


class AgentModels:
    """Lists the models, at most every few seconds however often clients ask."""

    def __init__(self) -> None:
        """List nothing yet."""
        self._models: list[AgentModelBody] | None = None
        self._listed_s = -math.inf
        self._lock = asyncio.Lock()

    async def listed(self) -> list[AgentModelBody]:
        """Return the models by the names to use in questions; the default one first.

        Raises:
            ApiError: If the model server that the settings name does not answer.
        """
        async with self._lock:
            if time.monotonic() - self._listed_s >= _CACHE_S:
                self._models = await _try_to_list()
                self._listed_s = time.monotonic()
            if self._models is None:
                raise ApiError(
                    503, "not_ready", "the model's server does not answer", {"Retry-After": _RETRY_S}
                )
            return self._models

    async def check(self, name: str | None) -> None:
        """Raise an `ApiError` if a question names a model that there is not."""
        if name is None:
            return
        names = [model.id for model in await self.listed()]
        if name not in names:
            raise ApiError(422, "no_such_model", f"there is no model {name!r}; there are {', '.join(names)}")


async def _try_to_list() -> list[AgentModelBody] | None:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await asyncio.to_thread(_list)
    except (VidagentError, TimeoutError):
        return None


def _list() -> list[AgentModelBody]:
    """Return the models that a name alone selects: with a base URL in the settings, only those of that server."""
    settings, found = config.load(), api.list_models()
    if settings.base_url is not None:
        found = [model for model in found if model.where in {None, public_url(settings.base_url)}]
    models = {
        model.model: AgentModelBody(
            id=model.model,
            default=model.chosen,
            embedded=model.where is None,
            sees=model.sees,
            context_tokens=model.context_tokens,
        )
        for model in reversed(found)  # of two servers with a model, the first is asked
    }
    if settings.model is not None and not any(model.default for model in models.values()):
        models[settings.model] = AgentModelBody(id=settings.model, default=True, embedded=False)
    return sorted(models.values(), key=lambda model: (not model.default, model.embedded, model.id))
