"""One tenant attacks a server in each way it can, while another one works: what does the other one wait?

`python -m benchmarks.hostile_tenant [--seconds 20] [--only NAME]...` from the repository root. The server, with
keys, and a scripted VLM that replies at once are processes of their own, on the loopback. The good tenant asks for
its health, lists its files, uploads a clip and asks about it, each again and again, first alone, then during each
attack; the table has the median and the 99th percentile of what it waited, what it was refused, and how the
attacker's requests ended. What is refused to the good tenant, or fails, is a fault of the server.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from benchmarks.rest_server import QUESTION, Served, machine, new_key, served, vlm
from tests.media.make import encode

HEAD = "Host: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
MULTIPART = "Content-Type: multipart/form-data; boundary=b\r\n"
ACTIONS = ("health", "list", "upload", "ask")


@dataclass
class Attack:
    """What an attacker has at hand.

    Args:
        client: A client with the attacker's key.
        key: That key.
        host: The server's host and port.
        slow: A video that takes seconds to read.
        ends: How its requests ended.
    """

    client: httpx.AsyncClient
    key: str
    host: tuple[str, int]
    slow: bytes
    ends: Counter[str] = field(default_factory=Counter)

    async def send(self, *parts: bytes, every_s: float = 0.0) -> None:
        """Send parts over a connection of its own, and count how the server ends it."""
        try:
            reader, writer = await asyncio.open_connection(*self.host)
        except OSError:
            self.ends["not connected"] += 1
            await asyncio.sleep(0.1)
            return
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(every_s)
            status = (await reader.readline()).split()
            self.ends[status[1].decode() if len(status) > 1 else "closed"] += 1
        except (ConnectionError, OSError):
            self.ends["closed"] += 1
        finally:
            writer.close()

    async def ask(self, method: str, path: str, **named: object) -> None:
        """Send a request and count its status."""
        try:
            reply = await self.client.request(method, path, **named)  # type: ignore[arg-type]  # httpx types each keyword by itself
            self.ends[str(reply.status_code)] += 1
        except httpx.HTTPError as error:
            self.ends[type(error).__name__] += 1

    def head(self, line: str, rest: str = "") -> bytes:
        """Return the head of a request."""
        return f"{line} HTTP/1.1\r\n{HEAD.format(key=self.key)}{rest}\r\n".encode()


async def questions(attack: Attack) -> None:
    """Ask questions."""
    await attack.ask("POST", "/vidagent/invoke", json={"input": {"video": "clip.mp4", "question": QUESTION}})


async def jobs(attack: Attack) -> None:
    """Add jobs up to the limit of unfinished ones."""
    await attack.ask("POST", "/v1/jobs", json={"video": "clip.mp4", "question": QUESTION})


async def slow_videos(attack: Attack) -> None:
    """Upload videos that take seconds to read."""
    tail = bytes(np.random.default_rng().integers(0, 255, 16, np.uint8))
    await attack.ask("POST", "/v1/files", files={"file": ("x.ts", attack.slow + tail)})


async def endless_uploads(attack: Attack) -> None:
    """Begin uploads and drip a byte a second."""
    head = attack.head("POST /v1/files", f"{MULTIPART}Content-Length: 1000000\r\n")
    await attack.send(head + FORM, *[b"x"] * 60, every_s=1.0)


async def slow_heads(attack: Attack) -> None:
    """Open connections and drip the bytes of a head."""
    await attack.send(b"GET /healthz HTTP/1.1\r\n", *[b"X"] * 60, every_s=1.0)


async def slow_bodies(attack: Attack) -> None:
    """Ask with a body that drips."""
    head = attack.head("POST /vidagent/invoke", "Content-Type: application/json\r\nContent-Length: 5000\r\n")
    await attack.send(head, *[b" "] * 60, every_s=1.0)


async def many_parts(attack: Attack) -> None:
    """Upload forms of very many parts."""
    part = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    await attack.ask("POST", "/v1/files", content=part * 20_000, headers=headers)


async def large_forms(attack: Attack) -> None:
    """Upload ten megabytes that are no video, made to be slow to parse."""
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    await attack.ask(
        "POST", "/v1/files", content=FORM + b"\r\n-" * 3_000_000 + b"\r\n--b--\r\n", headers=headers
    )


async def deep_json(attack: Attack) -> None:
    """Send JSON of a megabyte that is nested or invalid."""
    headers = {"Content-Type": "application/json"}
    await attack.ask("POST", "/v1/jobs", content=b"[" * 900_000, headers=headers)


async def unread_downloads(attack: Attack) -> None:
    """Ask for a video many times over one connection and read nothing."""
    await attack.send(attack.head("GET /v1/videos/content?video=clip.mp4") * 200, every_s=30)


async def listings(attack: Attack) -> None:
    """List everything."""
    await attack.ask("GET", "/v1/videos")


async def smuggling(attack: Attack) -> None:
    """Send requests whose end is ambiguous."""
    head = attack.head("POST /v1/jobs", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n")
    await attack.send(head + b"0\r\n\r\n" + attack.head("GET /v1/files"))


async def names_outside(attack: Attack) -> None:
    """Ask about files outside of the folders."""
    await attack.ask("GET", "/v1/videos/content", params={"video": "../" * 300 + "etc/passwd"})


ATTACKS: dict[str, tuple[Callable[[Attack], Awaitable[None]], int]] = {
    one.__name__: (one, clients)
    for one, clients in [
        (questions, 20), (jobs, 10), (slow_videos, 12), (endless_uploads, 100), (slow_heads, 400), (slow_bodies, 50),
        (many_parts, 8), (large_forms, 4), (deep_json, 8), (unread_downloads, 50), (listings, 20), (smuggling, 20),
        (names_outside, 20),
    ]
}  # fmt: skip
"""Each attack, and how many of its clients act at once."""


@dataclass
class Waited:
    """What the good tenant waited, in seconds by action, and what it was not given."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in ACTIONS})
    refused: Counter[str] = field(default_factory=Counter)


