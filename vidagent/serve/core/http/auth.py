"""Who is let in: with a key, everybody who has one; without keys, this machine alone."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vidagent.serve.core.caller import LOCAL, Client
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.http.media_cookies import MediaCookies
from vidagent.serve.core.http.options import is_loopback
from vidagent.serve.core.storage.keys import ApiKeys

_OPEN = frozenset({"/healthz", "/readyz"})


class Authentication:
    """Wraps the app: every path is closed but for those that tell nothing, also paths that do not exist.

    Without keys, a page of another site that is open in a browser on this machine must not be able to ask. A name
    that leads here but is not this machine's is how such pages get round the browser's rules.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: ApiKeys | None,
        passes: MediaCookies | None = None,
        page: frozenset[str] = frozenset(),
    ) -> None:
        """Stand around the app; without keys, requests of this machine's own are let in, and no others.

        Args:
            app: The app.
            keys: The keys that let in.
            passes: What the page's player shows in place of a key, where there is a page.
            page: The paths of the page's own files.
        """
        self._app = app
        self._keys = keys
        self._passes = passes
        self._open = _OPEN | page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose client is known.

        Raises:
            ApiError: If it may not come in.
        """
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if self._keys is None:
                scope.setdefault("state", {})["client"] = _local(headers)
            elif scope["path"] not in self._open:
                passes = None if "authorization" in headers else self._passes
                client = passes and passes.client(scope)
                if client is not None:
                    send = _to_the_page_alone(send)
                scope.setdefault("state", {})["client"] = client or _keyed(headers, self._keys)
        await self._app(scope, receive, send)


def _keyed(headers: Headers, keys: ApiKeys) -> Client:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    client = keys.client(key.strip()) if scheme.lower() == "bearer" else None
    if client is None:
        raise ApiError(
            401, "no_key", "give an API key as `Authorization: Bearer KEY`", {"WWW-Authenticate": "Bearer"}
        )
    return client


def _to_the_page_alone(send: Send) -> Send:
    """Have replies that a cookie has opened kept out of shared caches, and out of the pages of others."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            headers.setdefault("Cache-Control", "private, no-cache")
            headers.add_vary_header("Cookie")
        await send(message)

    return sent


def _local(headers: Headers) -> Client:
    host, origin = headers.get("host", ""), headers.get("origin")
    if not is_loopback(_name_of(host)):
        raise ApiError(403, "wrong_host", "this server is for its own machine; ask it as 127.0.0.1")
    if origin is not None and origin != f"http://{host}":
        raise ApiError(403, "wrong_origin", "this server is not for pages of other sites")
    return LOCAL


def _name_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
