"""Moving footage drawn from seeds: panned grounds of noise, bricks and stripes, with shapes that wander over them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.long_video import FPS, SIZE_WH, Picture

SCENES = 12
_MARGIN = 160
_LENGTHS_S = (4.0, 6.0)


@dataclass(frozen=True)
class Scene:
    """One shot of a few seconds.

    Args:
        seed: What it is drawn from.
        frames: Its length.
    """

    seed: int
    frames: int

    def pictures(self) -> Iterator[Picture]:
        """Draw its frames."""
        chance = random.Random(self.seed)
        ground = _ground(chance)
        phase, speed = chance.uniform(0, 6), chance.uniform(0.01, 0.03)
        shapes = [_Shape(chance) for _ in range(chance.randrange(3, 7))]
        width, height = SIZE_WH
        for number in range(self.frames):
            x = round((1 + math.sin(phase + speed * number)) * _MARGIN / 2)
            y = round((1 + math.cos(phase + 0.7 * speed * number)) * _MARGIN / 2)
            rgb = ground[y : y + height, x : x + width].copy()
            for shape in shapes:
                shape.draw(rgb, number)
            yield rgb


def scene(number: int) -> Scene:
    """Return one of the `SCENES` scenes."""
    chance = random.Random(f"length {number}")
    return Scene(1000 + number, round(chance.uniform(*_LENGTHS_S) * FPS))


class _Shape:
    """A filled circle or rectangle on its way."""

    def __init__(self, chance: random.Random) -> None:
        self.round, self.size = chance.random() < 0.5, chance.randrange(12, 50)
        self.rgb = (chance.randrange(30, 150), *(chance.randrange(30, 220) for _ in range(2)))  # never yellow
        self.start_xy = chance.uniform(0, SIZE_WH[0]), chance.uniform(0, SIZE_WH[1])
        self.step_xy = chance.uniform(-4, 4), chance.uniform(-3, 3)

    def draw(self, rgb: Picture, number: int) -> None:
        """Draw it where it is in a frame; it leaves on one side and comes back on the other."""
        x, y = (
            round((start + step * number) % (side + 2 * self.size)) - self.size
            for start, step, side in zip(self.start_xy, self.step_xy, SIZE_WH, strict=True)
        )
        if self.round:
            cv2.circle(rgb, (x, y), self.size, self.rgb, cv2.FILLED, cv2.LINE_AA)
        else:
            cv2.rectangle(rgb, (x, y), (x + self.size, y + self.size // 2), self.rgb, cv2.FILLED)


def _ground(chance: random.Random) -> Picture:
    """Draw noise of three sizes in two colours, and on most grounds lines: bricks, stripes or a net."""
    width, height = SIZE_WH[0] + _MARGIN, SIZE_WH[1] + _MARGIN
    noise = np.random.default_rng(chance.randrange(1 << 30))
    level = np.zeros((height, width), np.float32)
    for cells, weight in ((6, 0.6), (24, 0.3), (96, 0.1)):
        small = noise.random((cells, cells * 2), np.float32)
        level += weight * cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    dark = np.array([chance.randrange(0, 110) for _ in range(3)], np.float32)
    light = np.array([chance.randrange(110, 240) for _ in range(3)], np.float32)
    rgb = np.clip(dark + level[..., None] * (light - dark), 0, 255).astype(np.uint8)
    step, shade = chance.randrange(18, 60), tuple(chance.randrange(0, 256) for _ in range(3))
    kind = chance.choice(["plain", "bricks", "stripes", "net"])
    if kind in {"bricks", "net"}:
        for y in range(0, height, step):
            cv2.line(rgb, (0, y), (width, y), shade, 1)
    if kind in {"stripes", "net"}:
        for x in range(0, 2 * width, step):
            cv2.line(rgb, (x, 0), (x - height, height), shade, 2, cv2.LINE_AA)
    if kind == "bricks":
        for row, y in enumerate(range(0, height, step)):
            for x in range(step * (row % 2), width, 2 * step):
                cv2.line(rgb, (x, y), (x, y + step), shade, 1)
    return rgb
