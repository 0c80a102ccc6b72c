"""More drawn videos of `benchmarks.wordings`: a lecture, departures, a recipe, a trailer, a menu, a game, and more.

Their fonts (Pillow's own, and one of OpenCV's) and colours are others than those of
`benchmarks.wordings_videos`. Some have hard cuts between grounds, some a ball that rests and moves, and one has
subtitles in a file beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FPS = 25
WH = (960, 540)
_SANS, _HEAVY, _BOLD = "sans", "heavy", "bold"
_INK = (245, 245, 245)
Colour = tuple[int, int, int]
Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Text:
    """Words from `start_s` until `end_s`, with their left upper corner at `at`; `plate` is the colour of a sign."""

    start_s: float
    end_s: float
    words: str
    at: tuple[int, int]
    px: int = 32
    font: str = _SANS
    ink: Colour = _INK
    plate: Colour | None = None


@dataclass(frozen=True)
class Ball:
    """A ball that rests, moves to the right from `start_s` until `end_s`, and rests again."""

    start_s: float
    end_s: float
    colour: Colour
    at: tuple[int, int] = (120, 430)
    speed_px: float = 160


@dataclass(frozen=True)
class Spec:
    """A video: its length, its grounds (each from a time until the next one's), its texts, its ball, what is said."""

    seconds: int
    grounds: tuple[tuple[float, Colour], ...]
    texts: tuple[Text, ...] = ()
    ball: Ball | None = None
    said: tuple[tuple[float, float, str], ...] = ()


_DARK = (35, 35, 45)
_NIGHT = (10, 20, 60)
_PAPER = (252, 248, 238)
_AMBER = (255, 190, 60)

DRAWN: dict[str, Spec] = {
    "lecture.mp4": Spec(
        24,
        ((0, _PAPER),),
        (
            Text(0, 7, "Bees in the City", (90, 90), 64, _HEAVY, _DARK),
            Text(0, 7, "Prof. Amina Okafor", (90, 210), 36, _HEAVY, _DARK),
            Text(0, 7, "Riverside Evening School", (90, 270), 30, _HEAVY, _DARK),
            Text(0, 7, "12 March 2024", (90, 330), 30, _HEAVY, _DARK),
            Text(7, 13, "What bees eat", (90, 70), 52, _HEAVY, _DARK),
            Text(7, 13, "Clover", (130, 180), 36, _HEAVY, _DARK),
            Text(8.4, 13, "Lavender", (130, 240), 36, _HEAVY, _DARK),
            Text(10, 13, "Dandelion", (130, 300), 36, _HEAVY, _DARK),
            Text(13, 18, "Results", (90, 70), 52, _HEAVY, _DARK),
            Text(13, 18, "Honey per hive: 23 kg", (90, 190), 36, _HEAVY, _DARK),
            Text(13, 18, "Hives in town: 1480", (90, 250), 36, _HEAVY, _DARK),
            Text(18, 24, "Questions?", (90, 90), 64, _HEAVY, _DARK),
            Text(18, 24, "amina@riverside-school.net", (90, 220), 32, _SANS, (20, 70, 150)),
            Text(18, 24, "www.riverside-school.net/bees", (90, 280), 32, _SANS, (20, 70, 150)),
            Text(0, 7, "Slide 1 of 4", (770, 490), 22, _SANS, _DARK),
            Text(7, 13, "Slide 2 of 4", (770, 490), 22, _SANS, _DARK),
            Text(13, 18, "Slide 3 of 4", (770, 490), 22, _SANS, _DARK),
            Text(18, 24, "Slide 4 of 4", (770, 490), 22, _SANS, _DARK),
        ),
    ),
    "station.mp4": Spec(
        20,
        ((0, (15, 15, 15)),),
        (
            Text(0, 20, "DEPARTURES", (60, 40), 46, _BOLD, _AMBER),
            Text(0, 10, "08:05", (800, 44), 40, _SANS, _INK),
            Text(10, 20, "08:06", (800, 44), 40, _SANS, _INK),
            Text(0, 20, "08:14  Basel", (60, 150), 36, _SANS, _AMBER),
            Text(0, 20, "Platform 3", (620, 150), 36, _SANS, _AMBER),
            Text(0, 20, "08:32  Lyon", (60, 220), 36, _SANS, _AMBER),
            Text(0, 8, "Platform 7", (620, 220), 36, _SANS, _AMBER),
            Text(8, 20, "DELAYED", (620, 220), 36, _SANS, (255, 90, 80)),
            Text(0, 20, "08:47  Milano", (60, 290), 36, _SANS, _AMBER),
            Text(0, 20, "Platform 11", (620, 290), 36, _SANS, _AMBER),
            Text(12, 16, "Please mind the gap", (220, 430), 40, _BOLD, _INK),
        ),
    ),
    "recipe.mp4": Spec(
        30,
        ((0, (150, 40, 35)), (8, (45, 110, 60)), (17, (200, 150, 40)), (25, (40, 70, 150))),
        (
            Text(0.6, 6, "Tomato Soup", (250, 200), 70, _BOLD),
            Text(2, 6, "with Nora", (390, 310), 36),
            Text(9, 14, "Step 1: chop the onions", (180, 220), 44),
            Text(18, 24, "Step 2: simmer 20 minutes", (150, 220), 44, ink=_DARK),
            Text(26, 30, "Enjoy your meal!", (220, 200), 56, _BOLD),
            Text(26, 30, "Recipe at norascooks.example", (220, 320), 32),
        ),
        said=(
            (1, 4, "Welcome back to my kitchen."),
            (5, 7.5, "Today we make my grandmother's tomato soup."),
            (9, 12, "Chop two onions and one carrot."),
            (13, 16, "Don't cry, chewing gum helps."),
            (18, 22, "Let it cook slowly and add basil."),
            (26, 29, "See you next Sunday!"),
        ),
    ),
    "trailer.mp4": Spec(
        18,
        ((0, (0, 0, 0)), (6, (90, 15, 20)), (12, (0, 0, 0))),
        (
            Text(1, 5, "NORTH OF WINTER", (170, 220), 64, _HEAVY),
            Text(6.4, 9, "Starring Mara Lind and Teo Park", (140, 230), 40, _HEAVY),
            Text(9, 11.6, "Directed by Jun Sato", (260, 230), 40, _HEAVY),
            Text(12.4, 18, "In cinemas 14 November", (190, 190), 44, _HEAVY),
            Text(14, 18, "Certificate 12A", (690, 470), 26, _SANS),
        ),
    ),
    "menu.mp4": Spec(
        16,
        ((0, (40, 60, 50)), (10, _PAPER)),
        (
            Text(0, 10, "Bistro Olive", (320, 40), 56, _HEAVY),
            Text(1, 10, "Soup of the day", (120, 170), 34, _HEAVY),
            Text(1, 10, "5.50", (720, 170), 34, _HEAVY),
            Text(1, 10, "Grilled trout", (120, 240), 34, _HEAVY),
            Text(1, 10, "16.90", (720, 240), 34, _HEAVY),
            Text(1, 10, "Lemon tart", (120, 310), 34, _HEAVY),
            Text(1, 10, "6.20", (720, 310), 34, _HEAVY),
            Text(10, 16, "Table 14", (120, 60), 36, _SANS, _DARK),
            Text(10, 16, "Total 28.60 EUR", (120, 180), 44, _SANS, _DARK),
            Text(12, 16, "Card ending 7731", (120, 270), 32, _SANS, _DARK),
            Text(12, 16, "Thank you for your visit", (120, 340), 32, _SANS, _DARK),
        ),
    ),
    "game.mp4": Spec(
        18,
        ((0, _NIGHT), (13, (110, 20, 30))),
        (
            Text(0, 2.6, "PRESS START", (320, 240), 44, _BOLD),
            Text(3, 13, "LEVEL 3", (60, 40), 32, _BOLD, (120, 220, 255)),
            Text(3, 9, "LIVES 2", (420, 40), 32, _BOLD, (120, 220, 255)),
            Text(9, 13, "LIVES 1", (420, 40), 32, _BOLD, (120, 220, 255)),
            Text(3, 13, "SCORE 12750", (680, 40), 32, _BOLD, (120, 220, 255)),
            Text(5, 6, "BONUS", (400, 240), 50, _BOLD, _AMBER),
            Text(11, 12, "BONUS", (400, 240), 50, _BOLD, _AMBER),
            Text(13, 18, "GAME OVER", (290, 180), 66, _BOLD),
            Text(14, 18, "High score 99400 by ZOE", (230, 320), 36, _SANS),
        ),
        Ball(4, 9, (230, 60, 60), (120, 440), 130),
    ),
    "signs.mp4": Spec(
        16,
        ((0, (140, 180, 215)),),
        (
            Text(1, 5, "Exit 24 Harlow", (120, 120), 48, _BOLD, plate=(20, 100, 60)),
            Text(4, 8, "Bridge closed", (480, 300), 44, _BOLD, (20, 20, 20), (245, 200, 40)),
            Text(9, 12, "Speed limit 50", (150, 180), 46, _BOLD, (20, 20, 20), (250, 250, 250)),
            Text(11, 15, "Parking 200 m", (520, 330), 46, _BOLD, plate=(30, 70, 160)),
        ),
    ),
    "ball.mp4": Spec(
        12,
        ((0, (60, 90, 160)), (9, (225, 130, 40))),
        ball=Ball(4, 7, (250, 250, 250)),
    ),
}


def pictures(spec: Spec) -> Iterator[Rgb]:
    """Yield the frames."""
    for number in range(spec.seconds * FPS):
        now_s = number / FPS
        ground = next(colour for start_s, colour in reversed(spec.grounds) if start_s <= now_s)
        picture = Image.new("RGB", WH, ground)
        pen = ImageDraw.Draw(picture)
        if spec.ball:
            moved_s = min(max(now_s, spec.ball.start_s), spec.ball.end_s) - spec.ball.start_s
            left, top = spec.ball.at[0] + spec.ball.speed_px * moved_s, spec.ball.at[1]
            pen.ellipse((left, top, left + 60, top + 60), fill=spec.ball.colour)
        shown = [text for text in spec.texts if text.start_s <= now_s < text.end_s]
        for text in shown:
            if text.font != _HEAVY:
                _write(pen, text)
        pixels = np.array(picture)
        for text in shown:
            if text.font == _HEAVY:
                _write_heavy(pixels, text)
        yield pixels


def _write(pen: ImageDraw.ImageDraw, text: Text) -> None:
    font = ImageFont.load_default(text.px)
    stroke = 1 if text.font == _BOLD else 0
    if text.plate:
        left, top, right, bottom = pen.textbbox(text.at, text.words, font=font, stroke_width=stroke)
        pen.rounded_rectangle((left - 24, top - 20, right + 24, bottom + 20), 10, fill=text.plate)
    pen.text(text.at, text.words, font=font, fill=text.ink, stroke_width=stroke)


def _write_heavy(pixels: Rgb, text: Text) -> None:
    base = (text.at[0], text.at[1] + round(text.px * 0.85))
    cv2.putText(pixels, text.words, base, cv2.FONT_HERSHEY_TRIPLEX, text.px / 34, text.ink, 1, cv2.LINE_AA)


def draw(path: Path) -> None:
    """Draw a video of `DRAWN`, with its subtitles beside it, unless it is there."""
    if path.exists():
        return
    spec = DRAWN[path.name]
    if spec.said:
        path.with_suffix(".srt").write_text(_srt(spec), encoding="utf-8")
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *WH, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "22"}
        for picture in pictures(spec):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())


def _srt(spec: Spec) -> str:
    return "\n".join(
        f"{number}\n{_clock(start_s)} --> {_clock(end_s)}\n{words}\n"
        for number, (start_s, end_s, words) in enumerate(spec.said, 1)
    )


def _clock(time_s: float) -> str:
    whole, ms = divmod(round(time_s * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02},{ms:03}"
