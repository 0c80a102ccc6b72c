"""The web page at `/`: its files, read once when the server starts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request
from starlette.responses import Response

_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Only content from this server, and no string ever becomes HTML or a script."""
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_REVALIDATE = "no-cache"
"""For the index, whose address stays the same when its content changes."""
_FOREVER = "public, max-age=31536000, immutable"
"""For the other files, whose address contains a hash of their content."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page."""

    body: bytes
    media_type: str
    caching: str

    def response(self, request: Request) -> Response:
        """Return the response, or 304 if the browser has this content."""
        tag = f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'
        headers = {**_HEADERS, "Cache-Control": self.caching, "ETag": tag}
        known = request.headers.get("if-none-match", "").split(",")
        if tag in {value.strip().removeprefix("W/") for value in known}:
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers={**headers, "Content-Type": self.media_type})


class Page:
    """The page's files by URL path; no other path exists.

    All scripts and styles are served below one hash of them all, so that a browser never mixes two versions.
    """

    def __init__(self, *, keyed: bool, max_bytes: int) -> None:
        """Read the files."""
        files = dict(sorted(_files(resources.files("vidagent.serve").joinpath("page"))))
        index = files.pop("index.html")
        base = f"/page/{_digest(files)}/"
        values = {"base": base, "keys": "needed" if keyed else "none", "most-bytes": str(max_bytes)}
        for name, value in values.items():
            index = index.replace(f"{{{{{name}}}}}".encode(), value.encode())
        self.assets = {"/": Asset(index, _TYPES["html"], _REVALIDATE)} | {
            base + name: Asset(body, _TYPES[_suffix(name)], _FOREVER) for name, body in files.items()
        }

    @property
    def paths(self) -> frozenset[str]:
        """The paths that need no key, as the files contain no client's data."""
        return frozenset(self.assets)


def router(page: Page) -> APIRouter:
    """Return the routes of the page's files."""
    routes = APIRouter(include_in_schema=False)

    async def send(request: Request) -> Response:
        return page.assets[request.url.path].response(request)

    for path in page.assets:
        routes.add_api_route(path, send, methods=["GET", "HEAD"])
    return routes


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    """Yield the relative path and content of the page's files."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        elif _suffix(entry.name) in _TYPES:
            yield prefix + entry.name, entry.read_bytes()


def _suffix(name: str) -> str:
    return name.rpartition(".")[2]


def _digest(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, body in files.items():
        digest.update(f"{name} {len(body)}\n".encode() + body)
    return digest.hexdigest()[:16]
