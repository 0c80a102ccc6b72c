"""Videos of drawn worlds: every frame holds its own number as a code in a corner that nothing else touches."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.observers.world import COLOURS, FPS, SIGN, Thing, World, slot_box

SIZE_WH = (480, 270)
_COLUMNS, _ROWS, _SIDE = 8, 4, 10
_BITS, _CHECK_BITS = 20, 12
_DARK, _LIGHT = 112, 144

Rgb = NDArray[np.uint8]


class BrokenCodeError(Exception):
    """A picture whose code cannot be read: it was never shown by the video."""


def draw(world: World, path: Path) -> None:
    """Encode the video of a world; an existing file is kept."""
    if path.exists():
        return
    rest = path.with_suffix(".part.mp4")
    with av.open(str(rest), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "20", "g": "50"})
        stream.width, stream.height = SIZE_WH
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, FPS)
        before, scene = None, None
        for number in range(world.frames):
            there = tuple(thing for thing in world.things if thing.visible(number))
            if scene is None or there != before:
                before, scene = there, _scene(world.seed, there)
            picture = scene.copy()
            _write_code(picture, number)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    rest.rename(path)


def read_code(picture: Rgb) -> int:
    """Return the number of the frame that a whole picture, of any size, shows.

    Raises:
        BrokenCodeError: If the code is not whole.
    """
    height, width = picture.shape[:2]
    across, down = width / SIZE_WH[0] * _SIDE, height / SIZE_WH[1] * _SIDE
    word = 0
    for bit in range(_COLUMNS * _ROWS):
        row, column = divmod(bit, _COLUMNS)
        part = picture[
            round((row + 0.3) * down) : round((row + 0.7) * down),
            round((column + 0.3) * across) : round((column + 0.7) * across),
        ]
        word |= int(part.mean() > 127) << bit
    number = word & ((1 << _BITS) - 1)
    if _word(number) != word:
        raise BrokenCodeError
    return number


def _write_code(picture: Rgb, number: int) -> None:
    word = _word(number)
    bits = np.array([word >> bit & 1 for bit in range(_COLUMNS * _ROWS)]).reshape(_ROWS, _COLUMNS)
    shades = np.where(bits, _LIGHT, _DARK).astype(np.uint8)
    blocks = shades.repeat(_SIDE, axis=0).repeat(_SIDE, axis=1)
    picture[: _ROWS * _SIDE, : _COLUMNS * _SIDE] = blocks[:, :, None]


def _word(number: int) -> int:
    check = (number * 2654435761 >> 9) & ((1 << _CHECK_BITS) - 1)
    return number | check << _BITS


def _scene(seed: int, there: tuple[Thing, ...]) -> Rgb:
    picture = _background(seed).copy()
    for thing in there:
        _draw_thing(picture, thing)
    return picture


def _background(seed: int) -> Rgb:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(70, 130, (6, 10, 3), dtype=np.uint8)
    return cv2.resize(coarse, SIZE_WH, interpolation=cv2.INTER_CUBIC)


def _draw_thing(picture: Rgb, thing: Thing) -> None:
    left, top, right, bottom = slot_box(thing.slot)
    if thing.name == SIGN:
        cv2.rectangle(picture, (left, top + 14), (right, bottom - 14), (245, 245, 245), -1)
        cv2.putText(
            picture, thing.text, (left + 4, bottom - 30), cv2.FONT_HERSHEY_DUPLEX, 0.75, (10, 10, 10), 1
        )
        return
    colour, shape = thing.name.split()
    rgb = COLOURS[colour]
    middle = ((left + right) // 2, (top + bottom) // 2)
    if shape == "ball":
        cv2.circle(picture, middle, 30, rgb, -1)
    elif shape == "ring":
        cv2.circle(picture, middle, 28, rgb, 9)
    elif shape == "square":
        cv2.rectangle(picture, (middle[0] - 28, middle[1] - 28), (middle[0] + 28, middle[1] + 28), rgb, -1)
    else:
        corners = np.array([(middle[0], top + 6), (left + 24, bottom - 8), (right - 24, bottom - 8)])
        cv2.fillPoly(picture, [corners], rgb)
