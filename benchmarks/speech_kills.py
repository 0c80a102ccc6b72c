"""Kill what transcribes a video at random moments, start it again, and compare what it keeps with one left alone.

`python -m benchmarks.speech_kills [--kills 50] [--minutes 30] [--seed 6] [--model FOLDER]` from the repository root:
`vidagent transcript` of a talk, ended by SIGKILL at a moment drawn from the time that it takes when left alone. It is
then run to its end on the same cache: the words and their times have to be those of the one left alone, none of them
missing, double or moved, and what was kept by then is not heard again.

The talk has a word every four seconds, in pieces of five minutes that a scripted server answers in 0.05 to 0.3 s. With
`--model` espeak-ng speaks for almost two minutes of every ten, and a Whisper model in this process hears pieces of a
minute.
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
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.speech_words import SENTENCES
from tests.media import espeak
from tests.media.speaking import WORDS, Listener, film, speak
from tests.scripted_server import Raw, ScriptedServer
from vidagent import api

PATH = "/v1/audio/transcriptions"
EVERY_S = 4.0
LONGEST_S = 1800
EVERY_MINUTES = 10


class SlowListener(Listener):
    """Takes a while for each piece."""

    def __call__(self, form: tuple[str, bytes]) -> Raw | dict[str, Any]:
        """Transcribe a piece."""
        time.sleep(random.uniform(0.05, 0.3))
        return super().__call__(form)


def run(
    talk: Path, settings: dict[str, str], cache: Path, kill_s: float | None = None
) -> dict[str, Any] | None:
    """Transcribe a talk; return its speech, or None if it was killed before its end."""
    command = [sys.executable, "-m", "vidagent", "transcript", str(talk), "--json"]
    told = {**settings, "VIDAGENT_CACHE_DIR": str(cache)}
    with subprocess.Popen(
        command, env={**os.environ, **told}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            said, wrong = process.communicate(timeout=kill_s or LONGEST_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None
    if process.returncode:
        raise RuntimeError(f"ended with {process.returncode}: {wrong}")
    speech: dict[str, Any] = json.loads(said)
    return speech


def kept_s(talk: Path, model: Path, cache: Path) -> float:
    """Return how many seconds of a talk are transcribed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDAGENT_SPEECH_MODEL", str(model))
        patch.setenv("VIDAGENT_CACHE_DIR", str(cache))
        found = api.kept_transcript(talk)
    return 0.0 if found is None else found.done_s


def in_process(model: Path, minutes: float, kills: int, draw: random.Random) -> int:
    """Print a row for each kill of a model in this process; return the transcripts that differ."""
    settings, differ = {"VIDAGENT_SPEECH_MODEL": str(model)}, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        said = espeak.talk([f"{text.strip()}." for text in SENTENCES.split(".") if text.strip()])
        hiss = np.random.default_rng(5).normal(0, 1e-3, EVERY_MINUTES * 60 * said.rate).astype(np.float32)
        hiss[: len(said.samples)] += said.samples
        samples = np.resize(hiss, round(minutes * 60 * said.rate))
        talk = film(folder / "talk.mp4", samples, said.rate)
        began = time.monotonic()
        alone = run(talk, settings, folder / "alone")
        took_s = time.monotonic() - began
        if alone is None:
            raise SystemExit(f"it takes more than {LONGEST_S} s when left alone")
        print(
            "| minutes | s alone | killed after, s | kept by then, s of the talk | s of the rest | lines | same |"
        )
        print("|---|---|---|---|---|---|---|")
        for number in range(kills):
            cache, kill_s = folder / f"kill-{number}", draw.uniform(0, took_s)
            over = run(talk, settings, cache, kill_s) is not None
            kept = kept_s(talk, model, cache)
            began = time.monotonic()
            ended = run(talk, settings, cache)
            same = ended is not None and ended["lines"] == alone["lines"]
            differ += not same
            print(
                f"| {minutes:g} | {took_s:.0f} | {'over' if over else f'{kill_s:.0f}'} | {kept:.0f} "
                f"| {time.monotonic() - began:.0f} | {len(alone['lines'])} | {'yes' if same else 'no'} |",
                flush=True,
            )
    return differ


def main() -> int:
    """Print the row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--model", type=Path, default=None)
    asked = parser.parse_args()
    if asked.model is not None:
        return int(in_process(asked.model, asked.minutes, asked.kills, random.Random(asked.seed)) > 0)
    draw, over, same, sent = random.Random(asked.seed), 0, 0, list[int]()
    with tempfile.TemporaryDirectory() as name, ScriptedServer((), routes={PATH: SlowListener()}) as server:
        folder = Path(name)
        count = int(asked.minutes * 60 / EVERY_S)
        words = [(1 + EVERY_S * n, WORDS[n % len(WORDS)]) for n in range(count)]
        talk = speak(folder / "talk.mp4", words, count * EVERY_S)
        settings = {"VIDAGENT_TRANSCRIBE_URL": server.url, "VIDAGENT_TRANSCRIBE_MODEL": "whisper"}
        began = time.monotonic()
        alone = run(talk, settings, folder / "alone")
        took_s, pieces = time.monotonic() - began, len(server.asked)
        if alone is None:
            raise SystemExit(f"it takes more than {LONGEST_S} s when left alone")
        for number in range(asked.kills):
            before, cache = len(server.asked), folder / f"kill-{number}"
            over += run(talk, settings, cache, draw.uniform(0, took_s)) is not None
            ended = run(talk, settings, cache)
            same += ended is not None and ended["lines"] == alone["lines"]
            sent.append(len(server.asked) - before)
            print(f"{number + 1} killed, {sent[-1]} pieces sent for {pieces}", file=sys.stderr)
    print("| killed | over by then | lines | same lines | pieces | pieces sent, both parts, most |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {asked.kills - over} | {over} | {len(alone['lines'])} | {same} | {pieces} | {max(sent, default=0)} |"
    )
    return int(same != asked.kills)


if __name__ == "__main__":
    sys.exit(main())
