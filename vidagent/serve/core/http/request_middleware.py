"""The outermost middleware: request ids, log lines, metrics, and cancellation when a client disconnects."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vidagent import tracing
from vidagent.serve.core.errors import ApiError, error_response, log_error
from vidagent.serve.core.http.metrics import Metrics

_log = logging.getLogger(__name__)
_CLIENT_CLOSED = 499
"""Status in the log for a client that disconnected before the response; nothing is sent."""
SILENCE_S = 30.0
"""Longest wait for the next bytes of a body."""
GRACE_S = 30.0
LEAST_BYTES_PER_S = 1000
"""A body may keep its reader waiting for that long, and for a second more for each so many bytes that have come."""


@dataclass
class RequestMiddleware:
    """ASGI middleware; also the only place that handles unexpected errors."""

    app: ASGIApp
    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve an HTTP request; pass everything else on."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        exchange = _Exchange(scope, receive, send)
        scope.setdefault("state", {})["request_id"] = exchange.id
        began = time.monotonic()
        # Newer versions of FastAPI open a span around all of this; one per request is enough.
        with tracing.span(
            scope["method"], kind="server", carrier=Headers(scope=scope), when=not tracing.is_traced()
        ) as span:
            try:
                await self._serve(exchange)
            finally:
                self._record(exchange, time.monotonic() - began, span)
        return None

    def _record(self, exchange: _Exchange, seconds: float, span: tracing.Span) -> None:
        scope = exchange.scope
        route = getattr(scope.get("route"), "path", None)
        self.metrics.request(scope["method"], route, exchange.status, seconds)
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

    async def _call_app(self, exchange: _Exchange) -> None:
        exchange.check_framing()
        await self.app(exchange.scope, exchange.receive, exchange.send)

    async def _serve(self, exchange: _Exchange) -> None:
        """Run the app while watching for a disconnect; whichever ends first cancels the other."""
        work = asyncio.create_task(self._call_app(exchange))
        watch = asyncio.create_task(exchange.until_disconnect())
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                exchange.status = _CLIENT_CLOSED
                work.cancel()
            await work
        except asyncio.CancelledError:
            if exchange.status != _CLIENT_CLOSED:
                raise
        except Exception as error:  # noqa: BLE001 - the serving edge: never a bare traceback
            if exchange.disconnected:  # whatever came of it, as nobody is there to be told
                exchange.status = _CLIENT_CLOSED
                return
            api_error = log_error(error, exchange.id)
            if exchange.status is None:
                await error_response(api_error, exchange.id)(exchange.scope, exchange.receive, exchange.send)
        finally:
            work.cancel()
            watch.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)


@dataclass
class _Exchange:
    """One request and its response."""

    scope: Scope
    receive_raw: Receive
    send_raw: Send
    id: str = field(default_factory=lambda: f"req-{secrets.token_hex(8)}")
    status: int | None = None
    _read: asyncio.Event = field(default_factory=asyncio.Event)
    _disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    _answered: bool = False
    _empty: bool = False
    _received: int = 0
    _waited_s: float = 0.0

    def __post_init__(self) -> None:
        """Watch a client that sends no body from the start, as the app may never read it."""
        headers = Headers(scope=self.scope)
        if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
            self._empty = True
            self._read.set()

    @property
    def disconnected(self) -> bool:
        """Whether the client left before the end of the response."""
        return self._disconnected.is_set()

    def check_framing(self) -> None:
        """Raise an `ApiError` for a body whose end a proxy before this server may see elsewhere (RFC 9112, 6.1).

        h11 refuses the rest of the kind: different lengths, codings other than `chunked`, malformed headers.
        """
        headers = Headers(scope=self.scope)
        if "transfer-encoding" in headers and (
            "content-length" in headers or self.scope.get("http_version") == "1.0"
        ):
            message = "Transfer-Encoding is for HTTP/1.1, and without Content-Length"
            raise ApiError(400, "bad_request", message, {"Connection": "close"})

    async def receive(self) -> Message:
        """Return the next chunk of the body; after the last one, wait for the client to disconnect."""
        if self._empty:
            self._empty = False
            return {"type": "http.request", "body": b"", "more_body": False}
        if self._read.is_set():
            await self._disconnected.wait()
            return {"type": "http.disconnect"}
        message = await self._next_chunk()
        if message["type"] == "http.disconnect":
            self._disconnected.set()
        if not message.get("more_body", False):
            self._read.set()
        return message

    async def _next_chunk(self) -> Message:
        """Return the next chunk of the body; raise an `ApiError` if the client is too slow with it."""
        left_s = GRACE_S + self._received / LEAST_BYTES_PER_S - self._waited_s
        began = time.monotonic()
        try:
            async with asyncio.timeout(min(SILENCE_S, left_s)):
                message = await self.receive_raw()
        except TimeoutError as error:
            raise ApiError(408, "too_slow", "the body comes too slowly", {"Connection": "close"}) from error
        self._waited_s += time.monotonic() - began
        self._received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Send a chunk of the response, with the id in its headers and for pages of this server only."""
        if message["type"] == "http.response.start":
            self.status = _CLIENT_CLOSED if self.disconnected else message["status"]
            headers = MutableHeaders(raw=[*message.get("headers", [])])
            headers["X-Request-Id"] = self.id
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            message = {**message, "headers": headers.raw}
        elif not message.get("more_body", False):
            self._answered = True
        await self.send_raw(message)

    async def until_disconnect(self) -> None:
        """Return when the client has disconnected before the end of the response."""
        await self._read.wait()
        while not self._disconnected.is_set():
            if (await self.receive_raw())["type"] == "http.disconnect":
                break
        if self._answered:  # servers also report the end of an exchange as a disconnect
            await asyncio.Event().wait()
        self._disconnected.set()
