"""Count printed times that name another frame, frames missing between two labels, and seeks that show another picture.

`python -m benchmarks.round_trip [VIDEOS...] [--seeks N] [--video-seeks N] [--json FILE]` from the repository root: all
kinds of clips of the tests, drawn clips at five frame rates, and the videos given. Of each video `frames_of` is asked
for the times of a first call, rounded to three decimals; `look_at` for windows between two labels at the video's own
rate; and an opened video for random exact times one by one, whose pictures must equal, in every byte of their RGB,
those of one plain pass by PyAV. Files whose pictures PyAV alone does not show as a player does (crops, HDR, fields, a
clock that jumps, several streams) are compared with one pass of our own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.media import odd
from tests.media.make import CLIPS, X264, at_rate, encode
from vidagent import api
from vidagent.video.video import Video

ODD: dict[str, Callable[[Path], Path]] = {
    "matroska_cropped": odd.matroska_cropped,
    "clean_aperture": odd.aperture_cropped,
    "pq": lambda folder: odd.high_range(folder, "smpte2084"),
    "hlg": lambda folder: odd.high_range(folder, "arib-std-b67"),
    "interlaced": lambda folder: odd.interlaced(
        folder / "fields.mp4", "libx264", {**X264, "x264-params": "tff=1"}
    ),
    "clock_back": lambda folder: odd.joined(folder, *_parts(folder, 0), name="back.ts"),
    "clock_forward": lambda folder: odd.joined(folder, *_parts(folder, 3600), name="forward.ts"),
    "two_streams": lambda folder: odd.two_streams(folder, (25, 75), default=0),
    "cover": lambda folder: odd.with_cover(folder, flagged=True),
}
"""Files of the tests whose pictures are not those of a plain pass by PyAV."""
RATES = ("24000/1001", "30000/1001", "60000/1001", "120000/1001", "240")
TIMES, WINDOWS, MOST_WINDOW = 96, 6, 48
_BT709, _UNTAGGED, _HD_WH = 1, 2, (1280, 576)
SMALL = api.Size(side_px=64)
"""Times are compared here, not pictures."""


@dataclass
class Row:
    """What was counted of one video, or of all."""

    video: str
    times: int = 0
    wrong: int = 0
    windows: int = 0
    missing: int = 0
    seeks: int = 0
    differing: int = 0


def _parts(folder: Path, start_s: float) -> list[Path]:
    """Return two transport streams, the second one with time stamps from a time on."""
    return [odd.transport(folder, "a", range(50)), odd.transport(folder, "b", range(25), start_s=start_s)]


def plain_pass(path: Path, *, own: bool = False) -> dict[float, int]:
    """Return a hash of every picture, upright and in RGB, by its time on the clock; of PyAV's pass or of our own."""
    with Video.open(path) as video, av.open(str(path)) as container:
        times_s = video.frame_times(-1.0, video.info.duration_s + 60.0)
        if own:
            frames = video.frames_at(times_s.tolist())
            return {frame.time_s: _hash(frame.rgb) for frame in frames}
        turned = video.info.rotation_deg // 90
        container.streams.video[0].thread_type = "AUTO"
        pictures = (_hash(np.rot90(_rgb(frame), -turned)) for frame in container.decode(video=0))
        return dict(zip(times_s.tolist(), pictures, strict=True))


def round_trip(path: Path, shown: dict[float, int], row: Row, rng: random.Random) -> None:
    """Ask for frames by their labels, and for all frames between two labels."""
    times_s = sorted(shown)
    first = rng.sample(times_s, min(TIMES, len(times_s)))
    for at in range(0, len(first), MOST_WINDOW):
        exact = first[at : at + MOST_WINDOW]
        first_call = asyncio.run(api.frames_of(path, exact, size=SMALL)).pictures
        again = [round(picture.time_s, 3) for picture in first_call]
        seen = asyncio.run(api.frames_of(path, again, size=SMALL)).pictures
        row.times += len(exact)
        row.wrong += sum(abs(one.time_s - t_s) > 2e-6 for one, t_s in zip(seen, exact, strict=True))
    with Video.open(path) as video:
        fps = float(video.info.fps)
    for _ in range(WINDOWS if len(times_s) > 1 else 0):
        start = rng.randrange(len(times_s) - 1)
        end = rng.randrange(start + 1, min(len(times_s), start + MOST_WINDOW))
        bounds = (round(times_s[start], 3), round(times_s[end], 3))
        seen = asyncio.run(
            api.look_at(path, *bounds, fps=round(fps, 3), most_frames=MOST_WINDOW, size=SMALL)
        ).pictures
        there = {round(picture.time_s, 5) for picture in seen}
        row.windows += 1
        row.missing += sum(round(t_s, 5) not in there for t_s in times_s[start : end + 1])


def seeks(path: Path, shown: dict[float, int], count: int, row: Row, rng: random.Random) -> None:
    """Ask for random exact times one by one."""
    with Video.open(path) as video:
        for t_s in rng.choices(list(shown), k=count):
            (frame,) = video.frames_at([t_s])
            row.seeks += 1
            row.differing += abs(frame.time_s - t_s) > 2e-6 or _hash(frame.rgb) != shown[t_s]


def main() -> None:
    """Go through all videos and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("videos", type=Path, nargs="*")
    parser.add_argument("--seeks", type=int, default=50, help="random seeks in each video that is drawn")
    parser.add_argument("--video-seeks", type=int, default=50, help="random seeks in each video given")
    parser.add_argument("--kinds", nargs="*", default=[*CLIPS], help="kinds of clips of the tests")
    parser.add_argument("--json", type=Path, dest="file")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        paths = [CLIPS[kind](folder).path for kind in args.kinds]
        for rate in RATES:
            path = folder / f"rate_{rate.replace('/', '_')}.mp4"
            encode(path, **at_rate(Fraction(rate), 400))
            paths.append(path)
        (folder / "odd").mkdir()
        odd_paths = [make(folder / "odd") for make in ODD.values()] if args.kinds else []
        print("| " + " | ".join(field.name for field in fields(Row)) + " |")
        for path in (*paths, *odd_paths, *args.videos):
            row, rng = Row(path.name), random.Random(zlib.crc32(path.name.encode()))
            shown = plain_pass(path, own=path in odd_paths)
            round_trip(path, shown, row, rng)
            seeks(path, shown, args.video_seeks if path in args.videos else args.seeks, row, rng)
            rows.append(row)
            _print(row)
    numbers = [field.name for field in fields(Row)][1:]
    _print(Row("all", **{name: sum(getattr(row, name) for row in rows) for name in numbers}))
    if args.file:
        args.file.write_text(json.dumps([asdict(row) for row in rows]))


def _rgb(frame: av.VideoFrame) -> np.ndarray:
    """Return a picture in RGB; one of HD without a tag of its colours is BT.709, as players take it."""
    if frame.colorspace == _UNTAGGED and (frame.width >= _HD_WH[0] or frame.height > _HD_WH[1]):
        frame.colorspace = _BT709
    return frame.to_ndarray(format="rgb24")


def _hash(rgb: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(rgb))


def _print(row: Row) -> None:
    print("| " + " | ".join(map(str, asdict(row).values())) + " |", flush=True)


if __name__ == "__main__":
    main()
