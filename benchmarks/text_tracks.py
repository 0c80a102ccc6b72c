"""Text tracks against what was drawn: found, edges in frames, letters right, and CPU seconds.

`python -m benchmarks.text_tracks --out FOLDER` draws one video of each kind, with 20 texts in it, finds the texts on
screen, and prints a table. A text counts as found if a track of it overlaps where it was drawn and at least half of its
letters are right; its edges are those of the track, or of the first and the last one if there are several.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from matplotlib import font_manager
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz import fuzz

from benchmarks.cpu_time import cpu_s
from vidagent.api import texts_of
from vidagent.video.texts.track import TextTrack, plain

FPS = 25
WH = (1280, 720)
TEXTS = 20
KINDS = ("sizes", "fonts", "moving", "fading", "footage", "brief", "long")
_WORDS = (
    "ORCHID lantern Copper GATE harbour Quarter SUMMIT velvet Meadow PILOT anchor Bridge CANVAS ember Falcon GLACIER "
    "island Jasper KETTLE linen Marble NECTAR ocean Pepper QUARTZ river Saddle TIMBER umber Violet WILLOW yarrow Zenith"
).split()
_FONTS = ("DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono", "DejaVu Sans:bold", "DejaVu Serif:italic")
_VISIBLE = 0.2
"""Share of its contrast at which a text that fades counts as standing."""

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Drawn:
    """A text as drawn: frames `[first, end)`, its size, its place in each frame, and how visible it is there."""

    text: str
    first: int
    end: int
    font: str
    px: int
    at: Callable[[int], tuple[int, int]]
    alpha: Callable[[int], float]


def plan(kind: str, rng: np.random.Generator) -> tuple[list[Drawn], int]:
    """Return the texts of a video and its number of frames."""
    frames = FPS * (180 if kind == "long" else 60)
    texts = []
    for number in range(TEXTS):
        words = [str(word) for word in rng.choice(_WORDS, 2, replace=False)]
        text = f"{words[0]} {words[1]} {rng.integers(10, 99)}" if number % 3 else " ".join(words)
        px = int(rng.integers(12, 72)) if kind == "sizes" else int(rng.integers(20, 48))
        px = int(np.linspace(12, 60, TEXTS)[number]) if kind == "sizes" else px
        font = str(rng.choice(_FONTS)) if kind == "fonts" else _FONTS[0]
        length = {"brief": int(rng.integers(5, 11)), "long": int(rng.integers(500, 3500))}.get(
            kind, int(rng.integers(20, 70))
        )
        slot = frames // TEXTS
        first = number * slot + int(rng.integers(0, max(1, slot - length)))
        if kind == "long":
            first = int(rng.integers(10, frames - length))
        row = 40 + (number * 137) % (WH[1] - 140)
        if kind == "long":
            row = 12 + number * 35
            px = min(px, 26)
        left = int(rng.integers(30, 500))
        speed = float(rng.choice((-1, 1))) * float(rng.uniform(1.5, 6)) if kind == "moving" else 0.0
        texts.append(_drawn(text, first, length, font, px, (left, row), speed, fading=kind == "fading"))
    return texts, frames


def _drawn(
    text: str,
    first: int,
    length: int,
    font: str,
    px: int,
    at: tuple[int, int],
    speed: float,
    *,
    fading: bool,
) -> Drawn:
    left = at[0] if speed >= 0 else at[0] + 300

    def place(frame: int) -> tuple[int, int]:
        return left + round(speed * (frame - first)), at[1]

    def alpha(frame: int) -> float:
        if not fading:
            return 1.0
        return min(1.0, (frame - first + 1) / 10, (first + length - frame) / 10)

    return Drawn(text, first, first + length, font, px, place, alpha)


def truth(drawn: Drawn) -> tuple[int, int]:
    """Return the first frame in which a text stands, and the first without it."""
    standing = [frame for frame in range(drawn.first, drawn.end) if drawn.alpha(frame) >= _VISIBLE]
    return standing[0], standing[-1] + 1


def pictures(texts: list[Drawn], frames: int, kind: str, rng: np.random.Generator) -> Iterator[Rgb]:
    """Yield the frames: a plain ground, or one of soft spots that moves."""
    spots = rng.integers(20, 200, (24, 80, 3), dtype=np.uint8)
    scene = cv2.resize(spots, (2 * WH[0], WH[1]), interpolation=cv2.INTER_CUBIC)
    speckles = rng.integers(-25, 25, scene.shape[:2])[:, :, None]
    scene = np.clip(scene + cv2.GaussianBlur(speckles.astype(np.float32), (5, 5), 0)[:, :, None], 0, 255)
    fonts: dict[tuple[str, int], ImageFont.FreeTypeFont] = {}
    for frame in range(frames):
        if kind == "footage":
            shift = round(WH[0] / 2 * (1 + np.sin(frame / 60)))
            ground = scene[:, shift : shift + WH[0]].astype(np.uint8)
        else:
            ground = np.full((WH[1], WH[0], 3), (38, 46, 60), np.uint8)
        picture = Image.fromarray(np.ascontiguousarray(ground))
        for drawn in texts:
            if drawn.first <= frame < drawn.end:
                font = fonts.setdefault((drawn.font, drawn.px), _font(drawn.font, drawn.px))
                _write(picture, drawn, frame, font, outlined=kind == "footage")
        yield np.asarray(picture)


def _font(name: str, px: int) -> ImageFont.FreeTypeFont:
    family, _, style = name.partition(":")
    wanted = font_manager.FontProperties(
        family=family,
        weight="bold" if style == "bold" else "normal",
        style="italic" if style == "italic" else "normal",
    )
    return ImageFont.truetype(font_manager.findfont(wanted), px)


def _write(
    picture: Image.Image, drawn: Drawn, frame: int, font: ImageFont.FreeTypeFont, *, outlined: bool
) -> None:
    layer = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    level = round(255 * drawn.alpha(frame))
    ImageDraw.Draw(layer).text(
        drawn.at(frame),
        drawn.text,
        font=font,
        fill=(240, 240, 240, level),
        stroke_width=2 if outlined else 0,
        stroke_fill=(0, 0, 0, level),
    )
    picture.paste(layer, (0, 0), layer)


def draw(path: Path, kind: str, seed: int) -> list[Drawn]:
    """Draw the video of a kind, unless it is there, and return its texts."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    texts, frames = plan(kind, rng)
    if not path.exists():
        with av.open(str(path), "w") as out:
            stream = out.add_stream("libx264", rate=FPS)
            stream.width, stream.height, stream.pix_fmt = *WH, "yuv420p"
            stream.options = {"preset": "veryfast", "crf": "23"}
            for picture in pictures(texts, frames, kind, rng):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            out.mux(stream.encode())
    return texts


