"""Kill runs at random moments, go on with them, and compare each answer with that of a run left alone.

`python -m benchmarks.kills [--kills 50] [--model scripted|signals] [--door command|library] [--seed 6]` from the
repository root. Each run is a process of its own over a clip of 8 s, ended by SIGKILL at a moment drawn from the time
between a run's first sign on disk and its answer. `scripted` is a server on the loopback that asks for one look, then
three side by side, and takes 0.02 to 0.2 s for a reply. What was done twice is read from the runs' traces: a step that
was kept and then began again. `library` asks by `analyze_video` in a program, instead of by `vidagent ask`; what
transcribes speech is killed by `benchmarks.speech_kills`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.graphs.scripts import answer, clip_look, observation
from tests.media.make import CLIPS
from tests.scripted_server import ScriptedServer, calls, labelled_images, routes, says, step_of
from vidagent.runs.folder import RunFolder, list_run_folders, read_lines

QUESTIONS = {"scripted": "When is it seen?", "signals": "How many shots are there?"}
TURNS = [[clip_look(1, 3)], [clip_look(0, 2), clip_look(2, 4), clip_look(4, 6)], [answer()]]
LONGEST_S = 120
VARIES = ("run_id", "usage")
PROGRAM = """
import json, sys
from vidagent import analyze_video
video, question, model, url, run = sys.argv[1:]
answer = analyze_video(video, question, model=model, base_url=url or None, resume=run or None)
print(json.dumps(answer.to_dict()))
"""
"""Asks by the library."""


@dataclass(frozen=True)
class Kill:
    """What became of one killed run.

    Args:
        at_s: Seconds after its first sign at which it was killed.
        kept: Steps that were done and kept by then.
        requests: Requests to the model, of both parts.
        again: Lines of the trace of steps that were kept before.
        same: Whether the answer is that of a run left alone.
        replayed: Whether a replay gives it again, byte for byte.
    """

    at_s: float
    kept: int
    requests: int
    again: int
    same: bool
    replayed: bool


def script(body: dict[str, Any]) -> dict[str, Any]:
    """Reply by what the request holds alone, so that a killed run meets the same model again."""
    draw = random.Random(json.dumps(body, sort_keys=True))
    time.sleep(draw.uniform(0.02, 0.2))
    step = step_of(body)
    if step == "route":
        return routes("locate")
    if step == "plan":
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        return calls(*TURNS[min(turn, len(TURNS) - 1)])
    if step == "look":
        return says(observation(times=[labelled_images(body)[0][0]]))
    if step == "verify":
        return says('{"why": "because", "verdict": "supported", "confidence": 0.8}')
    return says('{"answer": "Composed from the claims.", "choice": null, "confidence": 0.9}')


class Bench:
    """Asks one question of one clip in processes of their own.

    Args:
        clip: The clip.
        model: `scripted` or `signals`.
        url: The server's base URL, for `scripted`.
        folder: A folder for the caches.
        door: `command` or `library`.
    """

    def __init__(self, clip: Path, model: str, url: str | None, folder: Path, door: str) -> None:
        """Remember what to ask."""
        self._asked, self._door = (str(clip), QUESTIONS[model], model, url), door
        self._folder = folder
        (folder / "few.toml").write_text("frames_per_call = 6\noverview_frames = 9\n")
        self._profile = {} if url is None else {"VIDAGENT_PROFILE": str(folder / "few.toml")}

    def alone(self, cache: str) -> tuple[dict[str, Any], float]:
        """Leave a run alone; return its answer and the seconds from its first sign to its end."""
        with self._process(cache, self._question()) as process:
            self._begun(cache, process)
            began = time.monotonic()
            said, _ = process.communicate(timeout=LONGEST_S)
        told: dict[str, Any] = json.loads(said)
        return told, time.monotonic() - began

    def _begun(self, cache: str, process: subprocess.Popen[str]) -> None:
        """Wait for the first sign of a run."""
        while process.poll() is None and not any((self._folder / cache).glob("runs/*")):
            time.sleep(0.005)

    def kill(self, cache: str, at_s: float, usual: dict[str, Any]) -> Kill | None:
        """Kill a run and go on with it; None if it had kept nothing, or was over, by then."""
        with self._process(cache, self._question()) as process:
            self._begun(cache, process)
            try:
                process.wait(at_s)
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate()
        records = list_run_folders(self._folder / cache)
        if not records or process.returncode == 0:
            return None
        [record] = records
        kept = len(_kept(read_lines(record.trace)))
        resumed = json.loads(self._said(cache, self._question(record.run_id)))
        lines = list(read_lines(record.trace))
        return Kill(
            at_s=at_s,
            kept=kept,
            requests=sum(line["kind"] == "request" for line in lines),
            again=len(ran_again(lines)),
            same=essence(resumed, record) == usual,
            replayed=json.loads(self._said(cache, _command("runs", "replay", "--last"))) == resumed,
        )

    def _question(self, resume: str = "") -> list[str]:
        """Return the command that asks, or goes on with a run."""
        clip, question, model, url = self._asked
        if self._door == "library":
            return [sys.executable, "-c", PROGRAM, clip, question, model, url or "", resume]
        words = [] if url is None else ["--base-url", url]
        words += ["--resume", resume] if resume else []
        return _command("ask", clip, question, "--model", model, *words)

    def _said(self, cache: str, command: list[str]) -> str:
        with self._process(cache, command) as process:
            said, wrong = process.communicate(timeout=LONGEST_S)
        if process.returncode:
            raise RuntimeError(f"{command} ended with {process.returncode}: {wrong}")
        return said

    @contextmanager
    def _process(self, cache: str, command: list[str]) -> Iterator[subprocess.Popen[str]]:
        env = {**os.environ, **self._profile, "VIDAGENT_CACHE_DIR": str(self._folder / cache)}
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=env, text=True, stdout=pipe, stderr=pipe) as process:
            yield process


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "vidagent", *arguments, "--json", "-q"]


def essence(told: dict[str, Any], folder: RunFolder) -> dict[str, Any]:
    """Return an answer without what differs from run to run: ids, times and where frames lie."""
    text = json.dumps({name: value for name, value in told.items() if name not in VARIES})
    same: dict[str, Any] = json.loads(text.replace(str(folder.path), ""))
    return same


def ran_again(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines of steps that had been done and kept before."""
    kept: set[str] = set()
    again = []
    for line in lines:
        if line["task"] in kept and line["kind"] != "kept":
            again.append(line)
        if line["kind"] == "kept":
            kept.add(line["task"])
    return again


