"""LangServe's routes of the agent, with typed errors, also in the middle of a stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from langchain_core.callbacks import AsyncCallbackManagerForChainRun
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import get_config_list
from langserve import CustomUserType, add_routes
from langserve.server import EndpointName
from pydantic import BaseModel, ValidationError
from sse_starlette import EventSourceResponse

from vidagent.serve.core.caller import Client, client_of, requires
from vidagent.serve.core.concurrency import LimitedRoute
from vidagent.serve.core.errors import ApiError, error_body, log_error, request_id
from vidagent.serve.core.question_service import EventBody, QuestionService
from vidagent.serve.core.schemas import AnswerBody, QuestionBody

PATH = "/vidagent"
_CLIENT = "client"
"""Key of the client in a runnable's configuration."""
_ENDPOINTS: tuple[EndpointName, ...] = (
    "invoke",
    "batch",
    "stream",
    "stream_events",
    "input_schema",
    "output_schema",
    "config_schema",
)
_PLAYGROUND: tuple[EndpointName, ...] = ("playground", "stream_log")
"""The playground needs `stream_log`, which exposes too much to untrusted clients."""

_UNREADABLE = "the body is not valid JSON"


class Question(QuestionBody, CustomUserType):
    """A question about a video."""  # CustomUserType: the runnable gets it as it is, not as a dict


class _RunBody(BaseModel):
    """LangServe's body around a question."""

    input: Any
    config: dict[str, Any] = {}
    kwargs: dict[str, Any] = {}


class _BatchBody(BaseModel):
    """LangServe's body around the questions of a batch."""

    inputs: list[Any]
    config: dict[str, Any] | list[dict[str, Any]] = {}
    kwargs: dict[str, Any] = {}


def router(service: QuestionService, *, max_batch: int, playground: bool) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(route_class=_Route)
    add_routes(
        routes,
        AgentRunnable(service, max_batch),
        input_type=Question,
        output_type=AnswerBody,
        path=PATH,
        config_keys=("configurable",),  # replaced below by the client
        dependencies=[Depends(requires("ask")), Depends(_validate_body)],
        per_req_config_modifier=_for_client,
        enabled_endpoints=(*_ENDPOINTS, *(_PLAYGROUND if playground else ())),
    )
    return routes


def _for_client(config: dict[str, Any], request: Request) -> dict[str, Any]:
    return {**config, "configurable": {_CLIENT: client_of(request)}}


async def _validate_body(request: Request) -> None:
    """Validate the body around a question, which LangServe accepts unchecked or fails on."""
    if request.method != "POST":
        return
    body = _BatchBody if request.url.path.endswith("/batch") else _RunBody
    try:
        body.model_validate(await request.json())
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error
    except ValueError as error:
        raise ApiError(422, "invalid", _UNREADABLE) from error


class _Route(LimitedRoute):
    """A route that reports errors as all others do."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """Return the handler, wrapped."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                response = await handle(request)
            except ValidationError as error:
                if error.title != Question.__name__:
                    raise
                raise RequestValidationError(error.errors()) from error
            except RecursionError as error:
                raise ApiError(422, "invalid", _UNREADABLE) from error
            if isinstance(response, EventSourceResponse):
                response.body_iterator = _with_errors(response.body_iterator, request_id(request))
            return response

        return handled


async def _with_errors(events: Any, id_: str) -> AsyncGenerator[dict[str, Any]]:  # noqa: ANN401 - as sse_starlette types it
    """Pass the events of a stream on, with LangServe's "Internal Server Error" replaced by the error."""
    async with aclosing(events):
        async for event in events:
            if event.get("event") != "error":
                yield event
                continue
            try:
                await anext(events)  # LangServe sends the error event first, then raises the error
            except Exception as error:  # noqa: BLE001 - the serving edge
                api_error = log_error(error, id_)
                data = {"status_code": api_error.status_code, **error_body(api_error, id_)["error"]}
                yield {"event": "error", "data": json.dumps(data)}
            return


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
    client = config["configurable"][_CLIENT]
    assert isinstance(client, Client)  # noqa: S101 - set by the server for each request
    return client
