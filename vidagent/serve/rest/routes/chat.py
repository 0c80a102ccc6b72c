"""OpenAI-compatible chat completions: the last message is the question, and steps stream as reasoning.

A video in the request itself, as a data URL, is stored as an upload first: reports, clips and later questions need it.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sse_starlette import EventSourceResponse
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from vidagent.serve.core.caller import Client, check_scope, client_of, requires
from vidagent.serve.core.concurrency import LimitedRoute
from vidagent.serve.core.errors import error_body, log_error, request_id
from vidagent.serve.core.http.body_limit import allow
from vidagent.serve.core.http.options import MB
from vidagent.serve.core.question_service import QuestionService
from vidagent.serve.core.schemas import QuestionBody
from vidagent.serve.core.storage.data_url import DataUrl
from vidagent.serve.core.storage.files import UploadedFiles
from vidagent.serve.rest.routes.chat_schemas import MODEL, ChatRequest, Model, ModelList, model_not_found

_STEPS = frozenset({"step", "look", "observation", "claim", "verdict", "note"})
MAX_BODY_BYTES = 32 * MB
"""Largest body of a completion: a video of 24 MB in base64. It is held in memory, so larger ones are uploaded."""


class _Route(LimitedRoute):
    """A route whose requests may have a video in them."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        allow(scope, MAX_BODY_BYTES)
        return await super().handle(scope, receive, send)


def router(service: QuestionService, files: UploadedFiles) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(
        prefix="/v1", tags=["chat"], dependencies=[Depends(requires("ask"))], route_class=_Route
    )

    @routes.post(
        "/chat/completions",
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def complete(request: Request, chat: ChatRequest) -> Response:
        """Answer a question about a video; the whole answer is in the field `vidagent`."""
        client, id_ = client_of(request), request_id(request)
        videos = chat.videos()
        try:
            chat.question([str(video) for video in videos])  # before anything is stored
            question = chat.question([await _name_of(video, files, client) for video in videos])
        except ValidationError as error:
            raise RequestValidationError(error.errors()) from error
        if not chat.stream:
            return JSONResponse(_completion(id_, await service.answer(client, question)))
        await service.check(client, question)
        with_usage = bool(chat.stream_options and chat.stream_options.include_usage)
        return EventSourceResponse(_stream(service, client, question, id_, with_usage=with_usage))

    @routes.get("/models")
    async def models() -> ModelList:
        """List the models: there is one, the agent; the server chooses the model behind it."""
        return ModelList(data=[Model()])

    @routes.get("/models/{id}")
    async def model(id: str) -> Model:  # noqa: A002 - the path's word
        """Return a model."""
        if id != MODEL:
            raise model_not_found()
        return Model()

    return routes


async def _name_of(video: str | DataUrl, files: UploadedFiles, client: Client) -> str:
    """Return the name of a video; one that is in the request itself is stored as an upload."""
    if isinstance(video, str):
        return video
    check_scope(client, "files")
    return (await files.add(client, video)).id


def _completion(id_: str, answer: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer["answer"]}
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(answer)}
    return {**_head(id_, "chat.completion"), "choices": [choice], "usage": _usage(answer), "vidagent": answer}


async def _stream(
    service: QuestionService, client: Client, question: QuestionBody, id_: str, *, with_usage: bool
) -> AsyncGenerator[dict[str, str]]:
    """Yield the chunks of a completion: the steps as they come, then the answer.

    The answer's text is sent once it has been verified, as clients cannot retract it.
    """
    head = _head(id_, "chat.completion.chunk")

    def chunk(delta: dict[str, str], reason: str | None = None, **more: object) -> dict[str, str]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return {"data": json.dumps({**head, "choices": [choice], **more})}

    tenth = 0  # of a long step, each told once
    yield chunk({"role": "assistant", "content": ""})
    try:
        async with aclosing(service.events(client, question)) as events:
            async for event in events:
                if event["kind"] == "progress":
                    told, tenth = tenth, int(10 * event["data"]["fraction"])
                if event["kind"] in _STEPS or (event["kind"] == "progress" and tenth != told):
                    yield chunk({"reasoning_content": f"{event['text']}\n"})
                elif event["kind"] == "answer":
                    answer = event["data"]["answer"]
                    yield chunk({"content": answer["answer"]})
                    yield chunk({}, _finish_reason(answer), vidagent=answer)
                    if with_usage:
                        yield {"data": json.dumps({**head, "choices": [], "usage": _usage(answer)})}
    except Exception as error:  # noqa: BLE001 - the serving edge
        yield {"data": json.dumps(error_body(log_error(error, id_), id_))}
        return
    yield {"data": "[DONE]"}


def _head(id_: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{id_}", "object": kind, "created": int(time.time()), "model": MODEL}


def _finish_reason(answer: dict[str, Any]) -> str:
    """Return the `finish_reason`: an answer ended by its budget counts as cut by length."""
    return "length" if answer["status"] == "partial" else "stop"


def _usage(answer: dict[str, Any]) -> dict[str, Any]:
    cost = answer["usage"]
    return {
        "prompt_tokens": cost["prompt_tokens"],
        "completion_tokens": cost["completion_tokens"],
        "total_tokens": cost["prompt_tokens"] + cost["completion_tokens"],
        "prompt_tokens_details": {"cached_tokens": cost["cached_tokens"]},
        "completion_tokens_details": {"reasoning_tokens": cost["thinking_tokens"]},
    }
