"""How near a batch comes to what the model's server allows, and our own time for each call of the model.

`python -m benchmarks.batch_rate [--questions 500] [--videos 50] [--calls 16] [--latency 1.5] [--profile FILE]` from the
repository root. The server, a process of its own on the loopback, takes the latency for each reply and at most so many
requests at once. The ideal is requests x latency / calls. Our own time is the CPU time of the batch's process and of
its decoders, over the requests.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from tests.media.make import encode
from tests.scripted_server import ScriptedServer
from tests.serve.batch.conftest import script

CLIP_FRAMES = 200


def serve(latency_s: float, calls: int, url: multiprocessing.SimpleQueue[Any], over: Event) -> None:
    """Serve until told; then put the number of requests and the most at once."""
    slots, lock, under_way, most = threading.Semaphore(calls), threading.Lock(), 0, 0

    def slow(body: dict[str, Any]) -> dict[str, Any]:
        nonlocal under_way, most
        with slots:
            with lock:
                under_way += 1
                most = max(most, under_way)
            time.sleep(latency_s)
            with lock:
                under_way -= 1
        return script(body)

    with ScriptedServer(slow) as server:
        url.put(server.url)
        over.wait()
        url.put((len(server.bodies), most))


class Model:
    """A scripted model in a process of its own; a context manager."""

    def __init__(self, latency_s: float, calls: int) -> None:
        """Start it."""
        context = multiprocessing.get_context("spawn")
        self._queue, self._over = context.SimpleQueue(), context.Event()
        self._process = context.Process(
            target=serve, args=(latency_s, calls, self._queue, self._over), daemon=True
        )
        self._process.start()
        self.url: str = self._queue.get()

    def end(self) -> tuple[int, int]:
        """Stop it; return its requests, and the most of them at once."""
        self._over.set()
        told: tuple[int, int] = self._queue.get()
        self._process.join()
        return told


def videos(folder: Path, number: int) -> list[str]:
    """Make clips that differ."""
    made = []
    for one in range(number):
        name = f"{one:03}.mp4"
        encode(folder / name, tuple(40 * frame for frame in range(CLIP_FRAMES + one)))
        made.append(name)
    return made


def write_lines(path: Path, names: list[str], questions: int) -> None:
    """Write NeVA's lines, videos in any order."""
    draw = random.Random(6)
    lines = [
        {
            "video": names[n % len(names)],
            "text": f"When is number {n} seen?",
            "category": "conv",
            "question_id": n,
        }
        for n in range(questions)
    ]
    draw.shuffle(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def machine() -> str:
    """Say where and with what this ran."""
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("vidagent", "langgraph", "langchain-openai", "ray")
    )
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}, {packages}"


def main() -> None:
    """Print the row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--videos", type=int, default=50)
    parser.add_argument("--calls", type=int, default=16)
    parser.add_argument("--latency", type=float, default=1.5)
    parser.add_argument("--concurrency", type=int, default=28)
    parser.add_argument("--profile", help="a file for cProfile's figures")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_lines(folder / "in.jsonl", videos(folder, asked.videos), asked.questions)
        model = Model(asked.latency, asked.calls)
        profiled = ["-m", "cProfile", "-o", asked.profile] if asked.profile else []
        command = [sys.executable, *profiled, "-m", "vidagent", "batch", str(folder / "in.jsonl")]
        command += ["-o", str(folder / "out.jsonl"), "--video-root", name, "--model", "scripted"]
        command += ["--base-url", model.url, "--calls", str(asked.calls)]
        command += ["--concurrency", str(asked.concurrency), "--json"]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        env = {**os.environ, "VIDAGENT_CACHE_DIR": str(folder / "cache")}
        done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True)
        wall_s, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        requests, most = model.end()
    own_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    ideal_s = requests * asked.latency / asked.calls
    answered = json.loads(done.stdout)["answered"]
    print(machine())
    print(
        "| questions | videos | answered | requests | most at once | wall | ideal | wall / ideal | own CPU a call |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    print(
        f"| {asked.questions} | {asked.videos} | {answered} | {requests} | {most} | {wall_s:.1f} s | {ideal_s:.1f} s "
        f"| {wall_s / ideal_s:.3f} | {1000 * own_s / requests:.1f} ms |"
    )


if __name__ == "__main__":
    main()