def _kept(lines: Iterable[dict[str, Any]]) -> set[str]:
    return {line["task"] for line in lines if line["kind"] == "kept"}


def run_kills(clip: Path, model: str, door: str, kills: int, seed: int) -> tuple[list[Kill], int]:
    """Kill so many runs; return what became of them, and how many were over or had kept nothing."""
    draw, done, missed = random.Random(seed), list[Kill](), 0
    with tempfile.TemporaryDirectory() as name, ScriptedServer(script, models=("scripted",)) as server:
        bench = Bench(clip, model, server.url if model == "scripted" else None, Path(name), door)
        first, took_s = bench.alone("alone")
        usual = essence(first, list_run_folders(Path(name) / "alone")[0])
        while len(done) < kills:
            at_s = draw.uniform(0, took_s)
            kill = bench.kill(f"kill-{len(done)}-{missed}", at_s, usual)
            if kill is None:
                missed += 1
            else:
                done.append(kill)
                print(kill, file=sys.stderr)
    return done, missed


def row(model: str, done: list[Kill], missed: int) -> str:
    """Return the table's row."""
    steps = sorted(kill.kept for kill in done)
    cells = [
        model,
        len(done),
        missed,
        f"{steps[0]} to {steps[-1]}, median {steps[len(steps) // 2]}",
        sum(kill.same for kill in done),
        sum(kill.again > 0 for kill in done),
        sum(kill.replayed for kill in done),
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--model", choices=sorted(QUESTIONS), default="scripted")
    parser.add_argument("--door", choices=("command", "library"), default="command")
    parser.add_argument("--seed", type=int, default=6)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        clip = CLIPS["h264"](Path(name)).path
        done, missed = run_kills(clip, asked.model, asked.door, asked.kills, asked.seed)
    print(
        "| model | killed | over, or nothing kept | steps kept by then | same answer | with a step run twice "
        "| replayed |\n|---|---|---|---|---|---|---|"
    )
    print(row(f"{asked.model}, {asked.door}", done, missed))


if __name__ == "__main__":
    main()
