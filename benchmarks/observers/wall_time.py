"""Wall time of questions to a server that takes `--delay` seconds for each reply, in this tree and in an older one.

    python -m benchmarks.observers.wall_time --against OLDER_TREE

Each question is asked by `vidagent ask --json` of either tree in turn, about a drawn video whose index is built
before; the same perfect observer answers both. Seconds are those of the run, `usage.seconds`, without the start of
the program.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.observers.billing import Billed
from benchmarks.observers.drawing import draw
from benchmarks.observers.model import SKILLS, Model
from benchmarks.observers.world import KINDS, make_world, questions
from tests.scripted_server import ScriptedServer, block_of, says

_KINDS = ("when", "count", "read", "absent", "choice")
_HERE = Path(__file__).parents[2]


class _EitherTree:
    """A model that also plays the two steps that older trees have: composing an answer, and comparing its words."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        claims = block_of(body, "claims")
        if claims is None:
            return self._model(body)
        if block_of(body, "claim") is not None:
            return says(json.dumps({"why": "so they say", "verdict": "supported", "confidence": 0.9}))
        draft = self._model.draft
        told = {"answer": draft["answer"], "choice": draft.get("choice"), "confidence": 0.9}
        return says(json.dumps(told))


def _ask(tree: Path, video: Path, kind: str, length_s: float, delay_s: float, cache: Path) -> str:
    """Ask a question by the command of a tree; return the cells of its row."""
    world = make_world(length_s, 0)
    question = next(one for one in questions(world) if one.kind == kind)
    model = Billed(_EitherTree(Model(world, question, SKILLS["perfect"], 0)), delay_s)
    env = {**os.environ, "PYTHONPATH": str(tree), "VIDAGENT_CACHE_DIR": str(cache)}
    options = [text for option in question.options or () for text in ("--option", option)]
    with ScriptedServer(model) as server:
        command = [sys.executable, "-m", "vidagent", "ask", str(video), question.text, "--json", *options]
        done = subprocess.run(
            [*command, "--base-url", server.url, "--model", "scripted"],
            env={**env, "VIDAGENT_PROBE_SERVER": "false"},
            cwd=tree,
            capture_output=True,
            check=True,
        )
    told = json.loads(done.stdout)
    return f"{told['usage']['seconds']:.1f} s | {model.calls} | {model.rounds} | {told['status']}"


def main() -> None:
    """Draw a video, ask about it in both trees, and print a row for each question."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", type=Path, required=True, help="an older checkout")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this kind (repeatable)")
    parser.add_argument("--length", type=float, default=60.0, help="length of the video, in seconds")
    parser.add_argument("--delay", type=float, default=1.0, help="seconds of each reply")
    given = parser.parse_args()
    print("| question | before | calls | rounds | answer | now | calls | rounds | answer |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        video = Path(scratch) / "world.mp4"
        draw(make_world(given.length, 0), video)
        trees = (given.against.resolve(), _HERE)
        caches = [Path(scratch) / name for name in ("before", "now")]
        for tree, cache in zip(trees, caches, strict=True):
            env = {**os.environ, "PYTHONPATH": str(tree), "VIDAGENT_CACHE_DIR": str(cache)}
            command = [sys.executable, "-m", "vidagent", "index", str(video)]
            subprocess.run(command, env=env, cwd=tree, capture_output=True, check=True)
        for kind in given.kind or _KINDS:
            cells = [
                _ask(tree, video, kind, given.length, given.delay, cache)
                for tree, cache in zip(trees, caches, strict=True)
            ]
            print("| " + " | ".join((kind, *cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
