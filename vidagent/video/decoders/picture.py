"""Conversion of decoded pictures to upright RGB: display matrix, crop, scaling. Runs in the child process."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideDataType

from vidagent.errors import VideoError
from vidagent.video.frame import fit_wh

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

    from vidagent.types import Box


@dataclass(frozen=True, slots=True)
class Turn:
    """Rotation of a coded picture to upright: transposed first, then mirrored.

    `degrees` is the clockwise rotation that a player applies: 0, 90, 180 or 270.
    """

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False
    degrees: int = 0

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Rotate the pixels."""
        turned = rgb.transpose(1, 0, 2) if self.transpose else rgb
        if self.mirror_x:
            turned = turned[:, ::-1]
        if self.mirror_y:
            turned = turned[::-1]
        return np.ascontiguousarray(turned)

    def size_wh(self, coded_wh: tuple[int, int]) -> tuple[int, int]:
        """Return the upright size of a coded size, or the reverse."""
        width, height = coded_wh
        return (height, width) if self.transpose else coded_wh


UPRIGHT = Turn()
_BYTE_LUMA = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"})


def turn_of(frame: VideoFrame) -> Turn:
    """Read the display matrix of a picture (ISO/IEC 14496-12, 8.5.2: `a b u c d v x y w`, 16.16 fixed point)."""
    matrix = frame.side_data.get(SideDataType.DISPLAYMATRIX)  # type: ignore[call-overload]
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix)[:36])
    degrees = round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Turn(True, c < 0, b < 0, degrees)
    return Turn(False, a < 0, d < 0, degrees)


def to_rgb(
    frame: VideoFrame, turn: Turn, *, max_side_px: int | None = None, box_px: Box | None = None
) -> NDArray[np.uint8]:
    """Convert a picture to upright RGB, cropped at source resolution, then scaled down.

    Raises:
        VideoError: If the box lies outside the picture.
    """
    if box_px is None:
        coded_wh = fit_wh((frame.width, frame.height), max_side_px)
        return turn.apply(_scaled(frame, coded_wh))
    rgb = turn.apply(_scaled(frame, (frame.width, frame.height)))
    return shrink(clip_box(rgb, box_px), max_side_px)


def to_grey(frame: VideoFrame, turn: Turn, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the luma of a picture, `(height, width)`, upright and scaled by area to a size of any aspect ratio.

    An 8-bit luma plane is read in place, which is ten times as fast as a conversion by libswscale.
    """
    if frame.format.name in _BYTE_LUMA:
        plane = frame.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        luma = rows[: frame.height, : frame.width]
    else:
        luma = frame.reformat(format="gray8").to_ndarray().astype(np.uint8, copy=False)
    grey = cv2.resize(luma, turn.size_wh(size_wh), interpolation=cv2.INTER_AREA)
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
    size_wh = (rgb.shape[1], rgb.shape[0])
    if fit_wh(size_wh, max_side_px) == size_wh:
        return rgb
    return _scaled(av.VideoFrame.from_ndarray(rgb, format="rgb24"), fit_wh(size_wh, max_side_px))


def _scaled(frame: VideoFrame, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    width, height = size_wh
    same = (frame.width, frame.height) == size_wh
    method = "BILINEAR" if same else "BICUBIC"
    scaled = frame.reformat(width=width, height=height, format="rgb24", interpolation=method)
    return scaled.to_ndarray().astype(np.uint8, copy=False)
