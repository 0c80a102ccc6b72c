"""The agent as a LangChain runnable: a question goes in, the answer comes out, and as a stream the events before it."""

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
"""The name under which the configuration holds who asks."""


class Agent(Runnable[Any, dict[str, Any]]):
    """Answers questions in the name of the client that stands in the configuration.

    Args:
        desk: Where questions are answered.
        most: Most questions of one batch.
    """

    name = "vidagent"

    def __init__(self, desk: QuestionService, most: int) -> None:
        """Keep them."""
        self._desk = desk
        self._most = most

    def invoke(
        self,
        input: Any,  # noqa: A002, ANN401 - the interface of langchain
        config: RunnableConfig | None = None,
        **kwargs: Any,  # noqa: ANN401 - likewise
    ) -> dict[str, Any]:
        """Answer a question outside of an event loop."""
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
        """Answer questions one after another, so that a batch takes no more of the server than one question.

        Raises:
            ApiError: If there are too many.
        """
        if len(inputs) > self._most:
            told = f"a batch holds at most {self._most} inputs; got {len(inputs)}"
            raise ApiError(422, "too_many_inputs", told)
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
        """Yield the events of a run; the last one has the answer."""

        async def one() -> AsyncIterator[Any]:
            yield input

        async for event in self._atransform_stream_with_config(one(), self._events, config, **kwargs):
            yield event

    async def _answer(
        self,
        given: QuestionBody | dict[str, Any],
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
    ) -> dict[str, Any]:
        return await self._desk.answer(_client(config), QuestionBody.model_validate(given))

    async def _events(
        self, given: AsyncIterator[Any], run_manager: AsyncCallbackManagerForChainRun, config: RunnableConfig
    ) -> AsyncGenerator[EventBody]:
        async for question in given:
            async for event in self._desk.events(_client(config), QuestionBody.model_validate(question)):
                yield event


def _client(config: RunnableConfig) -> Client:
    client = config["configurable"][CLIENT]
    assert isinstance(client, Client)  # noqa: S101 - set for each request by the server itself
    return client
