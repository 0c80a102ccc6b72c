"""JPEG bytes from RGB pictures and back."""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers that are followed by a JPEG's size (ITU T.81, table B.1)."""


def encode(rgb: NDArray[np.uint8], quality: int = 90) -> bytes:
    """Compress an RGB picture of shape `(H, W, 3)`.

    Args:
        rgb: The picture, uint8.
        quality: From 1 (smallest) to 100 (best).

    Raises:
        ValueError: If the array has another form, or the quality is out of range.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise ValueError(f"a picture is uint8 of shape (H, W, 3), got {rgb.dtype} of shape {rgb.shape}")
    if not 1 <= quality <= 100:
        raise ValueError(f"JPEG quality is from 1 to 100, got {quality}")
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not done:
        raise ValueError(f"a picture of {rgb.shape[1]}x{rgb.shape[0]} cannot be encoded as JPEG")
    return data.tobytes()


def decode(data: bytes) -> NDArray[np.uint8]:
    """Return the RGB picture of shape `(H, W, 3)` in JPEG (or PNG, WebP) bytes.

    Raises:
        ValueError: If the bytes are not a picture, or one of more than 2**30 pixels.
    """
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error:  # the size in its header is beyond OpenCV's limit
        raise ValueError(f"the picture in these {len(data)} bytes is too large") from None
    if bgr is None:
        raise ValueError(f"these {len(data)} bytes are not a picture")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def size_wh(data: bytes) -> tuple[int, int]:
    """Return width and height from a JPEG's header, without decoding it.

    Raises:
        ValueError: If there is no such header.
    """
    place = 2
    while data[:2] == b"\xff\xd8" and data[place : place + 1] == b"\xff" and place + 9 <= len(data):
        if data[place + 1] in _FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    raise ValueError(f"these {len(data)} bytes are not the beginning of a JPEG")
