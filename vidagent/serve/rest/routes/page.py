"""The web page at `/`: its files, fixed when the server starts, and the pass that lets its player in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request
from starlette.responses import Response

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Only what comes from this server, and no string ever becomes HTML or a script."""
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_CHECKED = "no-cache"
"""Kept, and asked about each time: the address stays when its content changes."""
_FOREVER = "public, max-age=31536000, immutable"
"""The content's hash is in the address, so another content has another address."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page, as it is sent.

    Args:
        body: What is in it.
        media_type: What it is.
        caching: How long browsers may keep it.
    """

    body: bytes
    media_type: str
    caching: str

    @property
    def tag(self) -> str:
        """Its entity tag."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'

    def reply(self, request: Request) -> Response:
        """Return the response, or that what the browser has is still right."""
        headers = {**_HEADERS, "Cache-Control": self.caching, "ETag": self.tag}
        known = {
            tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")
        }
        if self.tag in known:
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers={**headers, "Content-Type": self.media_type})


class Page:
    """The page's files by their paths; every other path under them does not exist.

    All scripts and styles stand under a hash of them all, so that a browser never mixes those of two versions.
    """

    def __init__(self, *, keyed: bool, most_bytes: int) -> None:
        """Read the files.

        Args:
            keyed: Whether the page has to ask for a key.
            most_bytes: Size of the largest video that may be uploaded.
        """
        found = {file.name: file.read_bytes() for file in _files() if _suffix(file.name) in _TYPES}
        index = found.pop("index.html")
        base = f"/page/{_digest(found)}/"
        values = {"base": base, "keys": "needed" if keyed else "none", "most-bytes": str(most_bytes)}
        for name, value in values.items():
            index = index.replace(f"{{{{{name}}}}}".encode(), value.encode())
        self.assets = {"/": Asset(index, _TYPES[".html"], _CHECKED)} | {
            base + name: Asset(body, _TYPES[_suffix(name)], _FOREVER) for name, body in found.items()
        }

    @property
    def paths(self) -> frozenset[str]:
        """The paths that are open to everybody, as there is nothing of anybody's in them."""
        return frozenset(self.assets)


def router(page: Page) -> APIRouter:
    """Return the routes of the page's files."""
    routes = APIRouter(include_in_schema=False)

    async def send(request: Request) -> Response:
        return page.assets[request.url.path].reply(request)

    for path in page.assets:
        routes.add_api_route(path, send, methods=["GET", "HEAD"])
    return routes


def _files() -> list[Traversable]:
    folder = resources.files("vidagent.serve").joinpath("page")
    return sorted((file for file in folder.iterdir() if file.is_file()), key=lambda file: file.name)


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]


def _digest(found: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, body in found.items():
        digest.update(f"{name} {len(body)}\n".encode() + body)
    return digest.hexdigest()[:16]
