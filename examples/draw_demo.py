"""Draw the demo video: one minute of a harbour, with every text, cut and motion known to the frame.

    python examples/draw_demo.py OUT.mp4

The tables below are the truth about the video and also what it is drawn from. Times are seconds; each lies on
a frame (25 frames a second), and a range is half-open: a text of `[37.48, 37.88)` is in ten frames, first in
the one at 37.48 and last in the one at 37.84.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
Point = tuple[float, float]

FPS = 25
DURATION_S = 60.0
SIZE_WH = (1280, 720)
CODE = "https://example.org/tea-room/7"
WHITE, INK, GOLD = (250, 250, 245), (24, 30, 44), (255, 200, 90)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that is in the picture from `start_s` until just before `end_s`."""

    kind: Literal["text", "code", "colour", "motion", "still"]
    what: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Caption:
    """A text in the picture: its centre, the scale of its letters, and its colour."""

    text: str
    start_s: float
    end_s: float
    centre: tuple[int, int]
    scale: float
    colour: Colour = WHITE


CUTS_S = (6.0, 16.0, 20.0, 27.0, 34.0, 44.0, 54.0)
SHOTS = len(CUTS_S) + 1

CAPTIONS = (
    Caption("HARBOUR MORNING", 0.92, 5.2, (640, 330), 2.6),
    Caption("a film in eight shots", 1.84, 5.2, (640, 410), 1.1, GOLD),
    Caption("BERTH 14", 6.0, 16.0, (1226, 24), 0.5),
    Caption("SCAN ME", 20.0, 27.0, (640, 632), 1.6, INK),
    Caption("TEA ROOM", 27.0, 34.0, (400, 176), 1.5, GOLD),
    Caption("DEPARTURES", 34.0, 44.0, (640, 146), 1.3, GOLD),
    Caption("GATE 7 OPEN", 37.48, 37.88, (640, 262), 2.0),
    Caption("LAST FERRY 21:45", 47.32, 50.6, (420, 120), 1.6),
    Caption("THE END", 54.84, 60.0, (640, 380), 2.8),
)

EVENTS = (
    *(Event("text", caption.text, caption.start_s, caption.end_s) for caption in CAPTIONS),
    Event("motion", "a boat sails from the left to the right", 7.2, 14.4),
    Event("colour", "red", 16.0, 20.0),
    Event("code", CODE, 20.0, 27.0),
    Event("still", "the red screen", 16.0, 20.0),
    Event("still", "the poster", 20.0, 27.0),
    Event("still", "the tea room", 27.0, 34.0),
    Event("motion", "a luggage cart rolls from the right to the left", 34.0, 44.0),
    Event("motion", "the beam of a lighthouse turns", 44.0, 54.0),
)


def plain(colour: Colour) -> Picture:
    """Return a picture of one colour."""
    return np.full((SIZE_WH[1], SIZE_WH[0], 3), colour, np.uint8)


def gradient(top: Colour, bottom: Colour, height: int = SIZE_WH[1]) -> Picture:
    """Return a picture that fades from `top` to `bottom` over `height` rows and goes on in `bottom`."""
    share = np.minimum(np.arange(SIZE_WH[1]) / height, 1)[:, None, None]
    rows = np.array(top) * (1 - share) + np.array(bottom) * share
    return np.repeat(rows, SIZE_WH[0], axis=1).round().astype(np.uint8)


def polygon(picture: Picture, points: list[Point], colour: Colour) -> None:
    """Fill a polygon, its corners placed to a sixteenth of a pixel so that slow motion is smooth."""
    corners = np.round(np.array(points) * 16).astype(np.int32)
    cv2.fillPoly(picture, [corners], colour, cv2.LINE_AA, 4)


def box(picture: Picture, x: float, y: float, width: float, height: float, colour: Colour) -> None:
    """Fill a rectangle given by its upper left corner."""
    polygon(picture, [(x, y), (x + width, y), (x + width, y + height), (x, y + height)], colour)


