"""Passes: what a page's player and pictures show in place of a key, as a browser adds no header to what they ask for.

A pass is a cookie that no script can read and no other site's page can send. It is not the key and cannot become it:
it opens videos, frames, clips and reports for reading, for an hour, and nothing once its key is revoked. The process
alone knows it, by its hash.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from vidagent.serve.core.caller import Client, needs
from vidagent.serve.core.storage.keys import ApiKeys

COOKIE = "vidagent-pass"
_FOR_S = 3600
_MOST_EACH = 16
"""Passes of one key; the oldest gives way."""
_PATH = "/v1"
_OPENED = re.compile(
    r"/v1/videos/content|/v1/files/[^/]+/content|/v1/runs/[^/]+/(?:report|(?:frames|clips)/[^/]+)"
)
_READING = frozenset({"GET", "HEAD"})
_OWN_PAGES = frozenset({"same-origin", "none"})
"""What browsers say of requests by pages of this very address, and by people who open an address themselves."""


@dataclass(frozen=True, slots=True)
class _Pass:
    key_id: str
    until_s: float


class MediaCookies:
    """The passes that are out.

    Args:
        keys: The keys that they stand for; None where there are none, and so no passes.
    """

    def __init__(self, keys: ApiKeys | None) -> None:
        """Start without any."""
        self._keys = keys
        self._out: dict[str, _Pass] = {}

    def give(self, authorization: str) -> str | None:
        """Return a pass for the key of a header; None where there are no keys."""
        id_ = self._keys and self._keys.id(authorization.partition(" ")[2].strip())
        if not id_:
            return None
        self._tidy(id_)
        token = secrets.token_urlsafe(32)
        self._out[_hash(token)] = _Pass(id_, time.monotonic() + _FOR_S)
        return token

    def take_back(self, token: str) -> None:
        """Have a pass open nothing from now on."""
        self._out.pop(_hash(token), None)

    def client(self, scope: Scope) -> Client | None:
        """Return who sent a request that has no key, if it has a pass and is of the kind that passes are for."""
        headers = Headers(scope=scope)
        if scope["method"] not in _READING or not _OPENED.fullmatch(scope["path"]) or not _own(headers):
            return None
        told = self._out.get(_hash(_token(HTTPConnection(scope))))
        if self._keys is None or told is None or told.until_s < time.monotonic():
            return None
        return self._keys.holder(told.key_id)

    def _tidy(self, key_id: str) -> None:
        now_s = time.monotonic()
        self._out = {token: told for token, told in self._out.items() if told.until_s > now_s}
        own = [token for token, told in self._out.items() if told.key_id == key_id]
        for token in own[: max(0, len(own) - _MOST_EACH + 1)]:
            del self._out[token]


def router(passes: MediaCookies) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1/pass", tags=["page"], dependencies=[Depends(needs("ask"))])

    @routes.post("", status_code=204, response_class=Response)
    async def give(request: Request) -> Response:
        """Give the page's player a cookie that opens your videos and frames for an hour, for reading alone."""
        reply = Response(status_code=204, headers={"Cache-Control": "no-store"})
        token = passes.give(request.headers.get("authorization", ""))
        if token is not None:
            reply.set_cookie(
                COOKIE,
                token,
                max_age=_FOR_S,
                path=_PATH,
                secure=_over_tls(request.headers),
                httponly=True,
                samesite="strict",
            )
        return reply

    @routes.delete("", status_code=204, response_class=Response)
    async def take_back(request: Request) -> Response:
        """Take the cookie's pass back, and the cookie away."""
        passes.take_back(_token(request))
        reply = Response(status_code=204, headers={"Cache-Control": "no-store"})
        reply.delete_cookie(
            COOKIE, path=_PATH, secure=_over_tls(request.headers), httponly=True, samesite="strict"
        )
        return reply

    return routes


def _own(headers: Headers) -> bool:
    """Tell whether no other page sent this: cookies know sites, and neither ports nor names beside ours."""
    if headers.get("sec-fetch-site", "none") not in _OWN_PAGES:
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _over_tls(headers: Headers) -> bool:
    """Tell whether the page was loaded over TLS, which ends before this process."""
    return headers.get("origin", "").startswith("https://")


def _token(connection: HTTPConnection) -> str:
    return connection.cookies.get(COOKIE, "")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
