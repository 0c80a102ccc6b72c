"""H.264 headers: IDR pictures, and the colour description of each picture. Runs in the child process.

Numbers in parentheses are clauses of ITU-T H.264 (08/2021).
"""

from __future__ import annotations

import os
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from vidagent.video.container.medium import Medium

_NAL_TYPE = 0x1F
_SLICE, _IDR, _SEQUENCE_HEADER = 1, 5, 7
"""NAL unit types, and the bit mask of the type (table 7-1)."""
_FULL_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""Profiles whose sequence header tells the chroma format (7.3.2.1.1)."""
_OWN_ASPECT = 255
_HEAD_BYTES = 4096
"""How much of a keyframe is read to find the headers before its first slice."""


def holds_idr(packet: Packet[VideoStream]) -> bool:
    """Return whether a packet holds an IDR slice, after which no picture refers to earlier ones."""
    extradata = packet.stream.codec_context.extradata or b""
    return any(unit[0] & _NAL_TYPE == _IDR for unit in _units(bytes(packet), extradata))


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour description, in FFmpeg's numbers (`AVColorSpace`, `AVColorRange`); None where it is not declared."""

    matrix: int | None = None
    levels: int | None = None

    @property
    def complete(self) -> bool:
        """Whether both are declared."""
        return self.matrix is not None and self.levels is not None

    def over(self, earlier: Colour) -> Colour:
        """Return this description, with what it leaves out taken from an earlier one."""
        return Colour(
            earlier.matrix if self.matrix is None else self.matrix,
            earlier.levels if self.levels is None else self.levels,
        )


class Colours:
    """Gives every picture the colours that one pass from the first byte gives it, whichever seek led to it.

    A file made of several videos may have a sequence header for each, some without a colour description. FFmpeg then
    keeps the last one it decoded, which depends on where it was before. Here it is the last one declared in the file
    before the picture; in containers without a sample table, that of the picture's own header, or else of the first
    picture.
    """

    def __init__(self) -> None:
        """Start without any header."""
        self._first: Colour | None = None
        self._headers_inside = False
        self._declared: tuple[list[int], list[Colour]] | None = None
        self._runs: list[tuple[int, Colour]] = []

    def restart(self) -> None:
        """Forget the keyframes seen, as the decoder has moved."""
        self._runs.clear()

    def see(self, packet: Packet[VideoStream], medium: Medium) -> None:
        """Note a keyframe that is about to be decoded; those of other codecs are left as FFmpeg has them."""
        if medium.stream.codec_context.name != "h264":
            return
        own = _declared(bytes(packet), packet.stream.codec_context.extradata or b"")
        self._headers_inside |= own is not None
        if not self._headers_inside or self._first is None or packet.pts is None:
            return
        colour = own or Colour()
        if not colour.complete:
            colour = colour.over(self._before(packet, medium)).over(self._first)
        if not self._runs or self._runs[-1][1] != colour:
            self._runs.append((packet.pts, colour))

    def apply(self, frame: VideoFrame) -> None:
        """Set the colour description of a decoded picture."""
        if self._first is None:
            self._first = Colour(frame.colorspace, frame.color_range)
        for pts, colour in reversed(self._runs):
            if frame.pts is not None and pts <= frame.pts:
                assert colour.matrix is not None and colour.levels is not None  # noqa: S101, PT018 - see `see`
                frame.colorspace, frame.color_range = colour.matrix, colour.levels
                return

    def _before(self, packet: Packet[VideoStream], medium: Medium) -> Colour:
        """Return what the headers of the file up to a keyframe declare, read from its sample table."""
        if self._declared is None:
            self._declared = _history(medium)
        at = packet.dts if packet.dts is not None else packet.pts
        place = bisect_right(self._declared[0], at or 0)
        return self._declared[1][place - 1] if place else Colour()


