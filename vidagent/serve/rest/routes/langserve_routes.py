"""LangServe's routes of the agent, with typed errors, also in the middle of a stream."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from langserve import CustomUserType, add_routes
from langserve.server import EndpointName
from pydantic import BaseModel, ValidationError
from sse_starlette import EventSourceResponse

from vidagent.serve.core.caller import client_of, requires
from vidagent.serve.core.concurrency import LimitedRoute
from vidagent.serve.core.errors import ApiError, error_body, log_error, request_id
from vidagent.serve.core.question_service import QuestionService
from vidagent.serve.core.schemas import AnswerBody, QuestionBody
from vidagent.serve.rest.runnable import CLIENT, AgentRunnable

PATH = "/vidagent"
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
    return {**config, "configurable": {CLIENT: client_of(request)}}


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
