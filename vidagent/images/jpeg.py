"""JPEG bytes from RGB pictures and back: the only place where RGB and BGR meet."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["decode", "encode"]


def encode(rgb: NDArray[np.uint8], quality: int = 90) -> bytes:
    """Compress an RGB picture of shape `(H, W, 3)`.

    Args:
        rgb: The picture, uint8.
        quality: From 1 (smallest) to 100 (best).

    Raises:
        ValueError: If the array is no such picture, or the quality is out of range.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise ValueError(f"a picture is uint8 of shape (H, W, 3), got {rgb.dtype} of shape {rgb.shape}")
    if not 1 <= quality <= 100:
        raise ValueError(f"JPEG quality is from 1 to 100, got {quality}")
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not done:
        raise ValueError(f"a picture of {rgb.shape[1]}x{rgb.shape[0]} cannot be a JPEG")
    return data.tobytes()


def decode(data: bytes) -> NDArray[np.uint8]:
    """Return the RGB picture of shape `(H, W, 3)` in JPEG (or PNG, WebP) bytes.

    Raises:
        ValueError: If the bytes are no picture.
    """
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if bgr is None:
        raise ValueError(f"these {len(data)} bytes are no picture")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
