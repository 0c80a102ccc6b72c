"""Kill a batch again and again, go on with it, and count how often each line was answered.

`python -m benchmarks.batch_kills [--lines 200] [--videos 10] [--kills 20] [--seed 6] [--concurrency 4] [--ray]` from
the repository root: NeVA's lines, the embedded model, SIGKILL to the batch's process at moments drawn so that they
are spread over the lines. The indices of the videos are kept from one start to the next, as they would be. With
`--ray` the batch runs on a cluster of two nodes on this machine, which outlives it; `benchmarks.batch_ray` kills the
nodes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from benchmarks.batch_rate import machine, videos
from benchmarks.batch_ray import cluster

QUESTIONS = (
    "How many shots are there?",
    "What does the sign say?",
    "Who is the tallest?",
    "When does 'SALE' appear?",
)


def lines_in(path: Path) -> int:
    """Count the whole lines of a file."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kill_once(command: list[str], env: dict[str, str], out: Path, at_line: int, after_s: float) -> bool:
    """Start the batch and kill it a while after so many lines are written; tell whether it was still running."""
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while lines_in(out) < at_line and process.poll() is None:
            time.sleep(0.01)
        time.sleep(after_s)
        process.kill()
        return process.wait() != 0


def main() -> None:
    """Print the row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--videos", type=int, default=10)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--ray", action="store_true")
    asked = parser.parse_args()
    draw = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        names = videos(folder, asked.videos)
        source, out = folder / "in.jsonl", folder / "out.jsonl"
        lines = [
            {
                "video": draw.choice(names),
                "text": draw.choice(QUESTIONS),
                "category": "conv",
                "question_id": number,
            }
            for number in range(asked.lines)
        ]
        source.write_text("".join(json.dumps(line) + "\n" for line in lines))
        command = [
            sys.executable,
            "-m",
            "vidagent",
            "batch",
            str(source),
            "-o",
            str(out),
            "--model",
            "signals",
        ]
        command += ["--video-root", name, "--concurrency", str(asked.concurrency), "-q"]
        env = {**os.environ, "VIDAGENT_CACHE_DIR": str(folder / "cache")}
        if asked.ray:
            there, _ = stack.enter_context(cluster(2))
            command += ["--ray", there.address, "--workers", "2"]
        moments = sorted(draw.sample(range(asked.lines - asked.concurrency), asked.kills))
        began, killed, cut = time.monotonic(), 0, 0
        for at_line in moments:
            killed += kill_once(command, env, out, at_line, draw.uniform(0, 0.3))
            cut += out.exists() and not out.read_bytes().endswith(b"\n") and bool(out.read_bytes())
            print(f"killed {killed}, {lines_in(out)} lines", file=sys.stderr)
        code = subprocess.run(command, env=env, check=False, stdout=subprocess.DEVNULL).returncode
        told = [json.loads(line) for line in out.read_text().splitlines()]
        times = Counter(one["question_id"] for one in told)
        once = sum(times[number] == 1 for number in range(asked.lines))
        kinds = Counter("error" if "error" in one else one["answer"]["status"] for one in told)
    print(machine())
    print("| lines | videos | killed | lines cut | answered once | lost | doubled | exit code | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    lost = sum(times[number] == 0 for number in range(asked.lines))
    doubled = sum(count > 1 for count in times.values())
    print(
        f"| {asked.lines} | {asked.videos} | {killed} | {cut} | {once} | {lost} | {doubled} | {code} "
        f"| {time.monotonic() - began:.0f} |"
    )
    print(dict(kinds))


if __name__ == "__main__":
    main()