def _history(medium: Medium) -> tuple[list[int], list[Colour]]:
    """Return the decoding times at which the colours of a file change, and the colours from there on."""
    times, colours, last = list[int](), list[Colour](), Colour()
    if not medium.has_sample_table:
        return times, colours
    extradata = medium.stream.codec_context.extradata or b""
    with medium.path.open("rb") as file:
        for entry in medium.stream.index_entries:
            if not entry.is_keyframe:
                continue
            head = os.pread(file.fileno(), min(entry.size, _HEAD_BYTES), entry.pos)
            colour = (_declared(head, extradata) or Colour()).over(last)
            if colour != last:
                times.append(entry.timestamp)
                colours.append(colour)
                last = colour
    return times, colours


def _units(data: bytes, extradata: bytes) -> Iterator[bytes]:
    """Yield NAL units: with their lengths before them if the extradata says so (ISO/IEC 14496-15), or start codes."""
    if extradata[:1] != b"\x01":
        yield from (unit for unit in data.split(b"\x00\x00\x01")[1:] if unit)
        return
    width, at = (extradata[4] & 3) + 1, 0
    while at + width < len(data):
        length = int.from_bytes(data[at : at + width], "big")
        yield data[at + width : at + width + max(length, 1)]
        at += width + length


def _declared(data: bytes, extradata: bytes) -> Colour | None:
    """Return what the sequence header before a picture's first slice declares; None if there is no header."""
    found = None
    for unit in _units(data, extradata):
        kind = unit[0] & _NAL_TYPE
        if kind in {_SLICE, _IDR}:
            break
        if kind == _SEQUENCE_HEADER:
            found = _colour(unit)
    return found


class _Bits:
    """Reads bits and Exp-Golomb codes (9.1)."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> int:
        value = 0
        for at in range(self._at, self._at + count):
            value = value << 1 | self._data[at >> 3] >> (7 - (at & 7)) & 1
        self._at += count
        return value

    def unsigned(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        code = self.unsigned()
        return (code + 1) // 2 if code % 2 else -(code // 2)


@lru_cache(maxsize=64)
def _colour(header: bytes) -> Colour:
    """Return what a sequence header declares; one that is cut off declares nothing."""
    try:
        return _read_colour(_Bits(header[1:].replace(b"\x00\x00\x03", b"\x00\x00")))
    except IndexError:
        return Colour()


def _read_colour(bits: _Bits) -> Colour:
    """Read a sequence header (7.3.2.1.1) up to the colours in its VUI (E.1.1)."""
    _skip_to_vui(bits)
    if not bits.take(1):
        return Colour()
    if bits.take(1) and bits.take(8) == _OWN_ASPECT:
        bits.take(32)
    if bits.take(1):
        bits.take(1)
    if not bits.take(1):
        return Colour()
    bits.take(3)
    full_range = 1 + bits.take(1)
    return Colour(bits.take(24) & 0xFF if bits.take(1) else None, full_range)


def _skip_to_vui(bits: _Bits) -> None:
    profile = bits.take(24) >> 16
    bits.unsigned()
    if profile in _FULL_CHROMA:
        chroma = bits.unsigned()
        if chroma == 3:
            bits.take(1)
        bits.unsigned(), bits.unsigned(), bits.take(1)
        if bits.take(1):
            for number in range(12 if chroma == 3 else 8):
                if bits.take(1):
                    _skip_scaling(bits, 16 if number < 6 else 64)
    bits.unsigned()
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.take(1), bits.signed(), bits.signed()
        for _ in range(bits.unsigned()):
            bits.signed()
    bits.unsigned(), bits.take(1), bits.unsigned(), bits.unsigned()
    if not bits.take(1):
        bits.take(1)
    bits.take(1)
    if bits.take(1):
        for _ in range(4):
            bits.unsigned()


def _skip_scaling(bits: _Bits, size: int) -> None:
    """Skip a scaling list (7.3.2.1.1.1)."""
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last
