"""How a player shows a coded picture: cropped, with square pixels, upright. Runs in the child process."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from av.sidedata.sidedata import Type as SideDataType

from vidagent.video.container.cropping import WHOLE, Crop, container_crop

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

    from vidagent.video.container.medium import Medium

_MOST_ASPECT = 16
"""Pixels longer than this are a fault of the header; players show them square or not at all."""


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


@dataclass(frozen=True, slots=True)
class Geometry:
    """From coded to shown pictures: cropped, stretched to square pixels, turned upright.

    Args:
        coded_wh: Size of the video's first coded picture. Later ones of another size are scaled to the same shown size.
        crop: Pixels of the coded picture that are not shown.
        aspect: Width of a pixel divided by its height.
        turn: Rotation to upright.
    """

    coded_wh: tuple[int, int]
    crop: Crop = WHOLE
    aspect: Fraction = Fraction(1)
    turn: Turn = UPRIGHT

    @property
    def shown_wh(self) -> tuple[int, int]:
        """Size that a player shows; the height before turning is that of the coded picture, as it has lines."""
        width = self.coded_wh[0] - self.crop.left - self.crop.right
        height = self.coded_wh[1] - self.crop.top - self.crop.bottom
        return self.turn.size_wh((max(1, round(width * self.aspect)), height))

    def cut(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Leave out what is cropped of the pixels of a coded picture, `(height, width, ...)`."""
        height, width = pixels.shape[:2]
        if not any(self.crop) or (width, height) != self.coded_wh:
            return pixels
        left, top, right, bottom = self.crop
        return pixels[top : height - bottom, left : width - right]


def geometry_of(medium: Medium, frame: VideoFrame) -> Geometry:
    """Return the geometry of a video from its container and its first picture."""
    size_wh = (frame.width, frame.height)
    videos = [stream.index for stream in medium.container.streams.video]
    crop = container_crop(medium.path, medium.container.format.name, videos.index(medium.stream.index))
    aspect = medium.stream.sample_aspect_ratio or Fraction(1)
    legal = Fraction(1, _MOST_ASPECT) <= aspect <= _MOST_ASPECT
    return Geometry(
        size_wh, crop if crop.fits(size_wh) else WHOLE, aspect if legal else Fraction(1), _turn_of(frame)
    )


def _turn_of(frame: VideoFrame) -> Turn:
    """Read the display matrix of a picture (ISO/IEC 14496-12, 8.5.2: `a b u c d v x y w`, 16.16 fixed point)."""
    matrix = frame.side_data.get(SideDataType.DISPLAYMATRIX)  # type: ignore[call-overload]
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix)[:36])
    degrees = round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Turn(True, c < 0, b < 0, degrees)
    return Turn(False, a < 0, d < 0, degrees)
