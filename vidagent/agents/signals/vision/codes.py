"""QR code and barcode reading with zxing-cpp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vidagent.types import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENLARGEMENT: Final = 2
_ENLARGED_PIXELS: Final = 1280 * 720
"""Up to this size, retry an image without a code at twice its size: a blurred QR code of 2.5 px per module is only
read then. It costs 11 ms at 640x360 after 3.5 for the first try (10 and 31 ms at 1110x734)."""


@dataclass(frozen=True, slots=True)
class Code:
    """One decoded code.

    Args:
        kind: Its symbology, such as `"QR Code"` or `"EAN-13"`.
        text: Its content.
        box: Upright bounding box, in pixels of the image.
    """

    kind: str
    text: str
    box: Box


def read_codes(rgb: NDArray[np.uint8]) -> list[Code]:
    """Read all codes with valid checksums in an image.

    Args:
        rgb: Image, `(H, W, 3)`.

    Returns:
        The codes from top to bottom, each content once.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint8)
    codes = _scan(grey, 1)
    if not codes and grey.size <= _ENLARGED_PIXELS:
        larger = cv2.resize(grey, None, fx=_ENLARGEMENT, fy=_ENLARGEMENT, interpolation=cv2.INTER_CUBIC)
        codes = _scan(larger.astype(np.uint8), _ENLARGEMENT)
    once = {(code.kind, code.text): code for code in reversed(codes)}
    return sorted(once.values(), key=lambda code: (code.box[1], code.box[0]))


def _scan(grey: NDArray[np.uint8], scale: int) -> list[Code]:
    import zxingcpp

    found: Sequence[Any] = zxingcpp.read_barcodes(grey)
    return [Code(str(code.format), code.text, _box(code.position, scale)) for code in found if code.valid]


def _box(position: Any, scale: int) -> Box:  # noqa: ANN401 - zxingcpp has no stubs
    corners = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    xs = [corner.x // scale for corner in corners]
    ys = [corner.y // scale for corner in corners]
    return max(0, min(xs)), max(0, min(ys)), max(xs) + 1, max(ys) + 1
