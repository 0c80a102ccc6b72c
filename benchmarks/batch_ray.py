"""A batch on a real local Ray cluster: a node killed mid-run, and the throughput of 1, 2 and 4 workers.

`python -m benchmarks.batch_ray [--lines 200] [--latency 1.0] [--workers 1,2,4]` from the repository root. The head has
no CPUs; two nodes on this machine have half of the workers each. The scripted model takes the latency for each reply
and allows any number at once, so that the ideal of W workers with C lines each is requests x latency / (W x C), begun
when the first request comes (joining a cluster and starting its processes is told apart).
"""

from __future__ import annotations

import argparse
import json
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


def run(folder: Path, address: str, workers: int, concurrency: int, latency_s: float) -> Ended:
    """Run a batch of frames chosen beforehand, one request a line."""
    first_s: list[float] = []

    def slow(body: dict[str, Any]) -> dict[str, Any]:
        first_s.append(time.monotonic())
        time.sleep(latency_s)
        return script(body)

    out = folder / "out.jsonl"
    out.unlink(missing_ok=True)
    with ScriptedServer(slow) as server:
        command = [sys.executable, "-m", "vidagent", "batch", str(folder / "in.jsonl"), "-o", str(out)]
        command += ["--video-root", str(folder), "--model", "scripted", "--base-url", server.url]
        command += ["--mode", "direct", "--num-frames", "4", "--ray", address, "--workers", str(workers)]
        command += ["--concurrency", str(concurrency), "--calls", str(workers * concurrency)]
        env = {**os.environ, "VIDAGENT_CACHE_DIR": str(folder / "cache")}
        began = time.monotonic()
        code = subprocess.run(command, env=env, check=False, stdout=subprocess.DEVNULL).returncode
        ended = time.monotonic()
        results = [json.loads(line) for line in out.read_text().splitlines()]
        return Ended(code, ended - began, ended - first_s[0], len(server.bodies), results)


def kill_when(out: Path, lines: int, there: Any, node: Any) -> None:  # noqa: ANN401 - Ray's own
    """Kill a node once so many lines are written."""
    while not out.exists() or out.read_bytes().count(b"\n") < lines:
        time.sleep(0.05)
    there.remove_node(node, allow_graceful=False)
    print(f"a node was killed after {lines} lines", file=sys.stderr)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--videos", type=int, default=20)
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--workers", default="1,2,4")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.workers.split(",")]
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = videos(folder, asked.videos)
        lines = [
            {"video": names[n % len(names)], "text": f"What is number {n}?", "question_id": n}
            for n in range(asked.lines)
        ]
        (folder / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        print(
            "| workers | lines | answered | requests | wall | first request to end | ideal | of the ideal |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for size in sizes:
            with cluster(size) as (there, _):
                ended = run(folder, there.address, size, asked.concurrency, asked.latency)
            ideal_s = ended.requests * asked.latency / (size * asked.concurrency)
            answered = sum("answer" in one for one in ended.results)
            print(
                f"| {size} | {asked.lines} | {answered} | {ended.requests} | {ended.wall_s:.1f} s "
                f"| {ended.busy_s:.1f} s | {ideal_s:.1f} s | {ideal_s / ended.busy_s:.0%} |",
                flush=True,
            )
        with cluster(max(sizes)) as (there, nodes):
            out = folder / "out.jsonl"
            out.unlink()
            told = (out, asked.lines // 4, there, nodes[-1])
            killer = threading.Thread(target=kill_when, args=told, daemon=True)
            killer.start()
            ended = run(folder, there.address, max(sizes), asked.concurrency, asked.latency)
            killer.join(1)
        times = Counter(one["question_id"] for one in ended.results)
        once = sum(times[number] == 1 for number in range(asked.lines))
        print(
            "| a node killed: lines | answered once | lost or doubled | errors | requests | exit code | wall |"
        )
        print("|---|---|---|---|---|---|---|")
        errors = sum("error" in one for one in ended.results)
        print(
            f"| {asked.lines} | {once} | {asked.lines - once} | {errors} | {ended.requests} | {ended.code} "
            f"| {ended.wall_s:.1f} s |"
        )


if __name__ == "__main__":
    main()
