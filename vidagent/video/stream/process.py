"""The process that cuts a stream: it parses what strangers send, so it is sandboxed as the decoding process is.

It reads the stream's bytes, or its address, on stdin and writes pieces on stdout, each as the length of a header, the
header in JSON, and the file. Only where libav itself must connect (RTSP and the like) does it keep the network and is
not sandboxed.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import Any

import av
from av import logging

from vidagent.errors import VideoError
from vidagent.video.process import sandbox
from vidagent.video.stream.cutter import pieces_of

HEADER = struct.Struct(">I")
_MEMORY_BYTES = 2 << 30
_OPTIONS = {"analyzeduration": "15000000", "probesize": "20000000"}
"""Most microseconds and bytes until the streams are known: a camera may send a keyframe every 10 s only."""
_PROTOCOLS = {
    "http": "http,https,tcp,tls,crypto,httpproxy",
    "https": "http,https,tcp,tls,crypto,httpproxy",
    "rtsp": "rtsp,rtp,udp,tcp,tls,srtp",
    "rtsps": "rtsp,rtsps,rtp,udp,tcp,tls,srtp",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,rtmp,tcp,tls",
    "srt": "srt",
    "udp": "udp",
    "rtp": "rtp,udp",
}
"""Protocols that libav may use for an address of each scheme; never files."""
SCHEMES = frozenset(_PROTOCOLS)
_SILENCE_S = 30.0


class _Input:
    """Bytes of stdin that cannot be sought."""

    def read(self, size: int) -> bytes:
        """Return what has arrived, at most `size` bytes; nothing at the end."""
        return os.read(0, size)


def main() -> None:
    """Cut the stream on stdin, or at the address that stdin holds; SIGTERM ends it with what was read."""
    settings = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    url = sys.stdin.buffer.read().decode() if settings["by_address"] else None
    if url is None:
        sandbox.enter(Path(os.devnull), _MEMORY_BYTES)
    else:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    logging.restore_default_callback()
    logging.set_libav_level(logging.FATAL)
    try:
        with _opened(url) as container:
            for piece in pieces_of(container, settings["seconds"], lambda: bool(ended)):
                header = {"start_s": piece.start_s, "end_s": piece.end_s, "jumped": piece.jumped}
                _write(out, {**header, "bytes": len(piece.data)}, piece.data)
    except (av.FFmpegError, OSError, VideoError, ValueError) as error:
        _write(out, {"error": _words(error)})
    except MemoryError:
        _write(out, {"error": "cutting it needs too much memory"})


def _opened(url: str | None) -> Any:  # noqa: ANN401 - av's container
    if url is None:
        return av.open(_Input(), options=_OPTIONS)
    scheme = url.partition("://")[0].lower()
    transport = {"rtsp_transport": "tcp"} if scheme.startswith("rtsp") else {}
    options = {**_OPTIONS, **transport, "protocol_whitelist": _PROTOCOLS[scheme]}
    return av.open(url, options=options, timeout=(_SILENCE_S, _SILENCE_S))


def _write(out: Any, header: dict[str, Any], data: bytes = b"") -> None:  # noqa: ANN401
    text = json.dumps(header).encode()
    out.write(HEADER.pack(len(text)) + text)
    out.write(data)
    out.flush()


def _words(error: Exception) -> str:
    if isinstance(error, av.InvalidDataError):
        return f"it is no video, or none that can be read as it comes: {error.strerror}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


if __name__ == "__main__":
    main()
