"""Ask the command line for texts of 0.4 s hidden in hours of video: found when, at what cost, in how much memory."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.long_video import FPS, Needle, make

TEXTS = ("ORCHID 7421", "Gate B17 closed", "COPPER LANTERN")
_SAMPLE_S = 0.05


@dataclass(frozen=True)
class Asked:
    """One question: the answer, and the peak resident memory of the command with its children."""

    needle: Needle
    answer: dict[str, Any]
    seconds: float
    peak_mb: float


def ask(video: Path, needle: Needle, cache: Path) -> Asked:
    """Ask when a text appears, and watch the memory of all processes meanwhile."""
    question = f'When does the text "{needle.text}" appear?'
    command = [
        sys.executable,
        "-m",
        "vidagent",
        "ask",
        str(video),
        question,
        "--json",
        "-q",
        "--model",
        "signals",
    ]
    start = time.perf_counter()
    environment = {**os.environ, "VIDAGENT_CACHE_DIR": str(cache)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, _resident(process.pid))
            time.sleep(_SAMPLE_S)
        said = process.stdout.read() if process.stdout else b""
    return Asked(needle, json.loads(said), time.perf_counter() - start, peak / 1e6)


def _resident(pid: int) -> int:
    try:
        parent = psutil.Process(pid)
        return sum(p.memory_info().rss for p in (parent, *parent.children(recursive=True)))
    except psutil.NoSuchProcess:
        return 0


def row(hours: float, asked: Asked) -> str:
    """Return a line of the table."""
    spans, needle = asked.answer["spans"], asked.needle
    truth = f"{needle.start_s:.3f}-{needle.end_s:.3f}"
    found, off = "not found", ""
    if spans:
        found = f"{spans[0]['start_s']:.3f}-{spans[0]['end_s']:.3f}"
        worst = max(abs(spans[0]["start_s"] - needle.start_s), abs(spans[0]["end_s"] - needle.end_s))
        off = f"{worst * FPS:.1f}"
    sent = asked.answer["usage"]["frames_sent"]
    cells = [
        f"{hours:g}",
        needle.text,
        truth,
        found,
        off,
        sent,
        f"{asked.seconds:.0f}",
        f"{asked.peak_mb:.0f}",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Make the videos, ask, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path, nargs="+", help="short clips to make the long videos from")
    parser.add_argument("--hours", type=float, action="append", help="lengths; 2 and 10 unless given")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print("| hours | text | truth, s | answer, s | frames off | frames sent | s | peak MB |")
    print("|---|---|---|---|---|---|---|---|")
    for hours in given.hours or [2.0, 10.0]:
        with tempfile.TemporaryDirectory() as folder:
            video = Path(folder) / "long.mp4"
            needles = make(given.clips, video, duration_s=hours * 3600, texts=TEXTS, seed=given.seed)
            for needle in needles:
                print(row(hours, ask(video, needle, Path(folder) / "cache")), flush=True)


if __name__ == "__main__":
    main()
