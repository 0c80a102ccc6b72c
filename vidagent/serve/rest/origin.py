"""Without keys, a page of another site that is open in a browser on this machine must not be able to ask."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from vidagent.serve.rest.clients import LOCAL
from vidagent.serve.rest.faults import Refusal
from vidagent.serve.rest.options import is_loopback

__all__ = ["SameOrigin"]


class SameOrigin:
    """Wraps the app; on a server without keys, only requests to this machine by its own pages are let in.

    A name that leads here but is not this machine's is how such pages get round the browser's rules.
    """

    def __init__(self, app: ASGIApp, *, local: bool) -> None:
        """Stand around the app; a server with keys (not `local`) lets every request in, as the key is checked."""
        self._app = app
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request from here.

        Raises:
            Refusal: If it comes from elsewhere.
        """
        if self._local and scope["type"] == "http":
            headers = Headers(scope=scope)
            host, origin = headers.get("host", ""), headers.get("origin")
            if not is_loopback(_host_of(f"//{host}")):
                raise Refusal(403, "wrong_host", "this server is for its own machine; ask it as 127.0.0.1")
            if origin is not None and urlsplit(origin).netloc != host:
                raise Refusal(403, "wrong_origin", "this server is not for pages of other sites")
            scope.setdefault("state", {})["client"] = LOCAL
        await self._app(scope, receive, send)


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
