"""Conversion of decoded pictures to upright RGB as a player shows them. Runs in the child process."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
from av import error as av_error
from av.filter import Graph
from av.video.reformatter import ColorTrc

from vidagent.errors import VideoError
from vidagent.video.frame import fit_wh

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

    from vidagent.types import Box
    from vidagent.video.decoders.geometry import Geometry

_HDR = {int(ColorTrc.SMPTE2084): ("HDR10 (PQ)", "pq"), int(ColorTrc.ARIB_STD_B67): ("HLG", "hlg")}
"""Transfer characteristics of high dynamic range: the name that people know, and that of the table in `hdr/`."""

_BYTE_LUMA = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"})
_BT709, _UNSPECIFIED, _RESERVED, _BT2020 = 1, 2, 3, 9
"""Colour matrices, as FFmpeg numbers them (`AVColorSpace`)."""
_HD_WIDTH, _HD_HEIGHT = 1280, 576
"""Untagged pictures at least this wide, or higher, are BT.709 (mpv, `mp_csp_guess_colorspace`); FFmpeg says BT.601."""


def look_of(frame: VideoFrame) -> dict[str, Any]:
    """Return the fields of `VideoInfo` that a video's first picture tells."""
    hdr = _HDR.get(frame.color_trc)
    return {"hdr": hdr and hdr[0], "interlaced": bool(frame.interlaced_frame)}


def to_rgb(
    frame: VideoFrame, geometry: Geometry, *, max_side_px: int | None = None, box_px: Box | None = None
) -> NDArray[np.uint8]:
    """Convert a picture to upright RGB, cropped to a box of the shown picture, then scaled down.

    Raises:
        VideoError: If the box lies outside the picture.
    """
    shown = _top_down(_deinterlaced(frame))
    if box_px is None:
        return _upright(shown, geometry, fit_wh(geometry.shown_wh, max_side_px))
    return shrink(clip_box(_upright(shown, geometry, geometry.shown_wh), box_px), max_side_px)


def to_grey(frame: VideoFrame, geometry: Geometry, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the luma of a picture, `(height, width)`, upright and scaled by area to a size of any aspect ratio.

    An 8-bit luma plane is read in place, which is ten times as fast as a conversion by libswscale.
    """
    frame = _top_down(frame)
    if frame.format.name in _BYTE_LUMA:
        plane = frame.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        luma = rows[: frame.height, : frame.width]
    else:
        luma = frame.reformat(format="gray8", threads=1).to_ndarray().astype(np.uint8, copy=False)
    turn = geometry.turn
    grey = cv2.resize(geometry.cut(luma), turn.size_wh(size_wh), interpolation=cv2.INTER_AREA)
    return turn.apply(np.asarray(grey, np.uint8)[:, :, None])[:, :, 0]


def clip_box(rgb: NDArray[np.uint8], box_px: Box) -> NDArray[np.uint8]:
    """Crop a picture to a box.

    Raises:
        VideoError: If the box is empty or extends beyond the picture.
    """
    x0, y0, x1, y1 = box_px
    height, width = rgb.shape[:2]
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise VideoError(f"box {list(box_px)} must lie within the picture [0, 0, {width}, {height}]")
    return np.ascontiguousarray(rgb[y0:y1, x0:x1])


def shrink(rgb: NDArray[np.uint8], max_side_px: int | None) -> NDArray[np.uint8]:
    """Scale a picture down so that its longer side is at most `max_side_px`."""
    return _resized(rgb, fit_wh((rgb.shape[1], rgb.shape[0]), max_side_px))


def _upright(frame: VideoFrame, geometry: Geometry, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture as it is shown, scaled to a size."""
    coded_wh = geometry.turn.size_wh(size_wh)
    if any(geometry.crop):
        rgb = _resized(geometry.cut(_scaled(frame, (frame.width, frame.height))), coded_wh)
    else:
        rgb = _scaled(frame, coded_wh)
    return geometry.turn.apply(rgb)


def _resized(rgb: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    if (rgb.shape[1], rgb.shape[0]) == size_wh:
        return rgb
    return _scaled(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24"), size_wh)


def _scaled(frame: VideoFrame, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Convert a picture to RGB of a size by libswscale, in one thread: starting others costs more than they save."""
    width, height = size_wh
    same = (frame.width, frame.height) == size_wh
    method = "BILINEAR" if same else "BICUBIC"
    hdr = _HDR.get(frame.color_trc)
    _set_matrix(frame, hdr=hdr is not None)
    deep = "rgb48le" if hdr else "rgb24"
    scaled = frame.reformat(width=width, height=height, format=deep, interpolation=method, threads=1)
    if hdr:
        mapper = _mapper(width, height, hdr[1])
        mapper.vpush(scaled)
        (scaled,) = _pulled(mapper)
    return scaled.to_ndarray().astype(np.uint8, copy=False)


def _set_matrix(frame: VideoFrame, *, hdr: bool) -> None:
    """Set the matrix of a picture that does not tell it."""
    if frame.colorspace not in {_UNSPECIFIED, _RESERVED} or frame.format.is_rgb:
        return
    if hdr:
        frame.colorspace = _BT2020
    elif frame.width >= _HD_WIDTH or frame.height > _HD_HEIGHT:
        frame.colorspace = _BT709


@lru_cache(maxsize=4)
def _mapper(width: int, height: int, table: str) -> Graph:
    """Return FFmpeg's filter that maps high dynamic range to BT.709; `benchmarks/hdr_tables.py` makes its tables."""
    options = {"file": str(Path(__file__).with_name("hdr") / f"{table}.cube"), "interp": "tetrahedral"}
    return _graph((width, height), "rgb48le", ("lut3d", options), ("format", {"pix_fmts": "rgb24"}))


def _top_down(frame: VideoFrame) -> VideoFrame:
    """Return a picture whose rows are stored from the top; PyAV misreads the memory of others (AVI stores some)."""
    return frame if frame.planes[0].line_size > 0 else frame.reformat(format="gbrp", threads=1)


def _deinterlaced(frame: VideoFrame) -> VideoFrame:
    """Return an interlaced picture with its second field drawn from the first, by FFmpeg's `estdif`.

    That filter needs no neighbours, so that a picture is the same whichever seek led to it.
    """
    if not frame.interlaced_frame:
        return frame
    graph = _deinterlacer(frame.width, frame.height, frame.format.name)
    drawn: list[VideoFrame] = []
    for _ in range(2):  # the filter holds a picture back until it gets the next one
        graph.vpush(frame)
        drawn += _pulled(graph)
    whole = drawn[-1]
    whole.colorspace, whole.color_range = frame.colorspace, frame.color_range
    whole.color_trc, whole.color_primaries = frame.color_trc, frame.color_primaries
    return whole


def _pulled(graph: Graph) -> Iterator[VideoFrame]:
    with suppress(av_error.BlockingIOError):
        while True:
            yield graph.vpull()


@lru_cache(maxsize=2)
def _deinterlacer(width: int, height: int, pixel_format: str) -> Graph:
    return _graph((width, height), pixel_format, ("estdif", {"mode": "frame", "deint": "all"}))


def _graph(size_wh: tuple[int, int], pixel_format: str, *filters: tuple[str, dict[str, str]]) -> Graph:
    graph = Graph()
    width, height = size_wh
    source = graph.add_buffer(
        width=width, height=height, format=av.VideoFormat(pixel_format), time_base=Fraction(1, 1000)
    )
    middle = [graph.add(name, **options) for name, options in filters]
    graph.link_nodes(source, *middle, graph.add("buffersink")).configure()
    return graph
