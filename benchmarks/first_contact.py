"""Servers of many families at the first try: requests and tokens of the first and of the second question.

`python -m benchmarks.first_contact` from the repository root. Each server is scripted
(`tests/agents/servers/families.py`): an honest model behind the field names, limits, refusals and thoughts of its
family. A question is asked twice with nothing but the base URL: once with the few requests by which vidagent asks a new
server what it can do, and once without, when all is learned on the way. A step is lost if a reply could not be used.
Then servers listen where Ollama and its like do, and `vidagent ask` is given nothing at all.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import vidagent
from tests.agents.servers.families import FAMILIES, serve, spent
from tests.media.make import encode
from tests.scripted_server import ScriptedServer

QUESTION = "What lies there?"
LOCAL = {8000: "thinks 3,000 tokens", 11434: "Ollama", 8080: "llama.cpp", 1234: "LM Studio"}
"""Ports where local servers listen, and the family that is served there."""


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
        QUESTION,
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


def ask_nobody_named(clip: Path, server: ScriptedServer, folder: str) -> tuple[str, str]:
    """Ask by the command line without a word about a server; return the status and the cost, and who answered."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIDAGENT_")}
    own = {"VIDAGENT_CACHE_DIR": f"{folder}/cache", "VIDAGENT_CONFIG_DIR": f"{folder}/config"}
    command = [sys.executable, "-m", "vidagent", "ask", str(clip), QUESTION, "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**inherited, **own}, cwd=folder
    )
    status = json.loads(done.stdout)["status"] if done.stdout else f"exit {done.returncode}"
    calls, tokens = spent(server)
    server.bodies.clear()
    return f"{status}, {calls} / {tokens:,}", next(iter(done.stderr.splitlines()), "")


def local_ports(clip: Path) -> None:
    """Print a row for each port."""
    print("\n| port | family | said on stderr | first | second |")
    print("|---|---|---|---|---|")
    for port, name in LOCAL.items():
        with tempfile.TemporaryDirectory() as folder, serve(FAMILIES[name], port) as server:
            first, told = ask_nobody_named(clip, server, folder)
            second, _ = ask_nobody_named(clip, server, folder)
        print(f"| {port} | {name} | {told} | {first} | {second} |")


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        clip = Path(folder) / "clip.mp4"
        encode(clip, tuple(40 * number for number in range(200)))
        families(clip)
        local_ports(clip)


if __name__ == "__main__":
    main()
