"""How large a request's body may be: refused by its announced length, else by what came."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vidagent.serve.core.errors import ApiError


class BodyLimit:
    """Wraps the app; a route that takes more says so with `allow` before it reads."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        """Stand around the app with the limit of routes that say nothing."""
        self._app = app
        self._most = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose body is counted as it is read."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        allow(scope, self._most)
        announced = Headers(scope=scope).get("content-length", "")
        came = int(announced) if announced.isdecimal() else 0
        first = True

        async def counted() -> Message:
            nonlocal came, first
            if first:
                _check(scope, came)
                came, first = 0, False
            message = await receive()
            came += len(message.get("body", b""))
            _check(scope, came)
            return message

        return await self._app(scope, counted, send)


def allow(scope: Scope, most_bytes: int) -> None:
    """Set how large the body of a request may be."""
    scope.setdefault("state", {})["body_limit"] = most_bytes


def _check(scope: Scope, size: int) -> None:
    most = scope["state"]["body_limit"]
    if size > most:
        raise ApiError(413, "too_large", f"the body is larger than {most:,} bytes", {"Connection": "close"})
