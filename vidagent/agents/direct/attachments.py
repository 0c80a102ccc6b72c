"""Attachments of a question: the source of an image or a video, and the message part of an image."""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass
from pathlib import Path

from vidagent.agents.prompting.messages import Part
from vidagent.errors import UsageError
from vidagent.images import jpeg

Source = str | Path | bytes
"""A URL as text, the path of a local file, or the bytes themselves."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)(?=://)|data(?=:)", re.IGNORECASE)
_SCHEMES = frozenset({"http", "https", "file", "data"})
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=.+-]+)*;base64,(.*)", re.DOTALL | re.IGNORECASE)
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_QUALITY = 95
"""JPEG quality for pictures in other formats: close to the original, as they are compressed a second time."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image for a question, made by `image`.

    Args:
        source: Its source.
    """

    source: Source

    def part(self) -> Part:
        """Return it as a message part.

        Raises:
            UsageError: If it cannot be read here, or is not a picture.
        """
        if isinstance(self.source, str) and not is_data(self.source):
            return _part(self.source)
        data, shown = self._read()
        try:
            picture = jpeg.decode(data)
        except ValueError as error:
            line = f"image {shown}: {error}; JPEG and PNG are sent as they are, WebP, AVIF, GIF, BMP and TIFF as JPEG"
            raise UsageError(line) from None
        if data.startswith(_JPEG):
            return _part(data_url(data, "image/jpeg"))
        if data.startswith(_PNG):
            return _part(data_url(data, "image/png"))
        return _part(data_url(jpeg.encode(picture, _QUALITY), "image/jpeg"))

    def _read(self) -> tuple[bytes, str]:
        """Return the bytes, and their name in an error."""
        if isinstance(self.source, bytes):
            return self.source, f"of {len(self.source)} bytes"
        if isinstance(self.source, str):
            return unpack(self.source, "image"), "in the data URL"
        try:
            return self.source.read_bytes(), str(self.source)
        except OSError as error:
            raise UsageError(f"image {self.source} cannot be read: {error.strerror}") from None


def image(source: str | os.PathLike[str] | bytes) -> Image:
    """Attach an image.

    Args:
        source: An http or https URL, which the server fetches; a `file://` URL, which the server reads, if it may; a
            data URL; the path of a file, which is sent along; or a picture's bytes. JPEG and PNG, recognized by their
            content, are sent as they are, other formats as JPEG.

    Raises:
        UsageError: If it is a URL of another kind.
    """
    return Image(as_source(source, "image"))


def as_source(source: str | os.PathLike[str] | bytes, what: str) -> Source:
    """Distinguish URLs from paths.

    Args:
        source: The caller's value.
        what: `image` or `video`.

    Raises:
        UsageError: If it is empty, or a URL that no server is known to fetch.
    """
    if isinstance(source, bytes):
        if not source:
            raise UsageError(f"the {what} has no bytes")
        return source
    text = os.fspath(source)
    if not text or "\0" in text:
        raise UsageError(f"{text!r} is no {what}: give a URL, a path or bytes")
    scheme = _SCHEME.match(text)
    if scheme is None or not isinstance(source, str):
        return Path(text)
    if scheme[0].lower() not in _SCHEMES:
        raise UsageError(f"{what} URLs are http, https, file and data; got {scheme[0]}")
    if is_data(text):
        unpack(text, what)
    return text


def is_data(url: str) -> bool:
    """Tell whether a URL contains the data itself."""
    return url[:5].lower() == "data:"


def is_web(url: str) -> bool:
    """Tell whether the server can fetch a URL."""
    return url[:5].lower() in {"http:", "https"}


def unpack(url: str, what: str) -> bytes:
    """Return the bytes in a data URL.

    Raises:
        UsageError: If it is not base64, or has another media type.
    """
    match = _DATA_URL.fullmatch(url)
    if match is None or not match[1].lower().startswith(f"{what}/"):
        raise UsageError(f"a data URL of a {what} begins like data:{what}/…;base64,; got {url[:40]!r}")
    try:
        return base64.b64decode(match[2], validate=True)
    except binascii.Error as error:
        raise UsageError(f"the data URL of the {what} is not base64: {error}") from None


def data_url(data: bytes, media_type: str) -> str:
    """Return bytes as a data URL."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _part(url: str) -> Part:
    return {"type": "image_url", "image_url": {"url": url}}
