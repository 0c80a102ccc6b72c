"""Files that must end in one clear line, never in a crash, a hang or a wrong picture."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av

from tests.media.make import encode, ffmpeg

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


def _huge(folder: Path) -> str:
    """Write 16384x16384 black and white pixels: 40 KB on disk, 805 MB as RGB."""
    path = folder / "huge.mov"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("png", rate=25)
        stream.width = stream.height = 16384
        stream.pix_fmt = "monob"
        frame = av.VideoFrame(16384, 16384, "monob")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return str(path)


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
    "box_only": (_bytes("box_only.mp4", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(500)), "damaged"),
    "moov_missing": (_moov_missing, "cut off"),
    "audio_only": (_audio_only, "holds no video, only audio"),
    "huge": (_huge, "16384x16384"),
}
"""Maker of each bad file, which returns its path, and words that its error must hold."""
