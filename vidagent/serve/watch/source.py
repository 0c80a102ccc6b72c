"""Where the bytes of a stream come from: a file that grows, or an HTTP response without an end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from vidagent.errors import UsageError, VideoError
from vidagent.text import shown_address
from vidagent.video.stream.process import SCHEMES

_CHUNK_BYTES = 1 << 16
_POLL_S = 0.2
_CONNECT_S, _SILENCE_S = 10.0, 30.0
_PLAYLISTS = (".m3u8", ".mpd")
_PAGES = {"text/html", "application/xhtml+xml", "application/json"}
"""Media types of what is certainly no stream; others are often set wrong."""


class StreamEndError(VideoError):
    """The server has sent the whole response: a stream that may be connected to again."""


def is_network(source: str) -> bool:
    """Tell whether a source is an address that may have to be connected to again."""
    return source.partition("://")[0].lower() in SCHEMES


def is_playlist(source: str) -> bool:
    """Tell whether an address is of a playlist, which says itself whether it goes on."""
    return is_network(source) and source.partition("?")[0].lower().endswith(_PLAYLISTS)


def is_opened_by_libav(source: str) -> bool:
    """Tell whether libav must connect by itself: other protocols than HTTP, and playlists."""
    is_http = source.partition("://")[0].lower() in {"http", "https"}
    return is_network(source) and (not is_http or is_playlist(source))


def is_http_url(text: str) -> bool:
    """Tell whether a text is an http or https URL with a host, and a port that there is."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme in {"http", "https"} and bool(url.host) and (url.port or 0) < 1 << 16


def check_source(source: str) -> None:
    """Refuse what cannot be watched.

    Raises:
        VideoError: If it is neither a file nor an address of a known kind.
        UsageError: If an http or https address has no host, or is none.
    """
    if source.lower().startswith(("http://", "https://")) and not is_http_url(source):
        raise UsageError(f"{shown_address(source)!r} is no http or https URL with a host")
    if is_network(source):
        return
    if "://" in source:
        legal = ", ".join(sorted(SCHEMES))
        raise VideoError(
            f"{shown_address(source)}: addresses that can be watched begin with {legal}, or name a file"
        )
    if not Path(source).is_file():
        there = source and os.path.lexists(source)
        raise VideoError(f"{source!r} is no regular file" if there else f"{source}: no such file")
    if _is_indexed_at_end(Path(source)):
        raise VideoError(
            f"{source}: an MP4 or MOV file that has its index at the end cannot be read while it grows: record "
            "MPEG-TS, Matroska or fragmented MP4 (ffmpeg: -movflags frag_keyframe+empty_moov); `vidagent ask` reads "
            "finished files"
        )


def _is_indexed_at_end(path: Path) -> bool:
    """Tell whether the media data of an MP4 file come before its index (ISO/IEC 14496-12, boxes)."""
    with path.open("rb") as file:
        while len(head := file.read(8)) == 8:
            size, kind = int.from_bytes(head[:4], "big"), head[4:]
            if kind in {b"moov", b"mdat"} or size < 8 or not kind.isalnum():
                return kind == b"mdat"
            file.seek(size - 8, os.SEEK_CUR)
    return False


def bytes_of(source: str, stop: threading.Event, idle_s: float | None) -> Iterator[bytes]:
    """Yield the bytes of a stream as they come, until it ends, `stop` is set, or nothing has come for `idle_s`.

    Raises:
        StreamEndError: If the server ends a response that announced no length.
        VideoError: If the connection fails or breaks.
    """
    return _http(source, stop, idle_s) if is_network(source) else _growing(Path(source), stop, idle_s)


def _growing(path: Path, stop: threading.Event, idle_s: float | None) -> Iterator[bytes]:
    """Yield what is in a file, then what is added to it."""
    try:
        with path.open("rb") as file:
            last_s = time.monotonic()
            while not stop.is_set():
                data = file.read(_CHUNK_BYTES)
                if data:
                    last_s = time.monotonic()
                    yield data
                elif os.fstat(file.fileno()).st_size < file.tell():
                    raise VideoError("the file became shorter; it is read anew")
                elif idle_s is not None and time.monotonic() - last_s >= idle_s:
                    return
                else:
                    stop.wait(_POLL_S)
    except OSError as error:
        raise VideoError(error.strerror or str(error)) from error


def _http(url: str, stop: threading.Event, idle_s: float | None) -> Iterator[bytes]:
    silence_s = _SILENCE_S if idle_s is None else min(_SILENCE_S, idle_s)
    timeout = httpx.Timeout(_CONNECT_S, read=silence_s)
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=timeout) as response:
            if response.status_code != 200:
                raise VideoError(f"the server answered {response.status_code} {response.reason_phrase}")
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind in _PAGES:
                raise VideoError(f"this is no video: the server sends {kind}")
            for data in response.iter_bytes(_CHUNK_BYTES if "content-length" in response.headers else None):
                if stop.is_set():
                    return
                yield data
        if "content-length" not in response.headers:
            raise StreamEndError("the server ended the stream")
    except httpx.ReadTimeout:
        raise VideoError(f"nothing came for {silence_s:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise VideoError(str(error) or type(error).__name__) from error
