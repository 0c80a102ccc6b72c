"""The agent as a LangChain runnable: from a question to its answer, or to a stream of events that ends with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForChainRun
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import get_config_list

from vidagent.serve.core.caller import Client
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.question_service import EventBody, QuestionService
from vidagent.serve.core.schemas import QuestionBody

CLIENT = "client"
"""Key of the client in a runnable's configuration."""


class AgentRunnable(Runnable[Any, dict[str, Any]]):
    """Answers questions for the client in the runnable's configuration."""

    name = "vidagent"

    def __init__(self, service: QuestionService, max_batch: int) -> None:
        """Start nothing."""
        self._service = service
        self._max_batch = max_batch

    def invoke(
        self,
        input: Any,  # noqa: A002, ANN401 - LangChain's interface
        config: RunnableConfig | None = None,
        **kwargs: Any,  # noqa: ANN401 - likewise
    ) -> dict[str, Any]:
        """Answer a question without an event loop."""
        return asyncio.run(self.ainvoke(input, config, **kwargs))

    async def ainvoke(
        self,
        input: Any,  # noqa: A002, ANN401 - likewise
        config: RunnableConfig | None = None,
        **kwargs: Any,  # noqa: ANN401 - likewise
    ) -> dict[str, Any]:
        """Answer a question."""
        return await self._acall_with_config(self._answer, input, config, **kwargs)

    async def abatch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,  # noqa: ANN401 - likewise
    ) -> list[dict[str, Any]]:
        """Answer questions one after another, so that a batch uses no more of the server than one question."""
        if len(inputs) > self._max_batch:
            message = f"a batch holds at most {self._max_batch} inputs; got {len(inputs)}"
            raise ApiError(422, "too_many_inputs", message)
        answers: list[Any] = []
        for question, configured in zip(inputs, get_config_list(config, len(inputs)), strict=True):
            try:
                answers.append(await self.ainvoke(question, configured, **kwargs))
            except Exception as error:
                if not return_exceptions:
                    raise
                answers.append(error)
        return answers

    async def astream(
        self,
        input: Any,  # noqa: A002, ANN401 - likewise
        config: RunnableConfig | None = None,
        **kwargs: Any,  # noqa: ANN401 - likewise
    ) -> AsyncIterator[EventBody]:
        """Yield the events of a run; the last one contains the answer."""

        async def inputs() -> AsyncIterator[Any]:
            yield input

        async for event in self._atransform_stream_with_config(inputs(), self._events, config, **kwargs):
            yield event

    async def _answer(
        self,
        question: QuestionBody | dict[str, Any],
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
    ) -> dict[str, Any]:
        return await self._service.answer(_client(config), QuestionBody.model_validate(question))

    async def _events(
        self,
        questions: AsyncIterator[Any],
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
    ) -> AsyncGenerator[EventBody]:
        async for question in questions:
            async for event in self._service.events(_client(config), QuestionBody.model_validate(question)):
                yield event


def _client(config: RunnableConfig) -> Client:
    client = config["configurable"][CLIENT]
    assert isinstance(client, Client)  # noqa: S101 - set by the server for each request
    return client
