"""The outermost layer: every request has an id, ends in a log line, and is cancelled when its client leaves."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vidagent import tracing
from vidagent.serve.core.errors import log_error, reply
from vidagent.serve.core.http.metrics import Metrics

_log = logging.getLogger(__name__)
_LEFT = 499
"""What the log says of a client that left before it had its answer; it gets no reply."""


class RequestMiddleware:
    """Wraps the app; also the only place where an unforeseen error ends."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        """Stand around the app, and count."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or pass on what is none."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        exchange = _Exchange(scope, receive, send)
        scope.setdefault("state", {})["request_id"] = exchange.id
        began = time.monotonic()
        # Newer FastAPIs open a span of their own round all of this; one of a request is enough.
        with tracing.span(
            scope["method"], kind="server", carrier=Headers(scope=scope), when=not tracing.is_traced()
        ) as span:
            try:
                await self._serve(exchange)
            finally:
                self._note(exchange, time.monotonic() - began, span)
        return None

    def _note(self, exchange: _Exchange, seconds: float, span: tracing.Span) -> None:
        scope = exchange.scope
        route = getattr(scope.get("route"), "path", None)
        self._metrics.request(scope["method"], route, exchange.status, seconds)
        span.rename(f"{scope['method']} {route}" if route else scope["method"])
        span.set(
            {
                "http.request.method": scope["method"],
                "http.route": route,
                "http.response.status_code": exchange.status,
                "vidagent.request_id": exchange.id,
            }
        )
        if (exchange.status or 500) >= 500:
            span.fail(str(exchange.status))
        _log.info(
            "request",
            extra={
                "request": exchange.id,
                "client": getattr(scope["state"].get("client"), "owner", None),
                "method": scope["method"],
                "route": route,
                "status": exchange.status,
                "seconds": round(seconds, 3),
            },
        )

    async def _ask(self, exchange: _Exchange) -> None:
        await self._app(exchange.scope, exchange.receive, exchange.send)

    async def _serve(self, exchange: _Exchange) -> None:
        """Run the app beside a watch on the client; whichever ends first ends the other."""
        work = asyncio.create_task(self._ask(exchange))
        watch = asyncio.create_task(exchange.until_left())
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                exchange.status = _LEFT
                work.cancel()
            await work
        except asyncio.CancelledError:
            if exchange.status != _LEFT:
                raise
        except Exception as error:  # noqa: BLE001 - the serving edge: never a bare traceback
            refusal = log_error(error, exchange.id)
            if exchange.status is None:
                await reply(refusal, exchange.id)(exchange.scope, exchange.receive, exchange.send)
        finally:
            work.cancel()
            watch.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)


@dataclass
class _Exchange:
    """One request and its reply.

    Args:
        scope: What is known of it.
        source: Where its body comes from.
        sink: Where its reply goes.
    """

    scope: Scope
    source: Receive
    sink: Send
    id: str = field(default_factory=lambda: f"req-{secrets.token_hex(8)}")
    status: int | None = None
    _read: asyncio.Event = field(default_factory=asyncio.Event)
    _left: asyncio.Event = field(default_factory=asyncio.Event)
    _answered: bool = False
    _empty: bool = False

    def __post_init__(self) -> None:
        """Where no body comes, the client is watched from the start, as nobody may ever read one."""
        headers = Headers(scope=self.scope)
        if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
            self._empty = True
            self._read.set()

    async def receive(self) -> Message:
        """Return the next piece of the body; after the last one, wait until the client leaves."""
        if self._empty:
            self._empty = False
            return {"type": "http.request", "body": b"", "more_body": False}
        if self._read.is_set():
            await self._left.wait()
            return {"type": "http.disconnect"}
        message = await self.source()
        if message["type"] == "http.disconnect":
            self._left.set()
        if not message.get("more_body", False):
            self._read.set()
        return message

    async def send(self, message: Message) -> None:
        """Send a piece of the reply, the id in its headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", []), (b"x-request-id", self.id.encode())]
            message = {**message, "headers": headers}
        elif not message.get("more_body", False):
            self._answered = True
        await self.sink(message)

    async def until_left(self) -> None:
        """Return when the client has left before it had its whole answer."""
        await self._read.wait()
        while not self._left.is_set():
            if (await self.source())["type"] == "http.disconnect":
                break
        if self._answered:  # servers report the end of the exchange the same way
            await asyncio.Event().wait()
        self._left.set()
