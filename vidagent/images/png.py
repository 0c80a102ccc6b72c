"""PNG bytes from RGB pictures, for lossless exports."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def encode(rgb: NDArray[np.uint8]) -> bytes:
    """Compress an RGB picture of shape `(H, W, 3)` without loss.

    Raises:
        ValueError: If the array has another form.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise ValueError(f"a picture is uint8 of shape (H, W, 3), got {rgb.dtype} of shape {rgb.shape}")
    done, data = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError(f"a picture of {rgb.shape[1]}x{rgb.shape[0]} cannot be encoded as PNG")
    return data.tobytes()
