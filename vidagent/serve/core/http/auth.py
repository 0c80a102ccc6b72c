"""API-key authentication; loopback only without keys."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vidagent.serve.core.caller import LOCAL, Client
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.http.media_cookies import OWN_SITES, MediaCookies
from vidagent.serve.core.http.options import is_loopback
from vidagent.serve.core.storage.keys import ApiKeys

_PUBLIC = frozenset({"/healthz", "/readyz"})


@dataclass
class Authentication:
    """ASGI middleware that requires a key for every path except health checks and the page's own files.

    Without keys, pages of other sites in a browser on this machine must not get in: the check of `Host` stops DNS
    rebinding, those of `Origin` and `Sec-Fetch-Site` stop requests of other sites, which may only link to the page.
    """

    app: ASGIApp
    keys: ApiKeys | None
    cookies: MediaCookies | None = None
    page: frozenset[str] = frozenset()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve an authenticated request."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if self.keys is None:
                linked = scope["path"] in self.page and headers.get("sec-fetch-mode") == "navigate"
                scope.setdefault("state", {})["client"] = _local_client(headers, linked=linked)
            elif scope["path"] not in _PUBLIC | self.page:
                cookies = None if "authorization" in headers else self.cookies
                client = cookies and cookies.client(scope)
                if client is not None:
                    send = _kept_private(send)
                scope.setdefault("state", {})["client"] = client or _client_of_key(headers, self.keys)
        await self.app(scope, receive, send)


def _client_of_key(headers: Headers, keys: ApiKeys) -> Client:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    client = keys.client(key.strip()) if scheme.lower() == "bearer" else None
    if client is None:
        raise ApiError(
            401, "no_key", "give an API key as `Authorization: Bearer KEY`", {"WWW-Authenticate": "Bearer"}
        )
    return client


def _kept_private(send: Send) -> Send:
    """Keep responses to cookies out of shared caches."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Cache-Control", "private, no-cache")
            headers.add_vary_header("Cookie")
        await send(message)

    return send_with_headers


def _local_client(headers: Headers, *, linked: bool) -> Client:
    """Return the client of a request that is not of another site's page; `linked`: or follows a link of one."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if not is_loopback(_hostname(host)):
        raise ApiError(403, "wrong_host", "this server serves its own machine only; use 127.0.0.1")
    foreign = headers.get("sec-fetch-site", "none") not in OWN_SITES and not linked
    if foreign or (origin is not None and origin != f"http://{host}"):
        raise ApiError(403, "wrong_origin", "requests from pages of other sites are refused")
    return LOCAL


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
