"""Validation of input files: regular local files that start like a known media container."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from vidagent.errors import VideoError
from vidagent.text import shown_address

DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,avi,flv,ogg,mpeg,asf"
"""Allowed FFmpeg demuxers: containers with their own clock; no playlists, devices or file lists."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PROTOCOL = re.compile(r"(concat|concatf|subfile|data|file|pipe|fd|crypto|cache|async|ffconcat|hls):")
_MAX_BOXES = 10_000
_HEAD_BYTES = 64 * 1024
_MOV_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof", b"sidx"}
_MAGIC = {
    b"\x1a\x45\xdf\xa3": "matroska",
    b"FLV": "flv",
    b"OggS": "ogg",
    b"\x00\x00\x01\xba": "mpeg",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "asf",
}
_TEXTS = {b"#EXTM3U": "an HLS playlist", b"ffconcat": "an ffconcat list", b"<?xml": "an XML document"}


def check(path: str | os.PathLike[str]) -> Path:
    """Check that a path names a file that may be decoded.

    Args:
        path: Path of a local video file.

    Returns:
        The absolute path.

    Raises:
        VideoError: If it is a URL, missing, not a regular file, unreadable, empty, or does not start like a media
            container; the message is one line that says what and why.
    """
    shown = os.fspath(path)
    if not shown or "\0" in shown:
        raise VideoError(f"{shown!r} is not a path: give the path of a video file")
    kind = _stat(shown)
    if stat.S_ISDIR(kind.st_mode):
        raise VideoError(f"{shown}: is a directory, not a video file")
    if not stat.S_ISREG(kind.st_mode):
        raise VideoError(
            f"{shown}: is {_special(kind.st_mode)}, not a regular file; copy its contents to a file"
        )
    if kind.st_size == 0:
        raise VideoError(f"{shown}: is empty (0 bytes)")
    absolute = Path(shown).absolute()
    head = _head(absolute, shown)
    container = container_of(head)
    if container is None:
        raise VideoError(f"{shown}: is not a video file: {_looks_like(head)}")
    if container == "mov" and not _has_index(absolute):
        raise VideoError(f"{shown}: is cut off or unfinished: its index (moov box) is missing")
    return absolute


def container_of(head: bytes) -> str | None:
    """Return the container that a file starts like, or None.

    Signatures: ISO/IEC 14496-12 (boxes), RFC 9559 (EBML), ISO/IEC 13818-1 (sync bytes every 188, or 192 in
    M2TS), RIFF, Adobe FLV, RFC 3533 (Ogg), ASF header object.
    """
    if head[4:8] in _MOV_BOXES:
        return "mov"
    if head[:4] == b"RIFF" and head[8:11] == b"AVI":
        return "avi"
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    return "mpegts" if _is_transport_stream(head) else None


def _stat(shown: str) -> os.stat_result:
    try:
        return os.stat(shown)  # noqa: PTH116 - a Path would change "http://x" before it can be reported
    except FileNotFoundError:
        raise VideoError(_missing(shown)) from None
    except PermissionError:
        raise VideoError(f"{shown}: permission denied") from None
    except (OSError, ValueError) as error:
        raise VideoError(f"{shown}: cannot be opened ({getattr(error, 'strerror', None) or error})") from None


def _missing(shown: str) -> str:
    if _URL.match(shown):
        return (
            f"{shown_address(shown)}: is a URL; only local files are read, so download it first "
            "(`vidagent ask --download`)"
        )
    if _PROTOCOL.match(shown):
        return f"{shown}: no such file (FFmpeg protocols such as {shown.split(':')[0]}: are not followed)"
    return f"{shown}: no such file"


def _special(mode: int) -> str:
    kinds = (
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a character device"),
        (stat.S_ISBLK, "a block device"),
    )
    return next((name for test, name in kinds if test(mode)), "a special file")


def _head(path: Path, shown: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except PermissionError:
        raise VideoError(f"{shown}: permission denied") from None
    except OSError as error:
        raise VideoError(f"{shown}: cannot be read ({error.strerror})") from None


def _has_index(path: Path) -> bool:
    """Return whether an MP4 or QuickTime file has a top-level `moov` or `moof` box."""
    with path.open("rb") as file:
        bytes_left = os.fstat(file.fileno()).st_size
        for _ in range(_MAX_BOXES):
            head = file.read(16)
            size = int.from_bytes(head[:4], "big")
            if head[4:8] in {b"moov", b"moof"}:
                return True
            if size == 1 and len(head) == 16:
                size = int.from_bytes(head[8:16], "big")
            bytes_left -= size
            if size < 8 or bytes_left <= 0:
                return False
            file.seek(size - len(head), os.SEEK_CUR)
    return True


def _is_transport_stream(head: bytes) -> bool:
    for size, lead in ((188, 0), (192, 4)):
        for shift in range(min(size, len(head))):
            marks = head[shift + lead :: size][:5]
            if len(marks) == 5 and set(marks) == {0x47}:
                return True
    return False


def _looks_like(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, name in _TEXTS.items():
        if start.startswith(magic):
            return f"it is {name}, and the files it names are not followed"
    if not any(head):
        return "it begins with nothing but zero bytes"
    if all(byte >= 32 or byte in b"\t\r\n\f\x1b" for byte in head):
        return "it is text"
    return "its first bytes are those of no known container (mp4/mov, mkv/webm, ts, avi, flv, ogg, mpg, wmv)"
