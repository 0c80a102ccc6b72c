"""A scripted VLM in a process of its own, lean enough for fifty clients: `python -m benchmarks.rest_vlm --delay 0.2`.

It prints its base URL, answers `/v1/models` and `/v1/chat/completions` (streamed or not) on the loopback, each reply
after the delay, and tells at `/stats` how many questions it holds open, how many clients left before their reply, and
how many it was asked. The script is that of the tests: one look, then the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from tests.graphs.scripts import Script, answer, clip_look
from tests.scripted_server import _events as as_stream

LINE = b"\r\n"


@dataclass
class Stats:
    """What went on: questions held open, clients that left before their reply, questions in all."""

    open: int = 0
    gone: int = 0
    asked: int = 0


def reply_to(body: dict[str, Any]) -> dict[str, Any]:
    """Answer a request; whether the look is done is read from the request itself."""
    script = Script([clip_look(1, 3)], [answer()])
    script.planned = int(any(message["role"] == "tool" for message in body["messages"]))
    return script(body)


class Vlm:
    """The server.

    Args:
        delay_s: Seconds before each reply.
    """

    def __init__(self, delay_s: float) -> None:
        """Start with no question."""
        self.delay_s, self.stats = delay_s, Stats()

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
            if not await self._held(reader):
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

    async def _held(self, reader: asyncio.StreamReader) -> bool:
        """Wait for the delay; return whether the client is still there."""
        self.stats.asked += 1
        self.stats.open += 1
        try:
            await asyncio.wait_for(reader.read(1), self.delay_s)
        except TimeoutError:
            return True
        except ConnectionError:
            pass
        finally:
            self.stats.open -= 1
        self.stats.gone += 1
        return False


async def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.2, metavar="SECONDS")
    vlm = Vlm(parser.parse_args().delay)
    server = await asyncio.start_server(vlm.serve, "127.0.0.1", 0, limit=1 << 24)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
