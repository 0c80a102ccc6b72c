"""Errors as clients see them: a status, a code, a line for people and the request's id; no stack and no path."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from vidagent.errors import ModelError, UsageError, VideoError

_log = logging.getLogger(__name__)
_CODES = {
    400: "bad_request",
    401: "no_key",
    403: "forbidden",
    404: "not_found",
    405: "wrong_method",
    413: "too_large",
    415: "wrong_media_type",
    422: "invalid",
    429: "too_many",
    503: "busy",
    504: "too_late",
}
_PATH = re.compile(r"(?<![\w:/])/(?:[^\s/'\"]+/)+[^\s/'\":;,)]*")
"""An absolute path of two parts at least; the path of an address has a host before it."""
_MOST_DETAILS = 20
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: str = Field(description="a word that programs can rely on")
    message: str = Field(description="one line for people")
    id: str = Field(description="the request's id, also in the header `x-request-id` and in the server's log")
    details: list[str] | None = Field(default=None, description="which field is wrong, and how")


class ErrorBody(BaseModel):
    """The body of every reply that is an error."""

    error: ErrorDetail


class ApiError(HTTPException):
    """A request that is not served.

    Args:
        status: The HTTP status.
        code: A word that programs can rely on.
        message: One line for people.
        headers: Further headers, such as `Retry-After`.
        details: Which field is wrong, and how.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: dict[str, str] | None = None,
        details: Sequence[str] = (),
    ) -> None:
        """Keep what to say."""
        super().__init__(status, message, headers)
        self.code = code
        self.details = list(details)


def told(error: BaseException) -> ApiError:
    """Return an error as it may be told to a client; what is not meant for one becomes `internal`."""
    match error:
        case ApiError():
            return error
        case RequestValidationError():
            return ApiError(422, "invalid", "the request is not valid", details=_details(error.errors()))
        case HTTPException():
            headers = dict(error.headers) if error.headers else None
            return ApiError(
                error.status_code, _CODES.get(error.status_code, "failed"), str(error.detail), headers
            )
        case UsageError():
            return ApiError(422, "invalid", without_paths(str(error)))
        case VideoError():
            return ApiError(422, "video", without_paths(str(error)))
        case ModelError():
            return ApiError(502, "model", "the model could not be asked, or its replies could not be used")
    return ApiError(500, "internal", "something went wrong in the server; its log says what, under this id")


def log_error(error: BaseException, id_: str) -> ApiError:
    """Return an error as it may be told, and write the rest into the log."""
    refusal = told(error)
    if refusal.status_code >= 500 and not isinstance(error, HTTPException):
        unforeseen = error if refusal.code == "internal" else None
        _log.error("%s", error, exc_info=unforeseen, extra={"request": id_, "code": refusal.code})
    return refusal


def error_body(refusal: ApiError, id_: str) -> dict[str, Any]:
    """Return the JSON of an error."""
    fault = ErrorDetail(
        code=refusal.code, message=str(refusal.detail), id=id_, details=refusal.details or None
    )
    return ErrorBody(error=fault).model_dump(exclude_none=True)


def reply(refusal: ApiError, id_: str) -> JSONResponse:
    """Return the response that tells an error."""
    return JSONResponse(error_body(refusal, id_), refusal.status_code, dict(refusal.headers or {}))


def request_id(request: Request) -> str:
    """Return the id of a request, as the edge gave it."""
    return str(request.state.request_id)


def install(app: FastAPI) -> None:
    """Have the app tell its errors in this form."""

    async def tell(request: Request, error: Exception) -> JSONResponse:
        id_ = request_id(request)
        refusal = log_error(error, id_)
        if (
            refusal.status_code == 405
        ):  # of which the router tells one route's methods, where a path has several
            refusal.headers = {"Allow": ", ".join(_methods(app, request))}
        return reply(refusal, id_)

    for kind in (HTTPException, RequestValidationError, UsageError, VideoError, ModelError):
        app.add_exception_handler(kind, tell)


def _methods(app: FastAPI, request: Request) -> list[str]:
    """Return the methods that the path of a request may be asked with."""
    return [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in app.routes)
    ]


def without_paths(text: str) -> str:
    """Return a text in which no path of the server stands."""
    return _PATH.sub("…", text)


def _details(errors: Sequence[Any]) -> list[str]:
    """Say which fields are wrong, without what they hold."""
    found = []
    for error in errors[:_MOST_DETAILS]:
        if isinstance(error, str):
            found.append(error)
            continue
        where = ".".join(str(part) for part in error.get("loc", ()) if part != "body")
        found.append(f"{where or 'body'}: {error.get('msg', 'not valid')}")
    return found
