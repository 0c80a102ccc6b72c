"""Fifty clients ask a server for a minute, with a scripted VLM that takes 0.2 s for each reply.

`python -m benchmarks.load_rest [--clients 50] [--seconds 60] [--running 8] [--faults 0]` from the repository root.
VLM, server and clients are processes of their own, on the loopback. The clients come within a second, each asks
`/vidagent/invoke`; one that is refused waits as a patient client would, 0.25 to 0.75 s. Beside them `/healthz` is
asked 20 times a second, and memory and open files of the server are read each second. Goals: of the accepted requests
99.9% are answered; refusals are 429 or 503 and come within 0.1 s at the 99th percentile; `/healthz` within 0.05 s;
neither memory nor open files grow. As a soak, `--seconds 1800 --faults 0.1` has a tenth of the VLM's replies fail;
the goal is then 99.5%.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from benchmarks.rest_server import QUESTION, Served, machine, served, vlm

REFUSALS = frozenset({429, 503})
ARRIVE_S = 1.0
WAIT_S = (0.25, 0.75)
MB = 1 << 20


@dataclass
class Seen:
    """What the clients saw, in seconds by kind, and what the server took, second by second."""

    seconds: dict[str, list[float]] = field(
        default_factory=lambda: {"answer": [], "refusal": [], "health": []}
    )
    statuses: Counter[int] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)


async def ask(client: httpx.AsyncClient, seen: Seen, until_s: float, after_s: float = 0.0) -> None:
    """Ask one question after the other."""
    await asyncio.sleep(after_s)
    body = {"input": {"video": "clip.mp4", "question": QUESTION}}
    while time.monotonic() < until_s:
        began = time.monotonic()
        reply = await client.post("/vidagent/invoke", json=body)
        took_s = time.monotonic() - began
        good = reply.status_code == 200 and reply.json()["output"]["status"] == "answered"
        seen.statuses[reply.status_code if good or reply.status_code != 200 else -1] += 1
        refused = reply.status_code in REFUSALS
        seen.seconds["refusal" if refused else "answer"].append(took_s)
        if refused:
            await asyncio.sleep(random.uniform(*WAIT_S))


async def watch(client: httpx.AsyncClient, seen: Seen, until_s: float) -> None:
    """Ask for the server's health."""
    while time.monotonic() < until_s:
        began = time.monotonic()
        (await client.get("/healthz")).raise_for_status()
        seen.seconds["health"].append(time.monotonic() - began)
        await asyncio.sleep(0.05)


async def measure(server: Served, seen: Seen, until_s: float) -> None:
    """Read memory and open files of the server's processes."""
    while time.monotonic() < until_s:
        seen.memory.append(sum(process.memory_info().rss for process in server.processes))
        seen.files.append(sum(process.num_fds() for process in server.processes))
        await asyncio.sleep(1)


async def load(server: Served, clients: int, seconds: float) -> Seen:
    """Run the clients, after one question that has everything loaded."""
    seen = Seen()
    limits = httpx.Limits(max_connections=clients)
    async with (
        httpx.AsyncClient(base_url=server.url, timeout=120, limits=limits) as asking,
        httpx.AsyncClient(base_url=server.url, timeout=120) as watching,
    ):
        await ask(asking, Seen(), time.monotonic() + 0.001)
        until_s = time.monotonic() + seconds
        work = [ask(asking, seen, until_s, ARRIVE_S * number / clients) for number in range(clients)]
        await asyncio.gather(*work, watch(watching, seen, until_s), measure(server, seen, until_s))
        await asyncio.sleep(2)
        seen.files.append(sum(process.num_fds() for process in server.processes))
    return seen


def growth(values: list[int]) -> tuple[int, int]:
    """Return the medians of the second and the last quarter: the first one warms up."""
    part = max(1, len(values) // 4)
    return int(np.median(values[part : 2 * part])), int(np.median(values[-part:]))


def told(seen: Seen, faults: float) -> None:
    """Print the table."""
    bad = sum(count for status, count in seen.statuses.items() if status not in REFUSALS | {200})
    accepted = seen.statuses[200] + bad
    least = "99.5%" if faults else "99.9%"
    print(f"accepted {accepted}, of them answered {seen.statuses[200] / max(1, accepted):.2%} (goal {least})")
    print(f"statuses {dict(sorted(seen.statuses.items()))}")
    for kind, goal in (("answer", ""), ("refusal", "goal 100 ms"), ("health", "goal 50 ms")):
        times = np.array(seen.seconds[kind] or [np.nan]) * 1000
        p50, p99 = np.percentile(times, [50, 99])
        print(
            f"{kind:8} n {times.size:6}  p50 {p50:8.1f} ms  p99 {p99:8.1f} ms  max {times.max():8.1f} ms  {goal}"
        )
    (early, late), (few, many) = growth(seen.memory), growth(seen.files)
    print(f"memory   {early / MB:.0f} MB in the second quarter, {late / MB:.0f} MB in the last")
    print(f"files    {few} open in the second quarter, {many} in the last, {seen.files[-1]} after the run")


def main() -> None:
    """Run it and print what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--running", type=int, default=8)
    parser.add_argument("--faults", type=float, default=0.0)
    args = parser.parse_args()
    flags = ("--insecure-local", "--max-running", str(args.running), "--max-per-client", str(args.running))
    print(machine())
    with (
        tempfile.TemporaryDirectory() as folder,
        vlm(0.2, args.faults) as model,
        served(Path(folder), model, *flags) as server,
    ):
        told(asyncio.run(load(server, args.clients, args.seconds)), args.faults)
        print("the VLM ", httpx.get(model.removesuffix("/v1") + "/stats").json())


if __name__ == "__main__":
    main()
