"""Crops that a container asks of the player, which FFmpeg's decoders leave to it. Runs in the child process.

Matroska: PixelCropTop and the like (RFC 9559, 5.1.4.1.28.8 to 11). MP4 and QuickTime: the box `clap` (ISO/IEC 14496-12,
12.1.4). PyAV has no access to what FFmpeg reads of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

_MATROSKA_BYTES, _MOV_BYTES = 1 << 20, 16 << 20
"""Only so much of a header is searched; the track list of Matroska is at the start of the file nearly always."""
_SEGMENT, _TRACKS, _ENTRY, _VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0xE0
_TRACK_TYPE, _IS_VIDEO = 0x83, 1
_CROPS = {0x54CC: "left", 0x54BB: "top", 0x54DD: "right", 0x54AA: "bottom"}
_UNKNOWN_SIZES = {(1 << 7 * width) - 1 for width in range(1, 9)}
_SAMPLE_ENTRY_BYTES, _SAMPLE_ENTRY_SIZE_AT = 78, 24


class Crop(NamedTuple):
    """Pixels to leave out on each side of a coded picture."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def fits(self, size_wh: tuple[int, int]) -> bool:
        """Return whether anything is left of a picture."""
        return min(self) >= 0 and self.left + self.right < size_wh[0] and self.top + self.bottom < size_wh[1]


WHOLE = Crop()


def container_crop(path: Path, demuxer: str, number: int) -> Crop:
    """Return the crop of a video track.

    Args:
        path: The file.
        demuxer: FFmpeg's name of its container.
        number: Which of the file's video tracks, from 0.
    """
    if "matroska" in demuxer:
        crops = _matroska_crops(path)
    elif "mov" in demuxer:
        crops = _mov_crops(path)
    else:
        return WHOLE
    return crops[number] if number < len(crops) else WHOLE


def _matroska_crops(path: Path) -> list[Crop]:
    head = _read(path, 0, _MATROSKA_BYTES)
    crops = []
    for segment in _elements(head, _SEGMENT):
        for tracks in _elements(segment, _TRACKS):
            for entry in _elements(tracks, _ENTRY):
                kind = [int.from_bytes(value) for value in _elements(entry, _TRACK_TYPE)]
                if kind == [_IS_VIDEO]:
                    crops.append(_matroska_crop(entry))
            return crops
    return crops


def _matroska_crop(entry: memoryview) -> Crop:
    sides = {}
    for video in _elements(entry, _VIDEO):
        for identifier, name in _CROPS.items():
            for value in _elements(video, identifier):
                sides[name] = int.from_bytes(value)
    return Crop(**sides)


def _elements(data: memoryview, wanted: int) -> Iterator[memoryview]:
    """Yield the contents of the elements of one kind (RFC 8794); the last one may be cut off."""
    at = 0
    while at < len(data):
        identifier, at = _variable(data, at, keep_marker=True)
        size, at = _variable(data, at, keep_marker=False)
        if identifier is None or size is None:
            return
        end = len(data) if size in _UNKNOWN_SIZES else at + size
        if identifier == wanted:
            yield data[at:end]
        at = end


def _variable(data: memoryview, at: int, *, keep_marker: bool) -> tuple[int | None, int]:
    """Read an integer of variable length; return it and the position after it."""
    width = 9 - data[at].bit_length() if at < len(data) else 9
    if width > 8 or at + width > len(data):
        return None, at
    value = int.from_bytes(data[at : at + width])
    return value if keep_marker else value & ((1 << 7 * width) - 1), at + width


def _mov_crops(path: Path) -> list[Crop]:
    crops: list[Crop] = []
    for moov in _top_boxes(path, b"moov"):
        for track in _boxes(moov, b"trak"):
            shown = (media for media in _boxes(track, b"mdia") if _is_video(media))
            crops.extend(map(_mov_crop, shown))
    return crops


def _is_video(media: memoryview) -> bool:
    return any(bytes(handler[8:12]) == b"vide" for handler in _boxes(media, b"hdlr"))


def _mov_crop(media: memoryview) -> Crop:
    for table in _inside(media, b"minf", b"stbl", b"stsd"):
        size = int.from_bytes(table[8:12])
        entry = table[16 : 8 + size]
        if len(entry) < _SAMPLE_ENTRY_BYTES:
            return WHOLE
        size_wh = struct.unpack_from(">HH", entry, _SAMPLE_ENTRY_SIZE_AT)
        for aperture in _boxes(entry[_SAMPLE_ENTRY_BYTES:], b"clap"):
            return _aperture_crop(aperture, size_wh)
    return WHOLE


def _aperture_crop(aperture: memoryview, size_wh: tuple[int, int]) -> Crop:
    """Turn a clean aperture (its size, and the offset of its centre from the picture's, as fractions) into a crop."""
    if len(aperture) < 32:
        return WHOLE
    parts = struct.unpack(">IIIIiIiI", aperture[:32])
    if not all(parts[1::2]):
        return WHOLE
    width, height, x, y = (Fraction(*parts[place : place + 2]) for place in range(0, 8, 2))
    left = round((size_wh[0] - width) / 2 + x)
    top = round((size_wh[1] - height) / 2 + y)
    crop = Crop(left, top, size_wh[0] - left - round(width), size_wh[1] - top - round(height))
    return crop if crop.fits(size_wh) else WHOLE


def _inside(data: memoryview, *kinds: bytes) -> Iterator[memoryview]:
    if not kinds:
        yield data
        return
    for content in _boxes(data, kinds[0]):
        yield from _inside(content, *kinds[1:])


def _boxes(data: memoryview, wanted: bytes) -> Iterator[memoryview]:
    """Yield the contents of the boxes of one kind (ISO/IEC 14496-12, 4.2); a box inside another is short."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4])
        if size < 8:
            return
        if data[at + 4 : at + 8] == wanted:
            yield data[at + 8 : at + size]
        at += size


def _top_boxes(path: Path, wanted: bytes) -> Iterator[memoryview]:
    at, size_all = 0, path.stat().st_size
    while at + 8 <= size_all:
        head = _read(path, at, 16)
        size, start = int.from_bytes(head[:4]), 8
        if size == 1:
            size, start = int.from_bytes(head[8:16]), 16
        if size < start:
            return
        if head[4:8] == wanted:
            yield _read(path, at + start, min(size - start, _MOV_BYTES))
        at += size


def _read(path: Path, at: int, size: int) -> memoryview:
    with path.open("rb") as file:
        file.seek(at)
        return memoryview(file.read(size))
