"""Servers of many families at the first try: requests and tokens of the first and of the second question.

`python -m benchmarks.first_contact` from the repository root. Each server is scripted
(`tests/agents/servers/families.py`): an honest model behind the field names, limits, refusals and thoughts of its
family. A question is asked twice with nothing but the base URL: once with the few requests by which vidagent asks a new
server what it can do, and once without, when all is learned on the way. A step is lost if a reply could not be used.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import vidagent
from tests.agents.servers.families import FAMILIES, serve, spent
from tests.media.make import encode
from tests.scripted_server import ScriptedServer


class Asked(NamedTuple):
    """One question: how it ended, the steps lost, its requests and their tokens."""

    status: str
    lost: int
    calls: int
    tokens: int


def ask(clip: Path, server: ScriptedServer) -> Asked:
    """Ask once, and count."""
    notes: list[str] = []
    answer = vidagent.analyze_video(
        clip,
        "What lies there?",
        base_url=server.url,
        on_event=lambda event: notes.append(event.text) if event.kind == "note" else None,
    )
    calls, tokens = spent(server)
    server.bodies.clear()
    return Asked(answer.status, len(notes), calls, tokens)


def measure(clip: Path, name: str, *, probed: bool) -> tuple[Asked, Asked]:
    """Ask a new server twice."""
    with tempfile.TemporaryDirectory() as cache, serve(FAMILIES[name]) as server:
        os.environ |= {"VIDAGENT_CACHE_DIR": cache, "VIDAGENT_PROBE_SERVER": str(probed)}
        return ask(clip, server), ask(clip, server)


def families(clip: Path) -> None:
    """Print a row for each family."""
    print("| server | answers | steps lost | asked: first, second | learning: first, second |")
    print("|---|---|---|---|---|")
    for name in FAMILIES:
        runs = [*measure(clip, name, probed=True), *measure(clip, name, probed=False)]
        cells = [f"{run.calls} / {run.tokens:,}" for run in runs]
        answered = sum(run.status == "answered" for run in runs)
        lost = sum(run.lost for run in runs)
        print(f"| {name} | {answered} of 4 | {lost} | {cells[0]}, {cells[1]} | {cells[2]}, {cells[3]} |")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        clip = Path(folder) / "clip.mp4"
        encode(clip, tuple(40 * number for number in range(200)))
        families(clip)


if __name__ == "__main__":
    main()
