"""Hidden events: texts, small texts in a corner, codes and shapes, each drawn over the frames of one scene."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import cv2
import numpy as np

from benchmarks.long_video import FPS, SIZE_WH, Picture, draw_text
from benchmarks.needle_footage import Scene

Kind = Literal["text", "small text", "QR code", "barcode", "shapes"]
Corner = Literal["upper left", "upper right", "lower left", "lower right"]
Draw = Callable[[Picture, int], object]

_CORNERS: tuple[Corner, ...] = ("upper left", "upper right", "lower left", "lower right")
_SMALL_WH = (100, 14)
_YELLOW = (250, 220, 30)
_WORDS = (
    "ORCHID COPPER LANTERN HARBOUR VELVET MARBLE GLACIER PEPPER CANYON TIMBER FALCON MEADOW SADDLE ROCKET THUNDER "
    "PLANET WINTER CASTLE ISLAND MIRROR BRIDGE CANDLE DESERT FOREST GARDEN HAMMER JUNGLE KETTLE LADDER MAGNET"
).split()


@dataclass(frozen=True)
class Event:
    """Something shown for a few frames.

    Args:
        kind: What it is.
        what: The text, the code's content, or how many shapes.
        frames: How long it is shown.
        corner: Where a small text is.
        draw: Draws it into a picture, given how many frames it has been shown before.
    """

    kind: Kind
    what: str
    frames: int
    corner: Corner | None
    draw: Draw = field(compare=False, repr=False)


def new_text(chance: random.Random) -> str:
    """Return a word and a number, so that two differ by more than a letter or by a digit that counts."""
    return f"{chance.choice(_WORDS)} {chance.randrange(1000, 10000)}"


def new_code(chance: random.Random) -> str:
    """Return a code's content."""
    return f"VID{chance.randrange(100000, 1000000)}"


def event(kind: Kind, shown_s: float, chance: random.Random) -> Event:
    """Return a new event of a kind."""
    corner, what = chance.choice(_CORNERS), new_text(chance)
    frames = round(shown_s * FPS)
    if kind == "text":
        return Event(kind, what, frames, None, _text(what, chance))
    if kind == "small text":
        return Event(kind, what, frames, corner, _small(what, corner))
    if kind == "shapes":
        what = str(chance.randrange(2, 6))
        return Event(kind, what, frames, None, _shapes(int(what), frames, chance))
    code = new_code(chance)
    return Event(kind, code, frames, None, _code(kind, code, chance))


def shown_over(scene: Scene, event: Event, first: int) -> Iterator[Picture]:
    """Draw a scene that shows an event from a frame on."""
    for number, rgb in enumerate(scene.pictures()):
        if first <= number < first + event.frames:
            event.draw(rgb, number - first)
        yield rgb


def _text(text: str, chance: random.Random) -> Draw:
    scale = chance.uniform(0.7, 1.2)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, 2)
    room_x, room_y = max(11, SIZE_WH[0] - width - 10), SIZE_WH[1] - 10
    origin_xy = chance.randrange(10, room_x), chance.randrange(height + 10, room_y)
    return lambda rgb, _: draw_text(rgb, text, origin_xy, scale)


def _small(text: str, corner: Corner) -> Draw:
    """Write letters about 8 px high, white with a thin outline."""
    width, height = SIZE_WH
    x = 8 if "left" in corner else width - _SMALL_WH[0] - 8
    y = 8 + _SMALL_WH[1] if "upper" in corner else height - 10

    def draw(rgb: Picture, _: int) -> None:
        for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(rgb, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.38, colour, thickness, cv2.LINE_AA)

    return draw


def _code(kind: Kind, content: str, chance: random.Random) -> Draw:
    plate = _plate(kind, content)
    height, width = plate.shape
    x, y = chance.randrange(0, SIZE_WH[0] - width), chance.randrange(0, SIZE_WH[1] - height)

    def draw(rgb: Picture, _: int) -> None:
        rgb[y : y + height, x : x + width] = plate[..., None]

    return draw


def _plate(kind: Kind, content: str) -> np.ndarray:
    """Draw a code in grey, 4 px a module (QR) or 2 px a bar, on a white margin."""
    import zxingcpp

    form = zxingcpp.QRCode if kind == "QR code" else zxingcpp.Code128
    drawn = np.array(zxingcpp.create_barcode(content, form).to_image(scale=1), np.uint8)
    drawn = drawn[: drawn.shape[0] if kind == "QR code" else 1]
    tall = 4 if kind == "QR code" else 70
    drawn = np.repeat(np.repeat(drawn, tall, axis=0), 4 if kind == "QR code" else 2, axis=1)
    return np.pad(drawn, 16, constant_values=255)


def _shapes(count: int, frames: int, chance: random.Random) -> Draw:
    """Let yellow circles cross the picture side by side, one in each of `count` lanes."""
    lanes = [round((lane + 0.5) * SIZE_WH[1] / count) for lane in range(count)]
    delays = [chance.uniform(0, 0.3) for _ in lanes]
    return partial(_circles, lanes=lanes, delays=delays, frames=frames)


def _circles(rgb: Picture, number: int, *, lanes: list[int], delays: list[float], frames: int) -> None:
    for y, delay in zip(lanes, delays, strict=True):
        x = round(((number / frames - delay) / (1 - delay)) * (SIZE_WH[0] + 60)) - 30
        cv2.circle(rgb, (x, y), 16, _YELLOW, cv2.FILLED, cv2.LINE_AA)
