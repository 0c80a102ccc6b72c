"""What cropping gives: small texts in a corner of large pictures, read by the agent with and without `crop`.

`python -m benchmarks.crops --seeds 1,2,3` draws clips of 4 s in several sizes, each with a text of one height in a
corner, and asks what it says. Frames are sent at most 1280 pixels wide, crops at full resolution.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import cv2

from benchmarks.long_video import FPS, Picture, encode
from benchmarks.needle_events import Corner, new_text
from benchmarks.needle_footage import SCENES, scene
from benchmarks.needle_marks import mark
from benchmarks.needle_methods import Said, ask
from benchmarks.needle_videos import Question

SIZES = ((1280, 720), (1920, 1080), (3840, 2160))
HEIGHTS_PX = (8, 12, 16, 24)
METHODS = ("agent", "no-crop")
SHOWN_S = 4
AT_S = 2.0


def _pictures(
    number: int, size_wh: tuple[int, int], text: str, corner: Corner, height_px: int
) -> Iterator[Picture]:
    """Draw a scene at another size, with a text whose capitals are `height_px` high in a corner."""
    font = cv2.FONT_HERSHEY_SIMPLEX
    scale = height_px / (cv2.getTextSize("H", font, 1.0, 1)[0][1])
    thickness = max(1, round(height_px / 10))
    (width, _), _ = cv2.getTextSize(text, font, scale, thickness)
    x = 2 * height_px if "left" in corner else size_wh[0] - width - 2 * height_px
    y = 3 * height_px if "upper" in corner else size_wh[1] - 2 * height_px
    for place, rgb in enumerate(scene(number).pictures()):
        if place == SHOWN_S * FPS:
            return
        large = cv2.resize(rgb, size_wh, interpolation=cv2.INTER_CUBIC)
        for colour, extra in (((0, 0, 0), 2), ((255, 255, 255), 0)):
            cv2.putText(large, text, (x, y), font, scale, colour, thickness + extra, cv2.LINE_AA)
        yield large


def _asked(folder: Path, size_wh: tuple[int, int], height_px: int, seed: int) -> dict[str, tuple[str, Said]]:
    """Draw a clip and ask for its text in every way; return each mark and what was said."""
    chance = random.Random(f"crop {size_wh} {height_px} {seed}")
    corners: tuple[Corner, ...] = ("upper left", "upper right", "lower left", "lower right")
    text, corner = new_text(chance), chance.choice(corners)
    video = folder / f"{size_wh[0]}_{height_px}_{seed}.mp4"
    encode(_pictures(chance.randrange(SCENES), size_wh, text, corner, height_px), video)
    words = f"What does the small text in the {corner} corner say at {AT_S:.1f} s?"
    question = Question("read", "small text, read", words, "text", answer=text, at_s=AT_S)
    answers = {method: ask(method, video, question, None) for method in METHODS}
    video.unlink()
    return {method: (mark(question, said)[0], said) for method, said in answers.items()}


def main() -> None:
    """Print a row for each size of picture and height of letters."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="1,2,3", help="whole numbers, such as 1,2,3")
    seeds = [int(seed) for seed in parser.parse_args().seeds.split(",")]
    print(
        "| picture | letters, px | " + " | ".join(f"{method}: read, frames, s" for method in METHODS) + " |"
    )
    print("|---|---:|" + "---:|" * len(METHODS))
    for size_wh in SIZES:
        for height_px in HEIGHTS_PX:
            done: dict[str, list[tuple[str, Said]]] = defaultdict(list)
            with tempfile.TemporaryDirectory() as folder:
                for seed in seeds:
                    for method, answer in _asked(Path(folder), size_wh, height_px, seed).items():
                        done[method].append(answer)
            cells = [_cell(done[method]) for method in METHODS]
            print(f"| {size_wh[0]}x{size_wh[1]} | {height_px} | {' | '.join(cells)} |", flush=True)


def _cell(answers: list[tuple[str, Said]]) -> str:
    read = sum(found == "found" for found, _ in answers)
    frames = median(said.frames for _, said in answers)
    seconds = median(said.seconds for _, said in answers)
    return f"{read} of {len(answers)}, {frames:g}, {seconds:.1f}"


if __name__ == "__main__":
    main()
