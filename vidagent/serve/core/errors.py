"""Errors as clients see them: status, code, message and request id; no stack traces and no paths."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
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
"""An absolute path of at least two parts, but not the path of a URL."""
_ADDRESS = re.compile(r"https?://[^\s'\"<>]*[^\s'\"<>.,:;)]", re.IGNORECASE)
_MAX_DETAILS = 20
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class ErrorDetail(BaseModel):
    """An error."""

    code: str = Field(description="a stable word for programs")
    message: str = Field(description="one line for people")
    id: str = Field(description="the request's id, also in the header `x-request-id` and in the server's log")
    details: list[str] | None = Field(default=None, description="which field is wrong, and how")


class ErrorBody(BaseModel):
    """The body of every error response."""

    error: ErrorDetail


class ApiError(HTTPException):
    """An error response: `code` is a stable word for programs, `message` one line for people."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: dict[str, str] | None = None,
        details: Sequence[str] = (),
    ) -> None:
        """Set the message as the exception's detail."""
        super().__init__(status, message, headers)
        self.code = code
        self.details = list(details)


def to_api_error(error: BaseException) -> ApiError:
    """Return an error as clients may see it; unexpected ones become `internal`."""
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
            return ApiError(502, "model", "the model could not be reached, or its replies were unusable")
    return ApiError(500, "internal", "internal error; the server's log has the details under this id")


def log_error(error: BaseException, id_: str) -> ApiError:
    """Log an unexpected or server-side error, and return it as clients may see it."""
    api_error = to_api_error(error)
    if api_error.status_code >= 500 and not isinstance(error, HTTPException):
        unexpected = error if api_error.code == "internal" else None
        _log.error("%s", error, exc_info=unexpected, extra={"request": id_, "code": api_error.code})
    return api_error


def error_body(error: ApiError, id_: str) -> dict[str, Any]:
    """Return the JSON of an error."""
    detail = ErrorDetail(code=error.code, message=str(error.detail), id=id_, details=error.details or None)
    return ErrorBody(error=detail).model_dump(exclude_none=True)


def error_response(error: ApiError, id_: str) -> JSONResponse:
    """Return an error as a response."""
    return JSONResponse(error_body(error, id_), error.status_code, dict(error.headers or {}))


def request_id(request: Request) -> str:
    """Return the id that `RequestMiddleware` gave a request."""
    return str(request.state.request_id)


def install_error_handlers(app: FastAPI) -> None:
    """Make the app report all errors in this form."""

    async def handle(request: Request, error: Exception) -> JSONResponse:
        id_ = request_id(request)
        api_error = log_error(error, id_)
        if api_error.status_code == 405:  # Starlette lists the methods of one route; a path may have several
            api_error.headers = {"Allow": ", ".join(_methods(app, request))}
        return error_response(api_error, id_)

    for kind in (HTTPException, RequestValidationError, UsageError, VideoError, ModelError):
        app.add_exception_handler(kind, handle)


def _methods(app: FastAPI, request: Request) -> list[str]:
    """Return the methods that the path of a request allows."""
    return [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in app.routes)
    ]


def without_paths(text: str, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """Replace the server's paths in a text: those of videos with the client's names, others with an ellipsis."""
    for path, name in names.items():
        text = text.replace(path, name)
    return _PATH.sub("…", text)


def without_addresses(text: str) -> str:
    """Replace the addresses of the servers that this one asks in a text by an ellipsis."""
    return _ADDRESS.sub("…", text)


def _details(errors: Sequence[Any]) -> list[str]:
    """Return which fields are wrong, without their values."""
    details = []
    for error in errors[:_MAX_DETAILS]:
        if isinstance(error, str):
            details.append(error)
            continue
        field = ".".join(str(part) for part in error.get("loc", ()) if part != "body")
        details.append(f"{field or 'body'}: {error.get('msg', 'not valid')}")
    return details
