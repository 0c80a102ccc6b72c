"""LangServe's routes of the agent, with what LangServe lacks: typed errors, also in the middle of a stream."""

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

from vidagent.serve.core.caller import client_of, needs
from vidagent.serve.core.concurrency import LimitedRoute
from vidagent.serve.core.errors import ApiError, error_body, log_error, request_id
from vidagent.serve.core.question_service import QuestionService
from vidagent.serve.core.schemas import AnswerBody, QuestionBody
from vidagent.serve.rest.runnable import CLIENT, Agent

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
"""The playground's page asks `stream_log`, which takes more trust than a stranger deserves."""

_UNREADABLE = "the body is not JSON that can be read"


class Question(QuestionBody, CustomUserType):
    """A question about a video."""  # which reaches the agent as it is, not as a dict


class _One(BaseModel):
    """What stands around a question."""

    input: Any
    config: dict[str, Any] = {}
    kwargs: dict[str, Any] = {}


class _Many(BaseModel):
    """What stands around the questions of a batch."""

    inputs: list[Any]
    config: dict[str, Any] | list[dict[str, Any]] = {}
    kwargs: dict[str, Any] = {}


def router(desk: QuestionService, *, most: int, playground: bool) -> APIRouter:
    """Return the routes.

    Args:
        desk: Where questions are answered.
        most: Most questions of one batch.
        playground: Whether to serve LangServe's playground, too.
    """
    routes = APIRouter(route_class=_Route)
    add_routes(
        routes,
        Agent(desk, most),
        input_type=Question,
        output_type=AnswerBody,
        path=PATH,
        config_keys=("configurable",),  # the client below is put there, in place of whatever was sent
        dependencies=[Depends(needs("ask")), Depends(_well_formed)],
        per_req_config_modifier=_for_client,
        enabled_endpoints=(*_ENDPOINTS, *(_PLAYGROUND if playground else ())),
    )
    return routes


def _for_client(config: dict[str, Any], request: Request) -> dict[str, Any]:
    return {**config, "configurable": {CLIENT: client_of(request)}}


async def _well_formed(request: Request) -> None:
    """Refuse what the document forbids around a question: LangServe takes it, or fails over it."""
    if request.method != "POST":
        return
    body = _Many if request.url.path.endswith("/batch") else _One
    try:
        body.model_validate(await request.json())
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error
    except ValueError as error:
        raise ApiError(422, "invalid", _UNREADABLE) from error


class _Route(LimitedRoute):
    """A route that tells its errors as the others do."""

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
                response.body_iterator = _with_faults(response.body_iterator, request_id(request))
            return response

        return handled


async def _with_faults(events: Any, id_: str) -> AsyncGenerator[dict[str, Any]]:  # noqa: ANN401 - as sse_starlette types it
    """Pass the events of a stream on; say in an error what went wrong, in place of "Internal Server Error"."""
    async with aclosing(events):
        async for event in events:
            if event.get("event") != "error":
                yield event
                continue
            try:
                await anext(events)  # LangServe tells the error to the client first, and raises it then
            except Exception as error:  # noqa: BLE001 - the serving edge
                refusal = log_error(error, id_)
                data = {"status_code": refusal.status_code, **error_body(refusal, id_)["error"]}
                yield {"event": "error", "data": json.dumps(data)}
            return
