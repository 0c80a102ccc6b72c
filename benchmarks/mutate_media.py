"""Read mutated files of eight containers through the decoding process: no crash of the parent, no hang, no memory.

    python -m benchmarks.mutate_media [COUNT] [FIRST]

Mutation N is the same in every run. The decoding processes are forked from this one, which has their modules loaded:
that makes 5,000 of them affordable, and what they do then, the sandbox too, is what the package starts.
"""

from __future__ import annotations

import collections
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from tests.media.odd import codes, write
from vidagent.errors import VidagentError
from vidagent.video.process import client, worker
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


class Forked:
    """Stands where `subprocess.Popen` does, with a fork of this process as the child."""

    peak_kb = 0

    def __init__(self, command: list[str], *, stderr: IO[bytes], **_: object) -> None:
        """Start the decoding process."""
        given, asked = os.pipe()
        answered, given_back = os.pipe()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            for number, handle in enumerate((given, given_back, stderr.fileno())):
                os.dup2(handle, number)
            os.closerange(3, 256)
            os.environ.clear()
            sys.argv = ["worker", command[-1]]
            try:
                worker.main()
            finally:
                os._exit(1)
        os.close(given), os.close(given_back)
        self.stdin, self.stdout = os.fdopen(asked, "wb", 0), os.fdopen(answered, "rb", 0)

    def poll(self) -> int | None:
        """Return the exit code if it has ended."""
        return self._reap(os.WNOHANG)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end."""
        deadline = time.monotonic() + (timeout or 60)
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise client.subprocess.TimeoutExpired("worker", timeout or 60)
            time.sleep(0.002)
        return self.returncode

    def kill(self) -> None:
        """End it."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _reap(self, flags: int) -> int | None:
        if self.returncode is None:
            pid, status, usage = os.wait4(self.pid, flags)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
                Forked.peak_kb = max(Forked.peak_kb, usage.ru_maxrss)
        return self.returncode


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


def read(path: Path) -> str:
    """Read a file in every way, and say how that ended."""
    try:
        with Video.open(path) as video:
            end_s = video.info.duration_s
            video.frames_at([0.0, end_s / 2, end_s], max_side_px=160)
            video.frames_between(0.0, 0.3)
            video.packets()
            video.sound(0.0, 0.5)
            video.scan()
    except VidagentError as error:
        return re.sub(r"[\d.]+", "N", str(error).split(": ", 1)[-1])[:60]
    return "read"


def main() -> None:
    """Print the ends by kind, the longest time and the most memory of one decoding process."""
    count, first = int(sys.argv[1]) if sys.argv[1:] else 5000, int(sys.argv[2]) if sys.argv[2:] else 0
    replaced: Callable[..., Any] = Forked
    client.subprocess.Popen = replaced  # type: ignore[misc, assignment]  # forks, to save 5,000 starts
    ends: collections.Counter[str] = collections.Counter()
    longest, untyped = (0.0, ""), 0
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
                end = read(path)
            except Exception as error:  # noqa: BLE001 - what this looks for
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
    print(f"peak memory of a decoding process {Forked.peak_kb >> 10} MB, of this one {own >> 10} MB")
    for end, times in ends.most_common():
        print(f"{times:6} {end}")


if __name__ == "__main__":
    main()
