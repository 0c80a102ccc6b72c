"""Colour names of images and text backgrounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from vidagent.types import Box

ColourName = Literal[
    "black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown"
]
COLOUR_NAMES: Final[tuple[ColourName, ...]] = get_args(ColourName)
"""The eleven basic colour terms of English (Berlin & Kay, Basic Color Terms, 1969)."""

_SIDE: Final = 192
_BLACK_VALUE: Final = 46
_WHITE_VALUE: Final = 205
_PALE: Final = 45
"""Saturation (0 to 255) below which a bright pixel has no hue. Dark pixels need more, as JPEG shifts their colour as
much as that of bright ones."""

_HUES: Final[tuple[tuple[int, ColourName], ...]] = (
    (7, "red"),
    (22, "orange"),
    (34, "yellow"),
    (86, "green"),
    (131, "blue"),
    (149, "purple"),
    (170, "pink"),
    (180, "red"),
)
"""Upper limits of the hues, in OpenCV's units of two degrees; cyan counts as blue, magenta as pink."""

_BLACK: Final = COLOUR_NAMES.index("black")
_WHITE: Final = COLOUR_NAMES.index("white")


@dataclass(frozen=True, slots=True)
class Fill:
    """The most common colour of an image.

    Args:
        name: Its name.
        fraction: The fraction of pixels with this colour name, from 0 to 1.
        rgb: The median colour of those pixels.
    """

    name: ColourName
    fraction: float
    rgb: tuple[int, int, int]


def dominant(rgb: NDArray[np.uint8], box: Box | None = None) -> Fill:
    """Find the most common colour name in an image.

    Args:
        rgb: Image, `(H, W, 3)`.
        box: The region to examine, or None for the whole image.
    """
    part = rgb if box is None else _cropped(rgb, box)
    return _most_common(_reduced(part).reshape(-1, 3))


def background_of(rgb: NDArray[np.uint8], box: Box) -> ColourName:
    """Name the background colour of a text.

    Uses the rim of the text's box, where OCR leaves a margin: the outer sixth of its height on each side and two
    pixels beyond. Further out the background may differ, as a button ends close to its label.

    Args:
        rgb: Image, `(H, W, 3)`.
        box: Bounding box of the text.
    """
    x0, y0, x1, y1 = box
    ground = _cropped(rgb, (x0 - 2, y0 - 2, x1 + 2, y1 + 2))
    rim = max(1, round((y1 - y0) / 6)) + 2
    inside = np.zeros(ground.shape[:2], dtype=bool)
    inside[rim:-rim, rim:-rim] = True
    return _most_common(ground[~inside]).name


def _names(rgb: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return the index in `COLOUR_NAMES` of every pixel."""
    hue, saturation, value = (
        channel.astype(int) for channel in cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV))
    )
    ends = np.array([end for end, _ in _HUES])
    hued = np.array([COLOUR_NAMES.index(name) for _, name in _HUES])[np.searchsorted(ends, hue, side="right")]
    warm, reddish = (hue < 25) | (hue >= 174), (hue < 10) | (hue >= 165)
    brown = (hue >= 5) & (hue < 25) & (value < 175) & (saturation > 60)
    violet = (hue >= 149) & (hue < 168) & (value < 190)
    olive = (hue >= 25) & (hue < 34) & (value < 180)
    rosy = reddish & (saturation < 150) & (value > 180)
    no_hue = saturation < _PALE + np.clip((180 - value) / 2, 0, 60)
    cream = warm & (saturation < 64) & (value > 220) & ~rosy
    grey = np.where(value > _WHITE_VALUE, _WHITE, _index("grey"))
    named = np.select(
        [value < _BLACK_VALUE, no_hue & (value < 75), no_hue, cream, brown, olive, violet, rosy],
        [_BLACK, _BLACK, grey, _WHITE, _index("brown"), _index("green"), _index("purple"), _index("pink")],
        hued,
    )
    return named.astype(np.intp)


def _index(name: ColourName) -> int:
    return COLOUR_NAMES.index(name)


def _most_common(pixels: NDArray[np.uint8]) -> Fill:
    names = _names(pixels[np.newaxis])[0]
    counts = np.bincount(names, minlength=len(COLOUR_NAMES))
    best = int(counts.argmax())
    red, green, blue = (round(float(level)) for level in np.median(pixels[names == best], axis=0))
    return Fill(COLOUR_NAMES[best], float(counts[best] / counts.sum()), (red, green, blue))


def _reduced(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = min(1.0, _SIDE / max(rgb.shape[:2]))
    size_wh = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    return cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _cropped(rgb: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """Crop to a box, clamped to the image and at least one pixel large."""
    height, width = rgb.shape[:2]
    x0, y0 = min(max(box[0], 0), width - 1), min(max(box[1], 0), height - 1)
    x1, y1 = max(x0 + 1, min(box[2], width)), max(y0 + 1, min(box[3], height))
    return rgb[y0:y1, x0:x1]
