"""Cookies that stand in for an API key, as browsers add no header to the requests of `<video>` and `<img>`.

No script can read the cookie, and no other site's page can send it. It allows only reading videos, frames, clips and
reports, for an hour, and nothing once its key is revoked. Only its hash is stored, in memory.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from vidagent.serve.core.caller import Client, requires
from vidagent.serve.core.storage.keys import ApiKeys

COOKIE = "vidagent-pass"
_LIFETIME_S = 3600
_MAX_PER_KEY = 16
"""Cookies per key; a new one replaces the oldest."""
_PATH = "/v1"
_MEDIA = re.compile(
    r"/v1/videos/(?:content|frame)|/v1/files/[^/]+/content|/v1/runs/[^/]+/(?:report|(?:frames|clips)/[^/]+)"
)
_READ_METHODS = frozenset({"GET", "HEAD"})
OWN_SITES = frozenset({"same-origin", "none"})
"""`Sec-Fetch-Site` of requests by this server's own pages, and of addresses that the user opens."""


@dataclass(frozen=True, slots=True)
class _Grant:
    key_id: str
    expires_s: float


class MediaCookies:
    """The valid cookies."""

    def __init__(self, keys: ApiKeys | None) -> None:
        """Start with no cookies."""
        self._keys = keys
        self._grants: dict[str, _Grant] = {}

    def issue(self, authorization: str) -> str | None:
        """Return a cookie for the key of an `Authorization` header; None if the server has no keys."""
        id_ = self._keys and self._keys.id(authorization.partition(" ")[2].strip())
        if not id_:
            return None
        self._discard(id_)
        token = secrets.token_urlsafe(32)
        self._grants[_hash(token)] = _Grant(id_, time.monotonic() + _LIFETIME_S)
        return token

    def revoke(self, token: str) -> None:
        """Invalidate a cookie."""
        self._grants.pop(_hash(token), None)

    def client(self, scope: Scope) -> Client | None:
        """Return the client of a request with a valid cookie, if it is one that cookies allow."""
        headers = Headers(scope=scope)
        if (
            scope["method"] not in _READ_METHODS
            or not _MEDIA.fullmatch(scope["path"])
            or not _same_origin(headers)
        ):
            return None
        grant = self._grants.get(_hash(_token(HTTPConnection(scope))))
        if self._keys is None or grant is None or grant.expires_s < time.monotonic():
            return None
        return self._keys.client_by_id(grant.key_id)

    def _discard(self, key_id: str) -> None:
        """Drop expired cookies, and the oldest of a key to make room for one more."""
        now_s = time.monotonic()
        self._grants = {token: grant for token, grant in self._grants.items() if grant.expires_s > now_s}
        own = [token for token, grant in self._grants.items() if grant.key_id == key_id]
        for token in own[: max(0, len(own) - _MAX_PER_KEY + 1)]:
            del self._grants[token]


def router(cookies: MediaCookies) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1/pass", tags=["page"], dependencies=[Depends(requires("ask"))])

    @routes.post("", status_code=204, response_class=Response)
    async def give(request: Request) -> Response:
        """Set a cookie that lets the page's player read your videos and frames for an hour."""
        response = Response(status_code=204, headers={"Cache-Control": "no-store"})
        token = cookies.issue(request.headers.get("authorization", ""))
        if token is not None:
            response.set_cookie(COOKIE, token, max_age=_LIFETIME_S, **_attributes(request))
        return response

    @routes.delete("", status_code=204, response_class=Response)
    async def take_back(request: Request) -> Response:
        """Revoke the cookie and delete it."""
        cookies.revoke(_token(request))
        response = Response(status_code=204, headers={"Cache-Control": "no-store"})
        response.delete_cookie(COOKIE, **_attributes(request))
        return response

    return routes


def _attributes(request: Request) -> dict[str, Any]:
    """Return the cookie's attributes; TLS ends before this process, so the page's origin says whether it is used."""
    secure = request.headers.get("origin", "").startswith("https://")
    return {"path": _PATH, "secure": secure, "httponly": True, "samesite": "strict"}


def _same_origin(headers: Headers) -> bool:
    """Return whether no other page sent this; `SameSite` alone ignores ports and sibling domains."""
    if headers.get("sec-fetch-site", "none") not in OWN_SITES:
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _token(connection: HTTPConnection) -> str:
    return connection.cookies.get(COOKIE, "")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
