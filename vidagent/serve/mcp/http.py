"""The MCP server over streamable HTTP, with the authentication of `vidagent serve`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

from vidagent.errors import UsageError
from vidagent.serve.core.caller import Client, check_scope
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.http import server
from vidagent.serve.core.http.auth import Authentication
from vidagent.serve.core.http.metrics import Metrics
from vidagent.serve.core.http.options import ServerOptions, is_loopback
from vidagent.serve.core.http.request_middleware import RequestMiddleware
from vidagent.serve.core.storage.database import Store
from vidagent.serve.core.storage.keys import required_keys
from vidagent.serve.mcp.context import ServerContext
from vidagent.serve.mcp.server import Server

PATH = "/mcp"
_ANNOUNCEMENT = f"vidagent: MCP over streamable HTTP at {{url}}{PATH}"
_ALL_ADDRESSES = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not listened on
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


def run(context: ServerContext, options: ServerOptions, names: Sequence[str]) -> None:
    """Serve until the process is told to stop.

    Raises:
        UsageError: If the address is not available, no host name is known, or there are no keys.
    """
    server.run(lambda: app(context, options, names), options, _ANNOUNCEMENT)


def app(context: ServerContext, options: ServerOptions, names: Sequence[str]) -> ASGIApp:
    """Return the app.

    Raises:
        UsageError: If no host name is known, or there are no keys.
    """
    keys = None if options.insecure_local else required_keys(Store(options.data_dir))
    mcp_app: ASGIApp = Server(context).streamable_http_app(
        streamable_http_path=PATH, transport_security=_transport_security(options.host, names)
    )
    return RequestMiddleware(Authentication(_SessionMiddleware(mcp_app), keys=keys), metrics=Metrics())


class _SessionMiddleware:
    """Tells the SDK the owner of a session, and tools the end of an HTTP exchange."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve an authenticated request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        client = scope["state"].get("client")
        if not isinstance(client, Client):
            raise ApiError(404, "not_found", "not found")
        check_scope(client, "ask")
        scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=client.owner, scopes=[]))
        scope["state"]["ended"] = ended = asyncio.Event()
        try:
            return await self._app(scope, receive, send)
        finally:
            ended.set()


def _transport_security(host: str, names: Sequence[str]) -> TransportSecuritySettings:
    """Return the accepted `Host` and `Origin` headers, against DNS rebinding."""
    if host in _ALL_ADDRESSES and not names:
        raise UsageError(
            f"--host {host} listens on every address: --public-name HOST says which name clients use"
        )
    own = _LOOPBACK_NAMES if is_loopback(host) else (f"[{host}]" if ":" in host else host,)
    hosts = [spelling for name in (*own, *names) for spelling in (name, f"{name}:*")]
    origins = [f"{scheme}://{name}" for scheme in ("http", "https") for name in hosts]
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)
