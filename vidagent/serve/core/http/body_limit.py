"""Limit on the size of request bodies, by the announced length and by the bytes received."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.schemas import HOW_TO_UPLOAD


@dataclass
class BodyLimit:
    """ASGI middleware that limits request bodies; a route raises its limit with `allow` before it reads."""

    app: ASGIApp
    max_bytes: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, counting its body as it is read."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        allow(scope, self.max_bytes)
        announced = content_length(Headers(scope=scope))
        received = -1

        async def count() -> Message:
            nonlocal received
            if received < 0:  # checked at the first read, as the route has set its limit by then
                _check(scope, announced)
                received = 0
            message = await receive()
            received += len(message.get("body", b""))
            _check(scope, received)
            return message

        return await self.app(scope, count, send)


def content_length(headers: Headers) -> int:
    """Return the announced length of a body; 0 if there is none."""
    text = headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0


def allow(scope: Scope, max_bytes: int, hint: str = f"if it has a video in it, {HOW_TO_UPLOAD}") -> None:
    """Set the limit for the body of a request, and what to do about a larger one."""
    scope.setdefault("state", {}).update(body_limit=max_bytes, body_hint=hint)


def _check(scope: Scope, size: int) -> None:
    limit = scope["state"]["body_limit"]
    if size > limit:
        message = f"the body is larger than {limit:,} bytes; {scope['state']['body_hint']}"
        raise ApiError(413, "too_large", message, {"Connection": "close"})
