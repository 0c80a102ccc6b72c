"""Read mutated files of eight containers through the decoding process: no crash of the parent, no hang, no memory.

    python -m benchmarks.mutate_media [COUNT] [FIRST]

Mutation N is the same in every run.
"""

from __future__ import annotations

import collections
import random
import re
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.media.odd import codes, write
from vidagent.errors import VidagentError
from vidagent.video.video import Video

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "mp4": ("libx264", {}),
    "mkv": ("libx265", {"options": {"preset": "ultrafast", "x265-params": "log-level=none:keyint=5"}}),
    "webm": ("libvpx-vp9", {"options": {"cpu-used": "8", "deadline": "realtime", "g": "5"}}),
    "ts": ("libx264", {}),
    "mpg": ("mpeg2video", {"options": {"b": "1M", "g": "5"}}),
    "avi": ("mpeg4", {"options": {"b": "1M", "g": "5"}}),
    "flv": ("flv", {"options": {"b": "1M", "g": "5"}}),
    "wmv": ("wmv2", {"options": {"b": "1M", "g": "5"}}),
}
HEADER = 2048
EXTREMES = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return a copy with one kind of damage."""
    changed = bytearray(data)
    area = min(HEADER, len(data)) if rng.random() < 0.6 else len(data)
    place = rng.randrange(area)
    match rng.randrange(6):
        case 0:
            for _ in range(rng.choice([1, 4, 16, 64])):
                changed[rng.randrange(area)] ^= 1 << rng.randrange(8)
        case 1:
            width = rng.choice([1, 2, 4, 8])
            value = rng.choice(EXTREMES) & (1 << 8 * width) - 1
            changed[place : place + width] = value.to_bytes(width, rng.choice(["big", "little"]))
        case 2:
            del changed[place : place + rng.choice([1, 7, 64, 188, 4096])]
        case 3:
            changed[place:place] = changed[place : place + rng.choice([1, 16, 188, 4096])]
        case 4:
            del changed[rng.randrange(16, len(data)) :]
        case 5:
            length = rng.choice([16, 256, 4096])
            changed[place : place + length] = rng.randbytes(length)
    return bytes(changed)


def read(path: Path) -> tuple[str, int]:
    """Read a file in every way; return how that ended, and the peak memory of its decoding process in kB."""
    peak_kb = 0
    try:
        with Video.open(path) as video:
            peak_kb = peak_of(video)
            end_s = video.info.duration_s
            video.frames_at([0.0, end_s / 2, end_s], max_side_px=160)
            video.frames_between(0.0, 0.3)
            video.packets()
            video.sound(0.0, 0.5)
            video.scan()
            peak_kb = peak_of(video)
    except VidagentError as error:
        return re.sub(r"[\d.]+", "N", str(error).split(": ", 1)[-1])[:60], peak_kb
    return "read", peak_kb


def peak_of(video: Video) -> int:
    """Return the most memory that a decoding process which lives has had, in kB."""
    status = Path(f"/proc/{video._process.pid}/status").read_text()  # noqa: SLF001 - nobody else knows its number
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(found[1]) if found else 0


def main() -> None:
    """Print the ends by kind, the longest time and the most memory of one decoding process."""
    count, first = int(sys.argv[1]) if sys.argv[1:] else 5000, int(sys.argv[2]) if sys.argv[2:] else 0
    ends: collections.Counter[str] = collections.Counter()
    longest, untyped, peak_kb = (0.0, ""), 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = [
            write(folder / f"seed.{suffix}", codes(15, (160, 96)), codec=codec, **options).read_bytes()
            for suffix, (codec, options) in KINDS.items()
        ]
        for number in range(first, first + count):
            rng = random.Random(number)
            suffix = list(KINDS)[number % len(KINDS)]
            path = folder / f"{number}.{suffix}"
            path.write_bytes(mutate(seeds[number % len(KINDS)], rng))
            began = time.monotonic()
            try:
                end, its_peak_kb = read(path)
                peak_kb = max(peak_kb, its_peak_kb)
            except Exception as error:  # noqa: BLE001 - an error that is not ours is what this looks for
                end, untyped = f"UNTYPED {error!r}"[:90], untyped + 1
            ends[end] += 1
            longest = max(longest, (time.monotonic() - began, path.name))
            path.unlink()
            if number % 250 == 249:
                print(
                    f"{number + 1 - first}: longest {longest}, untyped {untyped}", file=sys.stderr, flush=True
                )
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{count} files, untyped ends {untyped}, longest {longest[0]:.1f} s ({longest[1]})")
    print(f"peak memory of a decoding process {peak_kb >> 10} MB, of this one {own >> 10} MB")
    for end, times in ends.most_common():
        print(f"{times:6} {end}")


if __name__ == "__main__":
    main()
