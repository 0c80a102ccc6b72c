"""Files that must end in one clear line, never in a crash, a hang or a wrong picture."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import av

from tests.media.make import FRAME, encode, ffmpeg

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n"
FFCONCAT = "ffconcat version 1.0\nfile '/etc/passwd'\n"


def _text(name: str, text: str) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        (folder / name).write_text(text)
        return str(folder / name)

    return make


def _bytes(name: str, data: bytes) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        (folder / name).write_bytes(data)
        return str(folder / name)

    return make


def _directory(folder: Path) -> str:
    (folder / "folder.mp4").mkdir()
    return str(folder / "folder.mp4")


def _fifo(folder: Path) -> str:
    os.mkfifo(folder / "fifo.mp4")
    return str(folder / "fifo.mp4")


def _moov_missing(folder: Path) -> str:
    """Cut a file whose sample table comes last: what is left says nothing of its pictures."""
    encode(folder / "whole.mp4")
    data = (folder / "whole.mp4").read_bytes()
    (folder / "moov_missing.mp4").write_bytes(data[: len(data) // 2])
    return str(folder / "moov_missing.mp4")


def _audio_only(folder: Path) -> str:
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", folder / "audio_only.mp4")
    return str(folder / "audio_only.mp4")


def _picture_of(side: int) -> Callable[[Path], str]:
    """Write a PNG of black and white pixels into a QuickTime file: 16384x16384 take 40 KB, and 805 MB as RGB.

    FFmpeg encodes nothing of that size, so the picture is made by hand and the sample entry patched.
    """

    def make(folder: Path) -> str:
        small, path = folder / "small.mov", folder / f"picture_{side}.mov"
        encode(small, times_ms=(0,), codec="png", options={}, pix_fmt="gray", unit=FRAME)
        with av.open(str(small)) as given, av.open(str(path), "w") as out:
            packet = av.Packet(_png(side))
            packet.stream = out.add_stream_from_template(given.streams.video[0])
            packet.pts, packet.dts, packet.time_base, packet.is_keyframe = 0, 0, FRAME, True
            out.mux(packet)
        data = bytearray(path.read_bytes())
        place = data.index(b"png ", data.index(b"stsd")) + 28
        data[place : place + 4] = struct.pack(">HH", side, side)
        path.write_bytes(data)
        return str(path)

    return make


def _png(side: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(bytes((side // 8 + 1) * side), 1)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


BAD: dict[str, tuple[Callable[[Path], str], str]] = {
    "missing": (lambda folder: str(folder / "missing.mp4"), "no such file"),
    "empty_path": (lambda _: "", "not a path"),
    "url": (lambda _: "http://example.com/a.mp4", "download it first"),
    "concat": (lambda _: "concat:a.ts|b.ts", "no such file (FFmpeg protocols"),
    "directory": (_directory, "is a directory"),
    "fifo": (_fifo, "is a FIFO"),
    "device": (lambda _: "/dev/zero", "is a character device"),
    "empty": (_bytes("empty.mp4", b""), "is empty"),
    "zeros": (_bytes("zeros.mp4", bytes(100_000)), "zero bytes"),
    "text": (_text("text.mp4", "this is a text\n" * 50), "it is text"),
    "playlist": (_text("playlist.mp4", PLAYLIST), "HLS playlist"),
    "ffconcat": (_text("ffconcat.mp4", FFCONCAT), "ffconcat list"),
    "picture": (_bytes("picture.mp4", b"\x89PNG\r\n\x1a\n" + bytes(500)), "no known container"),
    "box_only": (_bytes("box_only.mp4", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(500)), "moov"),
    "moov_missing": (_moov_missing, "moov box) is missing"),
    "audio_only": (_audio_only, "holds no video, only audio"),
    "picture_8192": (_picture_of(8192), "8192x8192 (67 Mpx), over the limit of 36 Mpx"),
    "picture_16384": (_picture_of(16384), "larger than FFmpeg can hold"),
}
"""Maker of each bad file, which returns its path, and words that its error must hold."""
