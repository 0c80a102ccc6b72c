"""A frame that says which it is: its number and its time, as black and white blocks that survive compression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIZE_WH = (320, 180)

_COLUMNS, _ROWS = 8, 4
_SIDE = 40
_NUMBER_BITS, _TIME_BITS, _CHECK_BITS = 11, 17, 4


@dataclass(frozen=True)
class Code:
    """What a frame says of itself: its number in display order, and its time in milliseconds from the first."""

    number: int
    millis: int


def draw_code(code: Code) -> NDArray[np.uint8]:
    """Return a picture of 320x180 RGB that holds the code, with something that moves below it."""
    word = _word(code)
    width, height = SIZE_WH
    rgb = np.full((height, width, 3), 96, np.uint8)
    for bit in range(_COLUMNS * _ROWS):
        row, column = divmod(bit, _COLUMNS)
        shade = 225 if word >> bit & 1 else 30
        rgb[row * _SIDE : (row + 1) * _SIDE, column * _SIDE : (column + 1) * _SIDE] = shade
    left = 5 * code.number % (width - 20)
    rgb[_ROWS * _SIDE :, left : left + 20] = (220, 60, 40)
    return rgb


def read_code(rgb: NDArray[np.uint8]) -> Code:
    """Read the code of a picture of any size.

    Raises:
        ValueError: If a block is neither dark nor light, or the check bits do not agree.
    """
    height, width = rgb.shape[:2]
    side_x, side_y = width / SIZE_WH[0] * _SIDE, height / SIZE_WH[1] * _SIDE
    word = 0
    for bit in range(_COLUMNS * _ROWS):
        row, column = divmod(bit, _COLUMNS)
        y0, y1 = round((row + 0.3) * side_y), round((row + 0.7) * side_y)
        x0, x1 = round((column + 0.3) * side_x), round((column + 0.7) * side_x)
        shade = float(rgb[y0:y1, x0:x1].mean())
        if 90 < shade < 165:
            raise ValueError(f"block {bit} is grey ({shade:.0f}): the picture is broken")
        word |= (shade > 127) << bit
    code = Code(word & (1 << _NUMBER_BITS) - 1, word >> _NUMBER_BITS & (1 << _TIME_BITS) - 1)
    if _word(code) != word:
        raise ValueError(f"the check bits of {code} do not agree: the picture is broken or turned")
    return code


def _word(code: Code) -> int:
    if not (0 <= code.number < 1 << _NUMBER_BITS and 0 <= code.millis < 1 << _TIME_BITS):
        raise ValueError(f"{code} does not fit its bits")
    body = code.number | code.millis << _NUMBER_BITS
    return body | (body * 2654435761 >> 7 & (1 << _CHECK_BITS) - 1) << _NUMBER_BITS + _TIME_BITS
