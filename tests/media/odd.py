"""Clips of odd kinds: their pictures, clocks or streams are not shown as they are coded, or their headers lie."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.media.code import SIZE_WH, Code, draw_code
from tests.media.make import FRAME, X264, encode, ffmpeg

RED = (200, 50, 20)
SHORT = tuple(range(0, 1000, 40))
BORDER = 20
X265_HDR = "log-level=none:colorprim=bt2020:colormatrix=bt2020nc:range=limited:transfer="


def coded_frame(number: int) -> NDArray[np.uint8]:
    """Return the picture that says which it is."""
    return draw_code(Code(number, 40 * number))


def write(
    path: Path,
    pictures: Sequence[NDArray[np.uint8]],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    matrix: int | None = None,
    colours: dict[str, int] | None = None,
    extradata: bytes | None = None,
    display: Sequence[int] | None = None,
    mux: dict[str, str] | None = None,
) -> Path:
    """Encode pictures at 25 fps, converted with a colour matrix (5: BT.601, 1: BT.709), which is not tagged."""
    with av.open(str(path), "w", options=mux or {}) as out:
        stream = out.add_stream(codec, rate=25, options=options if options is not None else dict(X264))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if aspect is not None:
            stream.sample_aspect_ratio = aspect
        if display is not None:
            stream.set_display_matrix(display)
        if extradata is not None:
            stream.codec_context.extradata = extradata
        for name, value in (colours or {}).items():
            setattr(stream.codec_context, name, value)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame = frame.reformat(format=pix_fmt, dst_colorspace=matrix)
            frame.pts, frame.time_base = number, FRAME
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def codes(count: int = 25, wh: tuple[int, int] = SIZE_WH) -> list[NDArray[np.uint8]]:
    """Return pictures that say which they are, stretched to a size."""
    return [stretched(coded_frame(number), wh) for number in range(count)]


def stretched(picture: NDArray[np.uint8], wh: tuple[int, int]) -> NDArray[np.uint8]:
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    return frame.reformat(width=wh[0], height=wh[1]).to_ndarray()


def bordered(count: int = 12) -> list[NDArray[np.uint8]]:
    """Return the same with a white border, wider on the right, which a player is told to crop."""
    sides = ((BORDER, BORDER), (BORDER, 2 * BORDER), (0, 0))
    return [np.pad(coded_frame(number), sides, constant_values=255) for number in range(count)]


def flat(wh: tuple[int, int], count: int = 3) -> list[NDArray[np.uint8]]:
    return [np.full((wh[1], wh[0], 3), RED, np.uint8)] * count


def matroska_cropped(folder: Path) -> Path:
    """Add PixelCrop elements to the track; a live file has no index whose positions would move."""
    path = write(folder / "cropped.mkv", bordered(), mux={"live": "1"})
    sides = {0x54CC: BORDER, 0x54BB: BORDER, 0x54DD: 2 * BORDER, 0x54AA: BORDER}
    added = b"".join(struct.pack(">HBB", kind, 0x81, value) for kind, value in sides.items())
    data = path.read_bytes()
    place, end, sizes = 0, len(data), []
    for kind in (
        b"\x18\x53\x80\x67",
        b"\x16\x54\xae\x6b",
        b"\xae",
        b"\xe0",
    ):  # Segment, Tracks, TrackEntry, Video
        place, size_at, end = element(data, place, end, kind)
        sizes.append(size_at)
    for size_at in sizes[1:]:  # that of a live Segment is not known
        width = 9 - data[size_at].bit_length()
        size = int.from_bytes(data[size_at : size_at + width]) + len(added)
        data = data[:size_at] + size.to_bytes(width) + data[size_at + width :]
    path.write_bytes(data[:end] + added + data[end:])
    return path


def element(data: bytes, place: int, end: int, wanted: bytes) -> tuple[int, int, int]:
    """Find an EBML element; return where its content begins, where its size stands, and where it ends."""
    while place < end:
        size_at = place + 9 - data[place].bit_length()
        content = size_at + 9 - data[size_at].bit_length()
        size = int.from_bytes(data[size_at:content]) & (1 << 7 * (content - size_at)) - 1
        stop = min(end, content + size)
        if data[place:size_at] == wanted:
            return content, size_at, stop
        place = stop
    raise ValueError(f"no element {wanted.hex()}")


def aperture_cropped(folder: Path, *, display: Sequence[int] | None = None) -> Path:
    """Add a clean aperture to the sample entry; the header comes last, so that no chunk moves."""
    path = write(folder / "clap.mp4", bordered(), display=display)
    width, height = SIZE_WH
    # the centre of the shown part lies half of the difference of the borders to the left
    clap = struct.pack(">I4sIIIIiIiI", 40, b"clap", width, 1, height, 1, -BORDER, 2, 0, 1)
    data = path.read_bytes()
    entry = data.index(b"avc1", data.index(b"stsd")) - 4
    end = entry + int.from_bytes(data[entry : entry + 4])
    places = [
        data.rindex(kind, 0, entry) - 4 for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    ]
    for place in [*places, entry]:
        size = int.from_bytes(data[place : place + 4]) + len(clap)
        data = data[:place] + size.to_bytes(4) + data[place + 4 :]
    path.write_bytes(data[:end] + clap + data[end:])
    return path


def high_range(folder: Path, transfer: str) -> Path:
    """Encode the colour as a phone or a film does: BT.2020, 10 bits, PQ or HLG, standard white at 203 nits."""
    path, code = folder / f"{transfer}.mp4", {"smpte2084": 16, "arib-std-b67": 18}[transfer]
    linear = ((np.array(RED) / 255 + 0.099) / 1.099) ** (1 / 0.45)
    to_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    light = to_2020 @ linear
    signal = _pq(light * 203) if code == 16 else _hlg(light)
    pixels = np.full((180, 320, 3), np.round(signal * 65535), np.uint16)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            "libx265", rate=25, options={"x265-params": X265_HDR + transfer, "preset": "ultrafast"}
        )
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p10le"
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb48le")
            frame = frame.reformat(format="yuv420p10le", dst_colorspace=9, dst_color_range=1)
            frame.pts, frame.time_base = number, FRAME
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def _pq(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    """SMPTE ST 2084, 5.2."""
    y = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def _hlg(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """ITU-R BT.2100, table 5, for a display of 1,000 nits, with white at 75% of the signal (BT.2408)."""
    scene = light * 203 / 1000
    scene = scene * (scene @ [0.2627, 0.678, 0.0593]) ** (1 / 1.2 - 1)
    upper = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), upper)


def interlaced(path: Path, codec: str, options: dict[str, str]) -> Path:
    """Weave two fields of which the second has a white bar where the first is black: combed if shown as it is."""
    first = np.zeros((180, 320, 3), np.uint8)
    first[:, :100] = 235
    woven = first.copy()
    woven[1::2, 100:200] = 235
    return write(path, [woven] * 6, codec=codec, options=options)


def joined(folder: Path, *parts: Path, name: str = "joined.ts") -> Path:
    """Join files byte by byte."""
    path = folder / name
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def transport(
    folder: Path, name: str, numbers: Sequence[int], *, start_s: float = 0, tone_s: float = 0
) -> Path:
    """Write a transport stream of some frames, whose time stamps begin at a time."""
    plain, path = folder / f"{name}.mp4", folder / f"{name}.ts"
    encode(plain, times_ms=tuple(40 * n for n in range(len(numbers))), tone_s=tone_s)
    ffmpeg("-i", plain, "-c", "copy", "-output_ts_offset", str(start_s), path)
    return path


def with_cover(folder: Path, *, flagged: bool) -> Path:
    """Put a picture in front of the video, with or without the flag of a cover."""
    write(folder / "cover.mkv", codes(1, (200, 200)), codec="mjpeg", pix_fmt="yuvj420p", options={})
    write(folder / "main.mkv", codes())
    path = folder / "covered.mkv"
    marks = ["-disposition:v:0", "attached_pic" if flagged else "0", "-disposition:v:1", "0"]
    inputs = ["-i", folder / "cover.mkv", "-i", folder / "main.mkv"]
    ffmpeg(*inputs, "-map", "0", "-map", "1", "-c", "copy", *marks, path)
    return path


def two_streams(folder: Path, counts: tuple[int, int], *, default: int, suffix: str = ".mp4") -> Path:
    """Mux two videos, of 320x180 and of 640x360; one has the default flag."""
    inputs = [
        write(folder / f"{wh[0]}{suffix}", codes(count, wh))
        for wh, count in zip(((320, 180), (640, 360)), counts, strict=True)
    ]
    path = folder / f"two{suffix}"
    flags = [f for n in range(2) for f in (f"-disposition:v:{n}", "default" if n == default else "0")]
    ffmpeg("-i", inputs[0], "-i", inputs[1], "-map", "0", "-map", "1", "-c", "copy", *flags, path)
    return path


def lying_table(folder: Path) -> Path:
    """Claim 2^31 - 1 samples in the table of durations."""
    path = write(folder / "lying.mp4", codes())
    data = bytearray(path.read_bytes())
    place = data.index(b"stts") + 12
    data[place : place + 4] = struct.pack(">I", (1 << 31) - 1)
    path.write_bytes(data)
    return path


def many_streams(folder: Path, count: int = 900) -> Path:
    """Repeat the track of a file."""
    path = write(folder / "many.mp4", codes(2))
    data = path.read_bytes()
    moov, trak = data.index(b"moov") - 4, data.index(b"trak") - 4
    end = trak + int.from_bytes(data[trak : trak + 4])
    added = data[trak:end] * (count - 1)
    size = int.from_bytes(data[moov : moov + 4]) + len(added)
    path.write_bytes(data[:moov] + size.to_bytes(4) + data[moov + 4 : end] + added + data[end:])
    return path


def endless_box(folder: Path) -> Path:
    """A media box of 2^63 - 1 bytes, and nothing else."""
    path = folder / "size64.mp4"
    path.write_bytes(
        b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + struct.pack(">I4sQ", 1, b"mdat", (1 << 63) - 1) + bytes(1000)
    )
    return path
