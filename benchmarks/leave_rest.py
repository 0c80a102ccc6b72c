"""Two hundred clients ask a server over all its routes and leave before they have their answer.

`python -m benchmarks.leave_rest [--clients 200] [--at-once 12] [--seed 5]` from the repository root. VLM, server and
clients are processes of their own, on the loopback. A client leaves at a drawn moment: while the VLM holds its first
to fifth reply back, or a moment after it has asked, whatever goes on then; every other one by a reset. The seconds are
those from there until the VLM sees its connection closed; a reader of a job's events leaves the job alone, and it is
the job's cancellation that they are counted from; of an upload, they are those until its file is gone. Ends with 1
where the worst is more than a second, or where the server has more open files, child processes or temporary files at
the end than before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np

from benchmarks.rest_server import QUESTION, Served, machine, served, vlm

GOAL_S = 1.0
LONGEST_S = 20.0
HELD_S = 60.0
LOOK_S = 0.05
AT_RANDOM_S = 0.5
BATCH = 3
ROUTES = ("invoke", "batch", "stream", "stream_events", "chat", "chat stream", "job events", "upload")


@dataclass
class Left:
    """What became of the clients that left: seconds by route, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {route: [] for route in ROUTES})
    idle: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROUTES, 0))
    wrong: list[str] = field(default_factory=list)


class Wire:
    """A client's connection, which can be left at any moment.

    Args:
        url: The server's address.
    """

    def __init__(self, url: str) -> None:
        """Connect later."""
        self._parts = urlsplit(url)
        self._writer: asyncio.StreamWriter

    async def ask(
        self, method: str, path: str, body: bytes, kind: str = "application/json", more: int = 0
    ) -> None:
        """Send a request, which has so many bytes more than are sent."""
        _, self._writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._parts.netloc}\r\nContent-Type: {kind}\r\n"
        self._writer.write(f"{head}Content-Length: {len(body) + more}\r\n\r\n".encode() + body)
        await self._writer.drain()

    def leave(self, *, reset: bool) -> float:
        """Leave; return when."""
        now_s = time.monotonic()
        if reset:
            self._writer.transport.abort()
        else:
            self._writer.close()
        return now_s


