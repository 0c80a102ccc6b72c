"""The process that downloads a video from a site with yt-dlp.

yt-dlp parses what strangers serve, and follows any address in it. Here it connects to public addresses only, checked at
the moment of each connection, and starts no other program: every connection goes through Python's sockets.

Reads one JSON object on stdin, `url`, `folder`, `max_bytes`, and writes JSON lines on stdout: `{"found": {...}}`, then
`{"done": {"video", "bytes", "subtitles"}}` or `{"error": "..."}`.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidagent.serve.core import download

MAX_HEIGHT = 1080
"""More pixels cost time and say little: a VLM gets frames of fewer, and `crop` reads small text at this height."""
MAX_SUBTITLES = 3
_MB = 1_000_000
_TIMEOUT_S = 20.0
_FORMATS = {True: "bv*/b", False: "b/bv*"}
"""With subtitles the sound is not needed, and the best picture is taken; without, a file with both, for transcripts."""


class RefusedError(Exception):
    """The video is not downloaded; the message says why."""


def main() -> None:
    """Serve the request on stdin."""
    request = json.load(sys.stdin)
    sys.modules["curl_cffi"] = None  # type: ignore[assignment] # its sockets are not Python's
    _connect_to_public_addresses_only()
    try:
        _say({"done": fetch(request["url"], Path(request["folder"]), request["max_bytes"])})
    except RefusedError as error:
        _say({"error": str(error)})
    except Exception as error:  # noqa: BLE001 - yt-dlp raises what its extractors raise
        _say({"error": _plain(str(error)) or type(error).__name__})


def fetch(url: str, folder: Path, max_bytes: int) -> dict[str, Any]:
    """Download the video of a page, and its subtitles, into a folder.

    Raises:
        RefusedError: If there is none, it is live, or larger than allowed.
    """
    import yt_dlp  # after the sockets are guarded

    options = {
        **_options(folder),
        "logger": _Silent(),
        "progress_hooks": [_SizeLimit(max_bytes)],
    }
    with yt_dlp.YoutubeDL(options) as site:
        info = _one_video(site.extract_info(url, download=False))
        languages, automatic = _subtitles(info)
        site.params |= {
            "writesubtitles": not automatic,
            "writeautomaticsub": automatic,
            "subtitleslangs": languages,
        }
        site.format_selector = site.build_format_selector(_FORMATS[bool(languages)])
        info = site.process_ie_result(info, download=False)
        _say({"found": _summary(info)})
        announced = info.get("filesize") or info.get("filesize_approx") or 0
        if announced > max_bytes:
            raise RefusedError(_too_large(max_bytes))
        info = site.process_ie_result(info, download=True)
    paths = [Path(one["filepath"]) for one in info.get("requested_downloads", ()) if one.get("filepath")]
    if not paths or not paths[0].is_file():
        raise RefusedError("the site gave no video")
    beside = sorted(path.name for path in folder.iterdir() if path.suffix in {".vtt", ".srt"})
    return {"video": paths[0].name, "bytes": paths[0].stat().st_size, "subtitles": beside}


def _options(folder: Path) -> dict[str, Any]:
    return {
        "outtmpl": str(folder / "%(title).80B.%(ext)s"),
        "restrictfilenames": True,
        "format_sort": [f"res:{MAX_HEIGHT}", "vcodec:h264", "proto"],
        "noplaylist": True,
        "playlist_items": "1:2",
        "subtitlesformat": "vtt/srt",
        "fixup": "never",
        "ffmpeg_location": str(folder / "none"),  # nothing is merged or converted
        "external_downloader": {"default": "native"},
        "hls_prefer_native": True,
        "proxy": "",
        "cachedir": False,
        "socket_timeout": _TIMEOUT_S,
        "retries": 3,
        "fragment_retries": 3,
        "quiet": True,
        "noprogress": True,
    }


def _one_video(info: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the only video of a page, or the first; nothing that is still going on.

    Raises:
        RefusedError: If there is none.
    """
    entries = [entry for entry in (info or {}).get("entries") or () if entry]
    found = dict(entries[0] if entries else info or {})
    if not found or (info is not None and "entries" in info and not entries):
        raise RefusedError("there is no video on this page")
    if len(entries) > 1:
        found["more"] = True
    if found.get("is_live"):
        raise RefusedError("it is live: `vidagent watch` follows a stream")
    return found


def _subtitles(info: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Return the languages of the subtitles to fetch, the video's own first, and whether they are automatic ones."""
    own = str(info.get("language") or "en").split("-")[0]
    written = [name for name in info.get("subtitles") or () if name != "live_chat"]
    if written:
        return sorted(written, key=lambda name: (not name.startswith(own), name))[:MAX_SUBTITLES], False
    heard = list(info.get("automatic_captions") or ())
    original = [name for name in heard if name.endswith("-orig")]
    return (original or [name for name in heard if name == own])[:1], True


def _summary(info: Mapping[str, Any]) -> dict[str, Any]:
    size = info.get("filesize") or info.get("filesize_approx")
    return {
        "title": str(info.get("title") or "")[:200],
        "duration_s": info.get("duration"),
        "height": info.get("height"),
        "bytes": size,
        "has_sound": info.get("acodec") != "none",
        "subtitles": sorted(info.get("requested_subtitles") or ()),
        "more": bool(info.get("more")),
    }


class _SizeLimit:
    """Ends a download that grows beyond its limit."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes: dict[str, int] = {}

    def __call__(self, progress: Mapping[str, Any]) -> None:
        self._bytes[str(progress.get("filename"))] = int(progress.get("downloaded_bytes") or 0)
        if sum(self._bytes.values()) > self._max_bytes:
            raise RefusedError(_too_large(self._max_bytes))


class _Silent:
    """Takes yt-dlp's messages; its errors are raised, too."""

    def debug(self, message: str) -> None:
        """Ignore a message."""

    info = warning = error = debug


def _too_large(max_bytes: int) -> str:
    return f"larger than {max_bytes / _MB:g} MB (--max-download-mb)"


def _plain(message: str) -> str:
    """Return yt-dlp's message on one line, without its prefix, its cause and its request for bug reports."""
    line = " ".join(message.split()).removeprefix("ERROR: ")
    return line.partition("; please report this issue")[0].partition(" (caused by ")[0]


def _connect_to_public_addresses_only() -> None:
    """Guard every connection of this process."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def check(place: socket.socket, address: Any) -> None:  # noqa: ANN401 - as sockets take it
        host = (
            str(address[0]) if isinstance(address, Sequence) and not isinstance(address, str | bytes) else ""
        )
        if place.family not in {socket.AF_INET, socket.AF_INET6} or not download.is_public(
            host.partition("%")[0]
        ):
            raise ConnectionRefusedError(f"refused: {host or address} is not a public address")

    def guarded(self: socket.socket, address: Any) -> None:  # noqa: ANN401
        check(self, address)
        connect(self, address)

    def guarded_ex(self: socket.socket, address: Any) -> int:  # noqa: ANN401
        check(self, address)
        return connect_ex(self, address)

    socket.socket.connect = guarded  # type: ignore[method-assign,assignment]
    socket.socket.connect_ex = guarded_ex  # type: ignore[method-assign,assignment]


def _say(line: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