def disc(picture: Picture, x: float, y: float, radius: float, colour: Colour) -> None:
    """Fill a circle."""
    cv2.circle(picture, (round(x * 16), round(y * 16)), round(radius * 16), colour, -1, cv2.LINE_AA, 4)


def write(picture: Picture, caption: Caption) -> None:
    """Write a caption round its centre."""
    thickness = max(1, round(caption.scale * 2))
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, height), _ = cv2.getTextSize(caption.text, font, caption.scale, thickness)
    corner = (caption.centre[0] - width // 2, caption.centre[1] + height // 2)
    cv2.putText(picture, caption.text, corner, font, caption.scale, caption.colour, thickness, cv2.LINE_AA)


def waves(picture: Picture, top: int, colour: Colour) -> None:
    """Draw rows of short waves from `top` down."""
    for row, y in enumerate(range(top, SIZE_WH[1], 26)):
        for x in range(-60 + 45 * (row % 3), SIZE_WH[0], 150):
            width = 34 + 4 * row
            cv2.ellipse(picture, (x, y), (width, 5), 0, 200, 340, colour, 2, cv2.LINE_AA)


def title() -> Picture:
    """Draw the ground of the title: dawn behind hills."""
    picture = gradient((18, 34, 74), (232, 128, 84), 640)
    disc(picture, 640, 600, 120, (255, 186, 110))
    polygon(
        picture,
        [(0, 560), (260, 500), (520, 590), (820, 520), (1280, 600), (1280, 720), (0, 720)],
        (38, 44, 78),
    )
    polygon(picture, [(0, 660), (360, 590), (760, 660), (1280, 580), (1280, 720), (0, 720)], INK)
    return picture


def harbour() -> Picture:
    """Draw the ground of the harbour: sky, sea and a quay; the boat comes later."""
    picture = gradient((126, 190, 232), (236, 240, 232), 430)
    disc(picture, 230, 150, 58, (255, 226, 130))
    for x, y in ((520, 120), (860, 190)):
        for dx, dy, radius in ((-50, 8, 26), (-14, -8, 36), (34, 4, 28)):
            disc(picture, x + dx, y + dy, radius, WHITE)
    polygon(picture, [(0, 430), (170, 360), (330, 410), (470, 430)], (120, 150, 140))
    box(picture, 0, 430, 1280, 290, (34, 104, 142))
    waves(picture, 470, (70, 140, 172))
    box(picture, 0, 650, 1280, 70, (126, 110, 96))
    for x in range(80, 1280, 240):
        box(picture, x, 626, 34, 40, (70, 62, 60))
    box(picture, 1160, 8, 120, 32, INK)
    return picture


def boat(picture: Picture, time_s: float) -> None:
    """Sail the boat from the left edge of the picture to the right one while its event lasts."""
    start_s, end_s = 7.2, 14.4
    x = 60 + 1010 * min(max((time_s - start_s) / (end_s - start_s), 0), 1)
    y = 470 + 5 * math.sin((min(max(time_s, start_s), end_s) - start_s) * 2.4)
    polygon(picture, [(x, y), (x + 190, y), (x + 156, y + 52), (x + 32, y + 52)], (176, 52, 44))
    box(picture, x + 90, y - 168, 7, 168, (92, 66, 48))
    polygon(picture, [(x + 104, y - 166), (x + 104, y - 16), (x + 184, y - 16)], WHITE)
    polygon(picture, [(x + 84, y - 150), (x + 84, y - 16), (x + 18, y - 16)], (240, 214, 160))


def red() -> Picture:
    """Draw nothing but red."""
    return plain((204, 24, 32))


def poster() -> Picture:
    """Draw a poster with the QR code."""
    picture = gradient((222, 206, 182), (190, 168, 140))
    box(picture, 348, 42, 600, 650, (150, 128, 104))
    box(picture, 340, 34, 600, 650, WHITE)
    modules = cv2.QRCodeEncoder.create().encode(CODE)
    code = cv2.resize(modules, (500, 500), interpolation=cv2.INTER_NEAREST)
    picture[64:564, 390:890] = code[:, :, None]
    return picture


def tea_room() -> Picture:
    """Draw a room in which nothing moves."""
    picture = plain((206, 196, 176))
    box(picture, 0, 560, 1280, 160, (134, 92, 64))
    box(picture, 200, 110, 400, 132, (58, 70, 62))
    box(picture, 780, 90, 330, 260, (250, 250, 250))
    box(picture, 796, 106, 298, 228, (150, 200, 226))
    box(picture, 938, 106, 14, 228, (250, 250, 250))
    box(picture, 330, 440, 620, 26, (96, 62, 44))
    for x in (370, 884):
        box(picture, x, 466, 26, 170, (96, 62, 44))
    cv2.ellipse(picture, (760, 402), (34, 26), 0, 0, 360, (44, 110, 120), 12, cv2.LINE_AA)
    cv2.ellipse(picture, (640, 398), (92, 46), 0, 0, 360, (44, 110, 120), -1, cv2.LINE_AA)
    polygon(picture, [(560, 390), (504, 352), (516, 346), (572, 376)], (44, 110, 120))
    disc(picture, 640, 348, 12, GOLD)
    box(picture, 420, 396, 74, 44, WHITE)
    return picture


def departures() -> Picture:
    """Draw a hall with an empty board; the cart comes later."""
    picture = gradient((72, 78, 96), (112, 116, 130), 560)
    for x in range(0, 1280, 160):
        box(picture, x, 0, 6, 560, (86, 92, 110))
    box(picture, 250, 84, 780, 246, (18, 20, 26))
    box(picture, 250, 190, 780, 4, (62, 66, 78))
    box(picture, 0, 560, 1280, 160, (58, 58, 66))
    for x in range(-300, 1280, 220):
        polygon(picture, [(x + 200, 560), (x + 214, 560), (x + 34, 720), (x, 720)], (70, 70, 80))
    return picture


def cart(picture: Picture, time_s: float) -> None:
    """Roll the luggage cart from the right edge to the left one, through the whole shot."""
    x = 1060 - 92 * (time_s - 34)
    box(picture, x + 24, 470, 70, 84, (196, 120, 54))
    box(picture, x + 98, 498, 84, 56, (62, 128, 104))
    box(picture, x + 44, 450, 30, 20, (120, 70, 34))
    box(picture, x, 554, 206, 14, (200, 204, 212))
    box(picture, x + 196, 440, 10, 116, (200, 204, 212))
    for wheel in (36, 168):
        disc(picture, x + wheel, 582, 18, (20, 20, 24))
        disc(picture, x + wheel, 582, 7, (170, 174, 182))


def night() -> Picture:
    """Draw the sea at night with a lighthouse; its beam comes later."""
    picture = gradient((10, 14, 40), (44, 52, 96), 520)
    rng = np.random.default_rng(7)
    for x, y in rng.integers((0, 0), (1280, 400), (70, 2)):
        disc(picture, int(x), int(y), 1.4, (220, 224, 240))
    box(picture, 0, 540, 1280, 180, (14, 26, 54))
    waves(picture, 566, (30, 46, 84))
    polygon(
        picture, [(860, 600), (940, 556), (1120, 556), (1230, 600), (1280, 640), (820, 640)], (34, 32, 42)
    )
    polygon(picture, [(996, 560), (1008, 300), (1072, 300), (1084, 560)], (226, 222, 214))
    for top in (350, 450):
        lean = (top - 300) * 12 / 260
        polygon(
            picture,
            [(1008 - lean, top), (1072 + lean, top), (1074 + lean, top + 50), (1006 - lean, top + 50)],
            (176, 48, 44),
        )
    polygon(picture, [(1000, 252), (1040, 214), (1080, 252)], (70, 40, 44))
    return picture


def beam(picture: Picture, time_s: float) -> None:
    """Turn the beam of the lighthouse over the water, once in five seconds."""
    turn = math.sin((time_s - 44) * 2 * math.pi / 5)
    reach = picture.copy()
    tip_x, tip_y = 1040 - 1100 * turn, 470 + 90 * (1 - abs(turn))
    polygon(reach, [(1040, 270), (1040, 282), (tip_x, tip_y + 110), (tip_x, tip_y - 40)], (255, 238, 170))
    cv2.addWeighted(reach, 0.35, picture, 0.65, 0, picture)
    box(picture, 1012, 252, 56, 48, (255, 240, 180))


def ending() -> Picture:
    """Draw the ground of the end: a quiet evening."""
    picture = gradient((44, 30, 74), (214, 110, 96), 520)
    disc(picture, 640, 520, 90, (255, 170, 110))
    box(picture, 0, 520, 1280, 200, (40, 34, 70))
    waves(picture, 556, (86, 62, 96))
    return picture


@dataclass(frozen=True, slots=True)
class Shot:
    """What is seen between two cuts: a ground that stands still, and what moves over it."""

    ground: Callable[[], Picture]
    mover: Callable[[Picture, float], None] | None = None


SHOT_LIST = (
    Shot(title),
    Shot(harbour, boat),
    Shot(red),
    Shot(poster),
    Shot(tea_room),
    Shot(departures, cart),
    Shot(night, beam),
    Shot(ending),
)


def frame_number(time_s: float) -> int:
    """Return the number of the frame at a time.

    Raises:
        ValueError: If no frame begins then.
    """
    number = round(time_s * FPS)
    if abs(number / FPS - time_s) > 1e-9:
        raise ValueError(f"{time_s} s lies between two frames of {FPS} a second")
    return number


def captions_at(number: int) -> list[Caption]:
    """Return what is written in a frame."""
    return [c for c in CAPTIONS if frame_number(c.start_s) <= number < frame_number(c.end_s)]


def draw(shot: Shot, first: int, end: int) -> Iterator[av.VideoFrame]:
    """Draw the frames of a shot from number `first` until just before `end`; equal ones are drawn once."""
    ground = shot.ground()
    drawn: list[Caption] | None = None
    frame = None
    for number in range(first, end):
        captions = captions_at(number)
        if frame is None or shot.mover or captions != drawn:
            picture = ground.copy()
            if shot.mover:
                shot.mover(picture, number / FPS)
            for caption in captions:
                write(picture, caption)
            rgb = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame, drawn = rgb.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709), captions
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        yield frame


def encoder(container: av.container.OutputContainer) -> av.VideoStream:
    """Add an H.264 stream with B-frames and distant keyframes, its colours tagged as BT.709."""
    stream = container.add_stream("libx264", rate=FPS)
    stream.width, stream.height = SIZE_WH
    stream.pix_fmt = "yuv420p"
    stream.options = {"preset": "superfast", "crf": "21", "bf": "3", "g": "250"}
    context = stream.codec_context
    context.time_base = Fraction(1, FPS)
    context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return stream


def render(path: Path) -> None:
    """Write the whole video."""
    edges = [frame_number(time_s) for time_s in (0.0, *CUTS_S, DURATION_S)]
    with av.open(path, "w", options={"movflags": "faststart"}) as container:
        stream = encoder(container)
        for shot, (first, end) in zip(SHOT_LIST, pairwise(edges), strict=True):
            for frame in draw(shot, first, end):
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def main(arguments: list[str]) -> int:
    """Draw the video to the path given."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python examples/draw_demo.py OUT.mp4", file=sys.stderr)
        return 2
    path = Path(arguments[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    render(path)
    print(f"{path}: {DURATION_S:g} s, {SHOTS} shots, {len(CAPTIONS)} texts", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