class Bench:
    """Has clients leave.

    Args:
        server: The server.
        model: Base URL of its VLM.
        asking: A client that stays.
        draw: What draws moments.
    """

    def __init__(self, server: Served, model: str, asking: httpx.AsyncClient, draw: random.Random) -> None:
        """Start without any."""
        self._server, self._asking, self._draw = server, asking, draw
        self._url = model.removesuffix("/v1") + "/stats"
        self.stats: dict[str, Any] = {"open": 0, "held": [], "left_s": {}}
        self._uploads = asyncio.Lock()
        self.left = Left()

    async def watch(self) -> None:
        """Keep asking the VLM what it holds, once for all clients."""
        while True:
            self.stats = (await self._asking.get(self._url)).json()
            await asyncio.sleep(LOOK_S)

    async def one(self, number: int) -> None:
        """Have a client leave."""
        route = ROUTES[number % len(ROUTES)]
        if route == "upload":
            async with self._uploads:
                await self._upload(number)
            return
        numbers = {number * 10 + item for item in range(BATCH if route == "batch" else 1)}
        hold = self._draw.randrange(5)
        texts = [f"{QUESTION} leaver-{one}-{hold}" for one in sorted(numbers)]
        waits = self._draw.random() < 0.75
        if route == "job events":
            await self._events(number, texts[0], numbers, waits=waits)
            return
        wire = Wire(self._server.url)
        path, body = asked(route, texts)
        await wire.ask("POST", path, json.dumps(body).encode())
        await self._moment(numbers, waits=waits)
        await self._closed(route, numbers, wire.leave(reset=bool(number // len(ROUTES) % 2)))

    async def _events(self, number: int, text: str, numbers: set[int], *, waits: bool) -> None:
        reply = await self._asking.post("/v1/jobs", json={"video": "clip.mp4", "question": text})
        id_ = reply.raise_for_status().json()["id"]
        wire = Wire(self._server.url)
        await wire.ask("GET", f"/v1/jobs/{id_}/events", b"")
        await self._moment(numbers, waits=waits)
        wire.leave(reset=bool(number // len(ROUTES) % 2))
        await asyncio.sleep(0.2)
        job = (await self._asking.get(f"/v1/jobs/{id_}")).json()
        if job["ended_at"] is not None:
            self.left.wrong.append(f"{id_} has ended, as its reader has left: {job['error']}")
        left_s = time.monotonic()
        (await self._asking.delete(f"/v1/jobs/{id_}")).raise_for_status()
        await self._closed("job events", numbers, left_s)

    async def _upload(self, number: int) -> None:
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="clip.mp4"\r\n\r\n'
        wire = Wire(self._server.url)
        await wire.ask(
            "POST", "/v1/files", head + bytes(3_000_000), "multipart/form-data; boundary=b", more=9_000
        )
        await until(lambda: self._parts() == 1)
        left_s = wire.leave(reset=bool(number // len(ROUTES) % 2))
        if await until(lambda: self._parts() == 0):
            self.left.seconds["upload"].append(time.monotonic() - left_s)
        else:
            self.left.wrong.append("a part of an upload stays")

    def _parts(self) -> int:
        return len(list((self._server.folder / "data" / "files").glob("*/.part-*")))

    async def _moment(self, numbers: set[int], *, waits: bool) -> None:
        """Wait until the client is to leave."""
        until_s = time.monotonic() + LONGEST_S
        while waits and not numbers & set(self.stats["held"]):
            if time.monotonic() > until_s:
                self.left.wrong.append(f"{numbers}: the VLM was not asked")
                break
            await asyncio.sleep(LOOK_S)
        await asyncio.sleep(self._draw.uniform(0, AT_RANDOM_S))

    async def _closed(self, route: str, numbers: set[int], left_s: float) -> None:
        """Note when the last of a client's questions was closed; it had none where none was open by then."""
        await asyncio.sleep(GOAL_S)
        until_s = time.monotonic() + LONGEST_S
        while numbers & set(self.stats["held"]):
            if time.monotonic() > until_s:
                self.left.wrong.append(f"{route}: the VLM is still asked")
                return
            await asyncio.sleep(LOOK_S)
        left = self.stats["left_s"]
        closed_s = [left[str(one)] for one in numbers if str(one) in left]
        if closed_s:
            self.left.seconds[route].append(max(closed_s) - left_s)
        else:
            self.left.idle[route] += 1


async def until(true: Callable[[], bool]) -> bool:
    """Wait until something is true; tell whether it came true."""
    until_s = time.monotonic() + LONGEST_S
    while not true():
        if time.monotonic() > until_s:
            return False
        await asyncio.sleep(0.005)
    return True


def asked(route: str, texts: list[str]) -> tuple[str, dict[str, Any]]:
    """Return a route's path and its body."""
    questions = [{"video": "clip.mp4", "question": text} for text in texts]
    if route == "batch":
        return "/vidagent/batch", {"inputs": questions}
    if route in {"invoke", "stream", "stream_events"}:
        return f"/vidagent/{route}", {"input": questions[0]}
    parts = [
        {"type": "video_url", "video_url": {"url": "clip.mp4"}},
        {"type": "text", "text": texts[0]},
    ]
    chat = {"model": "vidagent", "messages": [{"role": "user", "content": parts}]}
    return "/v1/chat/completions", {**chat, "stream": route == "chat stream"}


@dataclass(frozen=True)
class Counts:
    """What a server holds: open files, child processes, temporary files."""

    files: int
    children: int
    temporary: int


def counts(server: Served) -> Counts:
    """Count."""
    kept = {"data", "cache", "videos", "serve.log"}
    temporary = [path for path in server.folder.iterdir() if path.name not in kept]
    temporary += (server.folder / "data" / "files").glob("*/.part-*")
    return Counts(
        sum(one.num_fds() for one in server.processes),
        len(server.process.children(recursive=True)),
        len(temporary),
    )


async def warm(server: Served, asking: httpx.AsyncClient, at_once: int) -> None:
    """Have everything loaded, with as many questions at once as there will be."""

    async def ask(number: int) -> None:
        path, body = asked("invoke", [f"{QUESTION} leaver-{9_000_000 + number}-9"])
        (await asking.post(path, json=body)).raise_for_status()

    await asyncio.gather(*(ask(number) for number in range(at_once)))


async def settled(server: Served) -> Counts:
    """Return the counts once they have not changed for some seconds."""
    found = counts(server)
    for _ in range(8):
        await asyncio.sleep(2)
        found, before = counts(server), found
        if found == before:
            break
    return found


@contextmanager
def running(at_once: int) -> Iterator[tuple[Served, str]]:
    """Run a VLM and a server."""
    flags = ("--insecure-local", "--max-running", str(2 * at_once), "--max-per-client", str(2 * at_once))
    with (
        tempfile.TemporaryDirectory() as folder,
        vlm(HELD_S) as model,
        served(Path(folder), model, *flags) as server,
    ):
        yield server, model


async def leave(
    server: Served, model: str, clients: int, at_once: int, seed: int
) -> tuple[Left, Counts, Counts]:
    """Have the clients leave; return what became of them, and the counts before and after."""
    once = httpx.Limits(
        max_keepalive_connections=0
    )  # the server closes idle connections, perhaps as they are used
    async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=once) as asking:
        await warm(server, asking, at_once)
    before = await settled(server)
    lanes = asyncio.Semaphore(at_once)
    async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=once) as asking:
        bench = Bench(server, model, asking, random.Random(seed))

        async def one(number: int) -> None:
            async with lanes:
                await bench.one(number)

        watching = asyncio.create_task(bench.watch())
        await asyncio.gather(*(one(number) for number in range(clients)))
        watching.cancel()
        if bench.stats["open"]:
            bench.left.wrong.append(f"{bench.stats['open']} questions are open at the VLM")
    return bench.left, before, await settled(server)


def told(left: Left, before: Counts, after: Counts) -> int:
    """Print the table; return the exit code."""
    print(f"{'route':16}{'left':>6}{'nothing open':>14}{'median':>10}{'p99':>10}{'worst':>10}")
    rows = [(route, left.seconds[route], left.idle[route]) for route in ROUTES]
    rows.append(("all", [one for _, seconds, _ in rows for one in seconds], sum(left.idle.values())))
    for route, seconds, idle in rows:
        p50, p99, worst = np.percentile(np.array(seconds or [np.nan]), [50, 99, 100])
        print(f"{route:16}{len(seconds) + idle:6}{idle:14}{p50:8.3f} s{p99:8.3f} s{worst:8.3f} s")
    for name in ("files", "children", "temporary"):
        print(f"{name:16}{getattr(before, name):6} before{getattr(after, name):6} after")
    for line in left.wrong:
        print(f"WRONG: {line}")
    more = (
        after.children > before.children or after.temporary > before.temporary or after.files > before.files
    )
    return int(bool(left.wrong) or worst > GOAL_S or more)


def main() -> int:
    """Run it and print what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=12)
    parser.add_argument("--seed", type=int, default=5)
    args = parser.parse_args()
    print(machine(), flush=True)
    began = time.monotonic()
    with running(args.at_once) as (server, model):
        found = asyncio.run(leave(server, model, args.clients, args.at_once, args.seed))
    code = told(*found)
    print(f"{args.clients} clients, {args.at_once} at once, {time.monotonic() - began:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
