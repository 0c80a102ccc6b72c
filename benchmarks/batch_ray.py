"""A batch on a real local Ray cluster: a node killed mid-run, and the throughput of 1, 2 and 4 workers.

`python -m benchmarks.batch_ray [--lines 150] [--latency 2.0] [--workers 1,2,4]` from the repository root. The head has
no CPUs; two nodes on this machine have half of the workers each. Each worker may have so many calls of the scripted
model under way (`--calls`), which takes the latency for each reply, and more lines (`--concurrency`), so that frames of
some are decoded while the model is busy with others. The ideal of W workers is requests x latency / (W x calls), begun
when the first request comes (joining a cluster and starting its processes is told apart); lines are of one worker, so
that all sizes take about as long. The lines of the batch whose node is killed are as many as those of the most workers.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.batch_rate import machine, videos
from tests.scripted_server import ScriptedServer
from tests.serve.batch.conftest import script

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
MEMORY = 100_000_000
LINES_A_VIDEO = 10


@dataclass
class Ended:
    """What a batch left.

    Args:
        code: Its exit code.
        wall_s: Seconds of the whole command.
        busy_s: Seconds from its first request to its end.
        requests: Requests to the model.
        results: Lines of the output.
    """

    code: int
    wall_s: float
    busy_s: float
    requests: int
    results: list[dict[str, Any]]


@contextmanager
def cluster(cpus: int) -> Iterator[tuple[Any, list[Any]]]:
    """Start a head and two nodes with the CPUs between them."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "object_store_memory": MEMORY, "include_dashboard": False}
    there = Cluster(initialize_head=True, head_node_args=head)
    try:
        shares = [cpus - cpus // 2, cpus // 2]
        yield there, [there.add_node(num_cpus=share, object_store_memory=MEMORY) for share in shares if share]
    finally:
        there.shutdown()


def write_lines(folder: Path, number: int) -> None:
    """Write lines about the videos of a folder, some about each."""
    names = sorted(path.name for path in folder.glob("*.mp4"))
    lines = [
        {"video": names[n // LINES_A_VIDEO % len(names)], "text": f"What is number {n}?", "question_id": n}
        for n in range(number)
    ]
    (folder / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def run(folder: Path, address: str, workers: int, asked: argparse.Namespace) -> Ended:
    """Run a batch of frames chosen beforehand, one request a line."""
    first_s: list[float] = []

    def slow(body: dict[str, Any]) -> dict[str, Any]:
        first_s.append(time.monotonic())
        time.sleep(asked.latency)
        return script(body)

    out = folder / "out.jsonl"
    out.unlink(missing_ok=True)
    with ScriptedServer(slow) as server:
        command = [sys.executable, "-m", "vidagent", "batch", str(folder / "in.jsonl"), "-o", str(out)]
        command += ["--video-root", str(folder), "--model", "scripted", "--base-url", server.url]
        command += ["--mode", "direct", "--num-frames", "4", "--ray", address, "--workers", str(workers)]
        command += ["--concurrency", str(asked.concurrency), "--calls", str(workers * asked.calls)]
        env = {**os.environ, "VIDAGENT_CACHE_DIR": str(folder / "cache")}
        began = time.monotonic()
        code = subprocess.run(command, env=env, check=False, stdout=subprocess.DEVNULL).returncode
        ended = time.monotonic()
        results = [json.loads(line) for line in out.read_text().splitlines()]
        return Ended(code, ended - began, ended - first_s[0], len(server.bodies), results)


def kill_when(out: Path, lines: int, there: Any, node: Any) -> None:  # noqa: ANN401 - of Ray, an extra
    """Kill a node once so many lines are written."""
    while not out.exists() or out.read_bytes().count(b"\n") < lines:
        time.sleep(0.05)
    there.remove_node(node, allow_graceful=False)
    print(f"a node was killed after {lines} lines", file=sys.stderr)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, default=150, help="of each worker")
    parser.add_argument("--latency", type=float, default=2.0)
    parser.add_argument("--calls", type=int, default=4, help="of each worker")
    parser.add_argument("--concurrency", type=int, default=7)
    parser.add_argument("--workers", default="1,2,4")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.workers.split(",")]
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        most = asked.lines * max(sizes)
        videos(folder, math.ceil(most / LINES_A_VIDEO))
        print(
            "| workers | lines | answered | requests | wall | first request to end | ideal | of the ideal |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for size in sizes:
            write_lines(folder, asked.lines * size)
            with cluster(size) as (there, _):
                ended = run(folder, there.address, size, asked)
            ideal_s = ended.requests * asked.latency / (size * asked.calls)
            answered = sum("answer" in one for one in ended.results)
            print(
                f"| {size} | {asked.lines * size} | {answered} | {ended.requests} | {ended.wall_s:.1f} s "
                f"| {ended.busy_s:.1f} s | {ideal_s:.1f} s | {ideal_s / ended.busy_s:.0%} |",
                flush=True,
            )
        with cluster(max(sizes)) as (there, nodes):
            out = folder / "out.jsonl"
            out.unlink()
            told = (out, most // 4, there, nodes[-1])
            killer = threading.Thread(target=kill_when, args=told, daemon=True)
            killer.start()
            ended = run(folder, there.address, max(sizes), asked)
            killer.join(1)
        times = Counter(one["question_id"] for one in ended.results)
        once = sum(times[number] == 1 for number in range(most))
        print(
            "| a node killed: lines | answered once | lost or doubled | errors | requests | exit code | wall |"
        )
        print("|---|---|---|---|---|---|---|")
        errors = sum("error" in one for one in ended.results)
        print(
            f"| {most} | {once} | {most - once} | {errors} | {ended.requests} | {ended.code} "
            f"| {ended.wall_s:.1f} s |"
        )


if __name__ == "__main__":
    main()
