"""Make hours of video from short clips, with texts hidden in it for a few frames each.

Each clip is encoded once; the long file is made by copying packets with shifted timestamps, so ten hours take
about a minute. Clips that carry a hidden text are encoded anew with the text drawn into some frames.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

FPS = 25
SIZE_WH = (640, 360)
GOP = 250

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Needle:
    """A text hidden in the long video, shown on `[start_s, end_s)`."""

    text: str
    start_s: float
    end_s: float


def draw_text(rgb: Picture, text: str, origin_xy: tuple[int, int], scale: float) -> Picture:
    """Write `text` in white with a black outline, its baseline starting at `origin_xy`."""
    for colour, thickness in (((0, 0, 0), 6), ((255, 255, 255), 2)):
        cv2.putText(rgb, text, origin_xy, cv2.FONT_HERSHEY_DUPLEX, scale, colour, thickness, cv2.LINE_AA)
    return rgb


def frames_of(clip: Path) -> Iterator[Picture]:
    """Yield the clip at `FPS` and `SIZE_WH`, each time showing the frame a player would."""
    count = 0
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            rgb: Picture | None = None
            while frame.time is not None and count / FPS <= frame.time + 1e-6:
                if rgb is None:
                    small = frame.reformat(width=SIZE_WH[0], height=SIZE_WH[1], format="rgb24")
                    rgb = small.to_ndarray()
                yield rgb
                count += 1


def encode(frames: Iterator[Picture], path: Path) -> int:
    """Encode frames, all of the size of the first, as H.264 with B-frames; return how many there were."""
    first = next(frames)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "24", "g": str(GOP), "bf": "3"}
        count = 0
        for rgb in itertools.chain([first], frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame.pts, frame.time_base = count, Fraction(1, FPS)
            out.mux(stream.encode(frame))
            count += 1
        out.mux(stream.encode(None))
    return count


def join(parts: Sequence[tuple[Path, int]], path: Path) -> None:
    """Copy the packets of `parts` (file, frames) one after the other into one mp4."""
    with av.open(str(path), "w") as out:
        target = None
        offset = 0
        tick = Fraction(1, FPS * 512)
        for part, count in parts:
            with av.open(str(part)) as source:
                stream = source.streams.video[0]
                if target is None:
                    target = out.add_stream_from_template(stream)
                    target.time_base = tick
                for packet in source.demux(stream):
                    if packet.pts is None or packet.dts is None:
                        continue
                    scale = packet.time_base / tick
                    packet.pts = int(packet.pts * scale) + offset * 512
                    packet.dts = int(packet.dts * scale) + offset * 512
                    packet.time_base = tick
                    packet.stream = target
                    out.mux(packet)
            offset += count


def make(
    clips: Sequence[Path],
    path: Path,
    *,
    duration_s: float,
    texts: Sequence[str],
    shown_s: float = 0.4,
    seed: int = 0,
) -> list[Needle]:
    """Write the long video and return where its texts are, in the order of `texts`."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        plain = []
        for number, clip in enumerate(clips):
            part = Path(folder) / f"clip{number}.mp4"
            plain.append((part, encode(frames_of(clip), part)))
        order: list[int] = []
        total = 0
        while total < duration_s * FPS:
            order.append(chance.randrange(len(clips)))
            total += plain[order[-1]][1]
        places = chance.sample(range(len(order)), len(texts))
        parts = [plain[index] for index in order]
        needles = []
        for number, (place, text) in enumerate(zip(places, texts, strict=True)):
            length = round(shown_s * FPS)
            first = chance.randrange(parts[place][1] - length)
            origin = (chance.randrange(20, 300), chance.randrange(60, SIZE_WH[1] - 20))
            scale = chance.uniform(0.8, 1.2)

            def shown(
                clip: Path = clips[order[place]],
                first: int = first,
                length: int = length,
                text: str = text,
                origin: tuple[int, int] = origin,
                scale: float = scale,
            ) -> Iterator[Picture]:
                for index, rgb in enumerate(frames_of(clip)):
                    hit = first <= index < first + length
                    yield draw_text(rgb.copy(), text, origin, scale) if hit else rgb

            part = Path(folder) / f"needle{number}.mp4"
            parts[place] = (part, encode(shown(), part))
            begin = sum(count for _, count in parts[:place]) + first
            needles.append(Needle(text, begin / FPS, (begin + length) / FPS))
        join(parts, path)
    return needles


def main() -> None:
    """Write a long video and, beside it, a JSON file of its needles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--text", action="append", default=[])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    texts = given.text or ["ORCHID 7421", "Gate B17 closed", "COPPER LANTERN"]
    needles = make(given.clips, given.out, duration_s=given.hours * 3600, texts=texts, seed=given.seed)
    given.out.with_suffix(".json").write_text(json.dumps([asdict(n) for n in needles], indent=1))
    for needle in needles:
        print(f"{needle.text}: {needle.start_s:.3f} s to {needle.end_s:.3f} s")


if __name__ == "__main__":
    main()
