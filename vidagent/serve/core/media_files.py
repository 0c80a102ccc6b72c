"""Video and image responses: byte ranges as players request them, media types by a file's first bytes."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import FileResponse, MalformedRangeHeader, RangeNotSatisfiable
from starlette.types import Receive, Scope, Send

from vidagent.serve.core.errors import ApiError

INERT = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
"""Headers that keep browsers from running a file as a page of this server."""
MP4, JPEG = "video/mp4", "image/jpeg"
_UNKNOWN = "application/octet-stream"
_HEAD_BYTES = 4096
_ATOMS = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
"""First atoms of QuickTime files from before `ftyp`."""
_PACKET_BYTES = (188, 192)
_STARTS = (
    (b"FLV\x01", "video/x-flv"),
    (b"OggS", "video/ogg"),
    (b"\0\0\x01\xba", "video/mpeg"),
    (b"\0\0\x01\xb3", "video/mpeg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-wmv"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "application/mxf"),
)
_TYPES = (
    MP4, "video/quicktime", "video/3gpp", "video/webm", "video/x-matroska", "video/x-msvideo", "video/mp2t",
    *sorted({kind for _, kind in _STARTS}),
)  # fmt: skip


class MediaResponse(FileResponse):
    """A file, whole or in byte ranges; a malformed `Range` header is ignored."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file."""
        try:
            self.stat_result = await asyncio.to_thread(os.stat, self.path)
        except OSError as error:
            raise ApiError(404, "not_found", "the file no longer exists") from error
        self.set_stat_headers(self.stat_result)
        ranges = Headers(scope=scope).get("range")
        if ranges is not None:
            size = self.stat_result.st_size
            try:
                self._parse_range_header(ranges, size)
            except MalformedRangeHeader:
                headers = MutableHeaders(raw=[*scope["headers"]])
                del headers["range"]
                scope = {**scope, "headers": headers.raw}
            except RangeNotSatisfiable as error:
                message = f"the range is outside of the file's {size:,} bytes"
                raise ApiError(416, "wrong_range", message, {"Content-Range": f"bytes */{size}"}) from error
        await super().__call__(scope, receive, send)


async def media_response(
    path: Path, media_type: str | None = None, filename: str | None = None
) -> MediaResponse:
    """Return a file as a response; without `media_type`, that of the video is detected."""
    kind = media_type or await asyncio.to_thread(video_type, path) or _UNKNOWN
    return MediaResponse(
        path, media_type=kind, filename=filename, content_disposition_type="inline", headers=dict(INERT)
    )


def video_type(path: Path) -> str | None:
    """Return the media type of a video by its first bytes; None if it is not a known video format."""
    head = b""
    with suppress(OSError), path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return "video/quicktime" if brand == b"qt  " else "video/3gpp" if brand.startswith(b"3g") else MP4
    if head[4:8] in _ATOMS:
        return "video/quicktime"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "video/x-msvideo"
    if any(_is_transport(head, size) for size in _PACKET_BYTES):
        return "video/mp2t"
    return next((kind for start, kind in _STARTS if head.startswith(start)), None)


def openapi_responses(*types: str, ranges: bool = True) -> dict[int | str, dict[str, Any]]:
    """Return the responses of a route that sends files, for the OpenAPI document."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    content = dict.fromkeys(types or (*_TYPES, _UNKNOWN), binary)
    responses: dict[int | str, dict[str, Any]] = {200: {"description": "The file.", "content": content}}
    if ranges:
        parts = {**content, "multipart/byteranges": binary}
        responses[206] = {"description": "The ranges asked for.", "content": parts}
    return responses


def _is_transport(head: bytes, size: int) -> bool:
    """Return whether this is an MPEG transport stream with packets of that size, by its sync bytes."""
    first = size - 188
    return len(head) > first + 4 * size and all(head[first + size * n] == 0x47 for n in range(4))