async def good_tenant(client: httpx.AsyncClient, clip: bytes, until_s: float) -> Waited:
    """Work until a time, each action again and again beside the others."""
    waited = Waited()
    body = {"input": {"video": "clip.mp4", "question": QUESTION}}

    async def repeat(name: str, pause_s: float, act: Callable[[], Awaitable[httpx.Response]]) -> None:
        while time.monotonic() < until_s:
            began = time.monotonic()
            try:
                status = (await act()).status_code
            except httpx.HTTPError as error:
                waited.refused[f"{name}: {type(error).__name__}"] += 1
            else:
                waited.seconds[name].append(time.monotonic() - began)
                if status != 200:
                    waited.refused[f"{name}: {status}"] += 1
            await asyncio.sleep(pause_s)

    def upload() -> Awaitable[httpx.Response]:
        return client.post("/v1/files", files={"file": ("clip.mp4", clip)})

    await asyncio.gather(
        repeat("health", 0.05, lambda: client.get("/healthz")),
        repeat("list", 0.2, lambda: client.get("/v1/files")),
        repeat("upload", 1.0, upload),
        repeat("ask", 0.5, lambda: client.post("/vidagent/invoke", json=body)),
    )
    return waited


async def attacked(
    name: str | None, attack: Attack, client: httpx.AsyncClient, clip: bytes, seconds: float
) -> Waited:
    """Have the good tenant work during an attack, or without one."""
    until_s = time.monotonic() + seconds
    attackers = []
    if name is not None:
        act, clients = ATTACKS[name]

        async def repeat() -> None:
            while True:
                await act(attack)

        attackers = [asyncio.create_task(repeat()) for _ in range(clients)]
    try:
        return await good_tenant(client, clip, until_s)
    finally:
        for task in attackers:
            task.cancel()
        for ended in await asyncio.gather(*attackers, return_exceptions=True):
            if not isinstance(ended, asyncio.CancelledError):
                raise ended  # an attack that has stopped would make the server look fair


async def settle(client: httpx.AsyncClient) -> None:
    """Cancel what an attack has left behind."""
    for job in (await client.get("/v1/jobs", params={"limit": 1000})).json()["data"]:
        if job["ended_at"] is None:
            await client.delete(f"/v1/jobs/{job['id']}")


def row(name: str, waited: Waited, ends: Counter[str]) -> str:
    """Return a line of the table: median and 99th percentile of each action, in milliseconds."""
    cells = [name]
    for action in ACTIONS:
        times = np.array(waited.seconds[action] or [np.nan]) * 1000
        cells.append("{:.0f} / {:.0f}".format(*np.percentile(times, [50, 99])))
    cells.append(", ".join(f"{count} {what}" for what, count in sorted(waited.refused.items())) or "0")
    cells.append(", ".join(f"{count} {what}" for what, count in sorted(ends.items())) or "-")
    return f"| {' | '.join(cells)} |"


async def measure(server: Served, keys: tuple[str, str], names: list[str], seconds: float) -> bool:
    """Print the table; return whether the good tenant got all that it asked for."""
    videos = server.folder / "videos"
    clip = (videos / "clip.mp4").read_bytes()
    encode(server.folder / "slow.ts", range(0, 4000, 40))
    slow = (server.folder / "slow.ts").read_bytes() * 300
    url = httpx.URL(server.url)
    limits = httpx.Limits(max_connections=500)
    sent = [{"Authorization": f"Bearer {key}"} for key in keys]
    async with (
        httpx.AsyncClient(base_url=url, headers=sent[0], timeout=120, limits=limits) as good,
        httpx.AsyncClient(base_url=url, headers=sent[1], timeout=120, limits=limits) as bad,
    ):
        await good_tenant(good, clip, time.monotonic() + 0.1)  # loads everything
        print(
            f"| attack | {' | '.join(ACTIONS)} | not given | the attacker's ends |\n|{'---|' * 7}", flush=True
        )
        fair = True
        for name in (None, *names, None):
            attack = Attack(bad, keys[1], (url.host, url.port or 80), slow)
            waited = await attacked(name, attack, good, clip, seconds)
            await settle(bad)
            fair = fair and not waited.refused
            print(row(name or "none", waited, attack.ends), flush=True)
    return fair


def main() -> int:
    """Run it and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--only", choices=sorted(ATTACKS), action="append")
    args = parser.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as name, vlm(0.0) as model:
        folder = Path(name)
        keys = (new_key(folder, "good"), new_key(folder, "bad"))
        with served(folder, model) as server:
            fair = asyncio.run(measure(server, keys, args.only or list(ATTACKS), args.seconds))
            memory = sum(process.memory_info().rss for process in server.processes) >> 20
            print(f"memory of the server at the end: {memory} MB")
    return int(not fair)


if __name__ == "__main__":
    sys.exit(main())
