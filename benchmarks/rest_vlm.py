"""A scripted VLM in a process of its own, lean enough for fifty clients: `python -m benchmarks.rest_vlm --delay 0.2`.

It prints its base URL, answers `/v1/models` and `/v1/chat/completions` (streamed or not) on the loopback, each reply
after the delay, and tells at `/stats` how many questions it holds open, how many clients left before their reply, and
how many it was asked. The script is that of the tests: one look, then the answer. Where a question has
`leaver-NUMBER-HOLD` in it, HOLD of its replies come at once and those behind them after the delay; `/stats` tells which
of these are open, and when on the monotonic clock each was left. With `--faults 0.1` a tenth of the replies are errors,
pages, half of what they should be, or no replies at all.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.graphs.scripts import Script, answer, clip_look
from tests.scripted_server import _events as as_stream

LINE = b"\r\n"
FAULTS = {
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    "503": b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "429": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "page": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
    "cut": b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"choices": [',
    "none": b"",
}
LEAVER = re.compile(rb"leaver-(\d+)-(\d)")


@dataclass
class Stats:
    """What went on: questions held open, clients that left before their reply, questions in all; leavers; faults."""

    open: int = 0
    gone: int = 0
    asked: int = 0
    held: list[int] = field(default_factory=list)
    left_s: dict[int, float] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)


def reply_to(body: dict[str, Any]) -> dict[str, Any]:
    """Answer a request; whether the look is done is read from the request itself."""
    script = Script([clip_look(1, 3)], [answer()])
    script.planned = int(any(message["role"] == "tool" for message in body["messages"]))
    return script(body)


class Vlm:
    """The server.

    Args:
        delay_s: Seconds before each reply.
        faults: Part of the replies that are faults.
    """

    def __init__(self, delay_s: float, faults: float = 0.0) -> None:
        """Start with no question."""
        self.delay_s, self.faults, self.stats = delay_s, faults, Stats()
        self._asked_by: Counter[int] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until its client leaves."""
        try:
            while head := await reader.readuntil(LINE + LINE):
                await self._one(head.decode("latin-1"), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _one(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = head.split(" ", 2)[1]
        lengths = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
        data = await reader.readexactly(int(lengths[0].split(":")[1]) if lengths else 0)
        if path.endswith("/chat/completions"):
            body = json.loads(data)
            if not await self._held(reader, data):
                raise ConnectionError
            if random.random() < self.faults:
                name = random.choice(list(FAULTS))
                self.stats.faults[name] += 1
                writer.write(FAULTS[name])
                await writer.drain()
                raise ConnectionError
            told = reply_to(body)
            streams = bool(body.get("stream"))
            sent = as_stream(told) if streams else json.dumps(told).encode()
            kind = "text/event-stream" if streams else "application/json"
        else:
            listed = {"object": "list", "data": [{"id": "scripted", "object": "model", "owned_by": "test"}]}
            sent = json.dumps(asdict(self.stats) if path == "/stats" else listed).encode()
            kind = "application/json"
        first = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(sent)}\r\n\r\n"
        writer.write(first.encode() + sent)
        await writer.drain()

    async def _held(self, reader: asyncio.StreamReader, data: bytes) -> bool:
        """Wait for the delay; return whether the client is still there."""
        leaver, delay_s = self._leaver(data)
        self.stats.asked += 1
        self.stats.open += 1
        if leaver is not None and delay_s:
            self.stats.held.append(leaver)
        try:
            await asyncio.wait_for(reader.read(1), delay_s)
        except TimeoutError:
            return True
        except ConnectionError:
            pass
        finally:
            self.stats.open -= 1
            if leaver in self.stats.held:
                self.stats.held.remove(leaver)
        self.stats.gone += 1
        if leaver is not None:
            self.stats.left_s[leaver] = time.monotonic()
        return False

    def _leaver(self, data: bytes) -> tuple[int | None, float]:
        """Return the number in a question, if there is one, and how long its reply is to take."""
        found = LEAVER.search(data)
        if found is None:
            return None, self.delay_s
        leaver, hold = int(found[1]), int(found[2])
        self._asked_by[leaver] += 1
        return leaver, self.delay_s if self._asked_by[leaver] > hold else 0.0


async def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.2, metavar="SECONDS")
    parser.add_argument("--faults", type=float, default=0.0, metavar="PART")
    args = parser.parse_args()
    vlm = Vlm(args.delay, args.faults)
    server = await asyncio.start_server(vlm.serve, "127.0.0.1", 0, limit=1 << 24)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
