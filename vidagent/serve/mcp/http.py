"""The server over streamable HTTP: behind the doors of `vidagent serve`, for clients that it knows by name."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

from vidagent.errors import UsageError
from vidagent.serve.core.caller import Client
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.http.auth import Authentication
from vidagent.serve.core.http.logs import json_logging
from vidagent.serve.core.http.metrics import Metrics
from vidagent.serve.core.http.options import ServerOptions, is_loopback
from vidagent.serve.core.http.request_middleware import RequestMiddleware
from vidagent.serve.core.http.server import AnnouncingServer, config
from vidagent.serve.core.storage.database import Store
from vidagent.serve.core.storage.keys import ApiKeys
from vidagent.serve.mcp.context import ServerContext
from vidagent.serve.mcp.server import Server

PATH = "/mcp"
_EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not listened on
_HERE = ("127.0.0.1", "localhost", "[::1]")


def run(serving: ServerContext, options: ServerOptions, names: Sequence[str]) -> None:
    """Serve until told to stop.

    Args:
        serving: How questions are answered.
        options: Where to listen, and whether keys are asked for.
        names: Names that clients reach the server by, beside the address listened on.

    Raises:
        UsageError: If the address cannot be listened on, or nobody could come in.
    """
    with json_logging(sys.stderr):
        server = _Listening(config(app(serving, options, names), options))
        try:
            server.run()
        except SystemExit as end:  # how uvicorn says that it cannot listen
            raise UsageError(f"cannot listen on {options.host} port {options.port}: is it taken?") from end


def app(serving: ServerContext, options: ServerOptions, names: Sequence[str]) -> ASGIApp:
    """Return the app.

    Raises:
        UsageError: If nobody could come in.
    """
    keys = None if options.insecure_local else _keys(options.data_dir)
    inner: ASGIApp = Server(serving).streamable_http_app(
        streamable_http_path=PATH, transport_security=_names(options.host, names)
    )
    return RequestMiddleware(Authentication(_Inside(inner), keys=keys), metrics=Metrics())


class _Inside:
    """Stands behind the door: the SDK is told whose a session is, and its tools when an exchange is over."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of a known client.

        Raises:
            ApiError: If its key is not for asking.
        """
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        client = scope["state"].get("client")
        if not isinstance(client, Client):
            raise ApiError(404, "not_found", "there is nothing here")
        if "ask" not in client.scopes:
            raise ApiError(403, "no_scope", "this key is not for that: it lacks the scope 'ask'")
        scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=client.owner, scopes=[]))
        scope["state"]["over"] = over = asyncio.Event()
        try:
            return await self._app(scope, receive, send)
        finally:
            over.set()


class _Listening(AnnouncingServer):
    """A server that says what it is for."""

    @property
    def welcome(self) -> str:
        """The line for stderr."""
        return f"vidagent: MCP over streamable HTTP at {self.url}{PATH}"


def _names(host: str, names: Sequence[str]) -> TransportSecuritySettings:
    """Return the names in requests that the server takes for its own, so that no page gets here by another one."""
    if host in _EVERYWHERE and not names:
        raise UsageError(
            f"--host {host} is every address: --public-name HOST says by which name clients come"
        )
    own = _HERE if is_loopback(host) else (f"[{host}]" if ":" in host else host,)
    known = [*own, *names]
    hosts = [spelled for name in known for spelled in (name, f"{name}:*")]
    origins = [f"{scheme}://{name}" for scheme in ("http", "https") for name in hosts]
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)


def _keys(folder: Path) -> ApiKeys:
    store = Store(folder)
    keys = ApiKeys(store)
    if keys.all():
        return keys
    store.close()
    raise UsageError("there are no API keys: `vidagent serve keys add OWNER` makes one")
