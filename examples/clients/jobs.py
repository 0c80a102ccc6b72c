"""Ask a `vidagent serve` for a job: it is answered though nobody waits, and its events go on where a line broke.

    vidagent serve --insecure-local --root .
    python examples/clients/jobs.py talk.mp4 'When is the code shown?' --break-after 3

Needs `pip install httpx`; with keys, `--key` or VIDAGENT_SERVE_KEY.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator

import httpx


def main() -> None:
    """Put the question, print what happens, and the answer."""
    parser = argparse.ArgumentParser(description="Ask a server for a job.")
    parser.add_argument("video", help="a path under the server's folder, or the id of an uploaded file")
    parser.add_argument("question")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--key", default=os.environ.get("VIDAGENT_SERVE_KEY"))
    parser.add_argument("--break-after", type=int, metavar="N", help="break the line once, after N events")
    wanted = parser.parse_args()
    headers = {"Authorization": f"Bearer {wanted.key}"} if wanted.key else {}
    with httpx.Client(base_url=wanted.url, headers=headers, timeout=60) as client:
        reply = client.post("/v1/jobs", json={"video": wanted.video, "question": wanted.question})
        path = f"/v1/jobs/{reply.raise_for_status().json()['id']}"
        for number, event in events(client, f"{path}/events", wanted.break_after):
            print(f"{number:>3} {event['kind']:<12}{event['text']}")
        job = client.get(path).raise_for_status().json()
    print(f"{job['status']}: {job['answer']['answer'] if job['answer'] else job['error']}")


def events(client: httpx.Client, path: str, break_after: int | None) -> Iterator[tuple[int, dict]]:
    """Yield the events of a job up to its end; after a break they go on behind the last one that came."""
    last = 0
    while True:
        try:
            with client.stream("GET", path, headers={"Last-Event-ID": str(last)}) as reply:
                for line in reply.raise_for_status().iter_lines():
                    name, _, value = line.partition(": ")
                    if name == "id":
                        last = int(value)
                    elif name == "data":
                        yield last, json.loads(value)
                        if last == break_after:
                            raise httpx.ReadError("broken on purpose")
                return
        except httpx.TransportError as broken:
            print(f"    the line broke ({broken}); going on behind event {last}")
            break_after = None


if __name__ == "__main__":
    main()