@dataclass(frozen=True)
class Measured:
    """What became of one text: found or not, how far its edges are off in frames, its share of letters, its spaces."""

    found: bool
    start_off: int
    end_off: int
    letters: float
    spaced: bool = False


def measure(drawn: Drawn, tracks: tuple[TextTrack, ...]) -> Measured:
    """Compare a text with the tracks."""
    first, end = truth(drawn)
    near = [
        one
        for one in tracks
        if one.start_s < (drawn.end + 5) / FPS
        and one.end_s > (drawn.first - 5) / FPS
        and fuzz.ratio(plain(one.text), plain(drawn.text)) >= 50
    ]
    if not near:
        return Measured(found=False, start_off=0, end_off=0, letters=0.0)
    best = max(fuzz.ratio(plain(one.text), plain(drawn.text)) for one in near) / 100
    start = round(min(one.start_s for one in near) * FPS)
    stop = round(max(one.end_s for one in near) * FPS)
    spaced = any(one.text.casefold() == drawn.text.casefold() for one in near)
    return Measured(found=True, start_off=start - first, end_off=stop - end, letters=best, spaced=spaced)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the videos and the cache")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-v", action="store_true", dest="verbose", help="also print each text")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    os.environ["VIDAGENT_CACHE_DIR"] = str(given.out / f"cache-{time.time_ns()}")
    heads = "kind", "found", "start off, frames (median, most)", "end off", "letters right", "spaces right"
    print("| " + " | ".join((*heads, "other tracks", "CPU s a min")) + " |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for kind in given.kinds.split(","):
        path = given.out / f"{kind}-{given.seed}.mp4"
        drawn = draw(path, kind, given.seed)
        began = cpu_s()
        found = texts_of(path)
        spent = cpu_s() - began
        done = [measure(one, found.tracks) for one in drawn]
        right = [one for one in done if one.found]
        others = sum(
            all(fuzz.ratio(plain(one.text), plain(text.text)) < 50 for text in drawn) for one in found.tracks
        )
        minutes = max(one.end for one in drawn) / FPS / 60
        cells = [kind, f"{len(right)} of {len(done)}", _off([one.start_off for one in right])]
        cells += [_off([one.end_off for one in right])]
        cells += [f"{np.mean([one.letters for one in right]):.1%}", f"{sum(one.spaced for one in right)}"]
        cells += [str(others), f"{spent / minutes:.0f}"]
        print("| " + " | ".join(cells) + " |", flush=True)
        if given.verbose:
            for text, one in zip(drawn, done, strict=True):
                print(f"    {text.text!r} {text.px} px {truth(text)} {one}")


def _off(offs: list[int]) -> str:
    if not offs:
        return "-"
    sizes = np.abs(offs)
    return f"{np.median(sizes):g}, {sizes.max()}; {np.mean(sizes <= 1):.0%} within 1"


if __name__ == "__main__":
    main()
