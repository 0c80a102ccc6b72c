"""End a server by SIGTERM and SIGKILL again and again while it has jobs, and see what becomes of them.

`python -m benchmarks.restart_rest [--stops 10] [--jobs 30] [--seed 5]` from the repository root. VLM, server and client
are processes of their own, on the loopback. Each server is given some of the jobs, their events are followed from the
last that came, and it is ended at a drawn moment, by the signals in turn. A job is accepted when its 202 has come. Ends
with 1 where an accepted job has not ended once, with one answer, and one event `ended` as its last, or where numbers of
events are missing, double, or other than those that were told before a restart.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.rest_server import QUESTION, machine, served, vlm

LONGEST_S = 120.0
REPLY_S = 0.3
STOPS = (signal.SIGTERM, signal.SIGKILL)
EVENTS = (0, 40)
"""A server is ended after so many events, drawn between these; a job has some ten."""
MOST_S = 12.0
"""And no later than this."""


@dataclass
class Job:
    """An accepted job, and what its follower was told: numbers and data of its events."""

    id: str
    told: list[tuple[int, str]] = field(default_factory=list)
    stops: int = 0


@dataclass
class Bench:
    """The jobs through all servers.

    Args:
        draw: What draws moments.
    """

    draw: random.Random
    jobs: list[Job] = field(default_factory=list)
    refused: int = 0
    lost: int = 0
    _following: list[asyncio.Task[None]] = field(default_factory=list)

    async def give(self, client: httpx.AsyncClient, count: int) -> None:
        """Give jobs to a server, over a drawn time; those whose reply does not come are not accepted."""
        for _ in range(count):
            try:
                reply = await client.post("/v1/jobs", json={"video": "clip.mp4", "question": QUESTION})
            except httpx.TransportError:
                self.lost += 1
                continue
            if reply.status_code == 202:
                self.jobs.append(job := Job(reply.json()["id"]))
                self._following.append(asyncio.create_task(follow(client, job)))
            else:
                self.refused += 1
            await asyncio.sleep(self.draw.uniform(0, 0.5))

    async def live(self, url: str, count: int, end: Callable[[], None], events: int) -> None:
        """Give jobs to a server, follow all of them, and end it."""
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            self._following = [asyncio.create_task(follow(client, job)) for job in self.jobs]
            giving = asyncio.create_task(self.give(client, count))
            await self._heard(events)
            for job in self.jobs:
                job.stops += not job.told or '"ended"' not in job.told[-1][1]
            await asyncio.to_thread(end)
            await giving
            await asyncio.gather(*self._following)

    async def _heard(self, events: int) -> None:
        """Wait for so many events more, and a drawn moment."""
        until_s, before = time.monotonic() + MOST_S, sum(len(job.told) for job in self.jobs)
        while sum(len(job.told) for job in self.jobs) < before + events and time.monotonic() < until_s:
            await asyncio.sleep(0.02)
        await asyncio.sleep(self.draw.uniform(0, 0.5))

    async def end(self, url: str) -> list[str]:
        """Wait for all jobs at the last server; return what is wrong with them."""
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            async with asyncio.timeout(LONGEST_S):
                await asyncio.gather(*(follow(client, job) for job in self.jobs))
            listed = (await client.get("/v1/jobs", params={"limit": 1000})).json()["data"]
            runs = (await client.get("/v1/runs", params={"limit": 1000})).json()["data"]
            answered = Counter(run["id"] for run in runs if run["answer"])
            wrong = [line for job in self.jobs for line in await faults(client, job, answered)]
        unheard = {one["id"] for one in listed} - {job.id for job in self.jobs}
        wrong += [
            f"{job.id}: is not listed" for job in self.jobs if job.id not in {one["id"] for one in listed}
        ]
        if len(unheard) > self.lost:
            wrong.append(f"{len(unheard)} jobs are there that nobody gave")
        return wrong


async def follow(client: httpx.AsyncClient, job: Job) -> None:
    """Read a job's events behind the last that came, until its end or the server's."""
    last = str(job.told[-1][0]) if job.told else "0"
    with contextlib.suppress(httpx.TransportError):
        async with client.stream(
            "GET", f"/v1/jobs/{job.id}/events", headers={"Last-Event-ID": last}, timeout=LONGEST_S
        ) as reply:
            number = 0
            async for line in reply.aiter_lines():
                if line.startswith("id: "):
                    number = int(line[4:])
                elif line.startswith("data: "):
                    job.told.append((number, line[6:]))


async def faults(client: httpx.AsyncClient, job: Job, answered: Counter[str]) -> list[str]:
    """Return what is wrong with a job that is to have ended."""
    told = (await client.get(f"/v1/jobs/{job.id}")).json()
    whole = Job(job.id)
    await follow(client, whole)
    found = []
    if told["status"] != "succeeded" or not told["answer"] or told["error"]:
        found.append(f"{told['status']} {told['error']}")
    elif told["answer"]["run_id"] != told["run_id"] or answered[told["run_id"]] != 1:
        found.append("its answer is not its run's")
    if [number for number, _ in job.told] != list(range(1, len(job.told) + 1)):
        found.append(f"events {[number for number, _ in job.told]}")
    if job.told != whole.told:
        found.append("its follower was told other events than are kept")
    ends = ['"kind": "ended"' in data for _, data in whole.told]
    if sum(ends) != 1 or not ends[-1]:
        found.append(f"{sum(ends)} events `ended`")
    return [f"{job.id}: {line}" for line in found]


def table(bench: Bench, wrong: list[str], stops: Counter[str], asked: int) -> None:
    """Print what came of it."""
    by_stops = Counter(job.stops for job in bench.jobs)
    print(f"{'stops':26}" + ", ".join(f"{count} {name}" for name, count in sorted(stops.items())))
    print(f"{'jobs accepted':26}{len(bench.jobs)}, refused {bench.refused}, reply lost {bench.lost}")
    print(f"{'jobs by stops they met':26}" + ", ".join(f"{key}: {by_stops[key]}" for key in sorted(by_stops)))
    print(f"{'events':26}{sum(len(job.told) for job in bench.jobs)}")
    print(f"{'replies of the VLM a job':26}{asked / max(1, len(bench.jobs)):.1f}")
    print(f"{'jobs with a fault':26}{len({line.split(':')[0] for line in wrong})}")
    for line in wrong:
        print(f"WRONG: {line}")


def main() -> int:
    """Run it and print what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stops", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=5)
    args = parser.parse_args()
    print(machine(), flush=True)
    began, bench, stops = time.monotonic(), Bench(random.Random(args.seed)), Counter[str]()
    shares = [len(range(number, args.jobs, args.stops)) for number in range(args.stops)]
    with tempfile.TemporaryDirectory() as name, vlm(REPLY_S) as model:
        folder = Path(name)
        for number, share in enumerate(shares):
            stop = STOPS[number % len(STOPS)]
            stops[stop.name] += 1
            with contextlib.ExitStack() as stack:
                server = stack.enter_context(served(folder, model, "--insecure-local", stop=stop))
                events = bench.draw.randint(*EVENTS)
                asyncio.run(bench.live(server.url, share, stack.close, events))
        with served(folder, model, "--insecure-local") as server:
            wrong = asyncio.run(bench.end(server.url))
        asked = httpx.get(model.removesuffix("/v1") + "/stats").json()["asked"]
    table(bench, wrong, stops, asked)
    print(f"{time.monotonic() - began:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
