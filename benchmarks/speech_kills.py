"""Kill what transcribes a video at random moments, start it again, and compare what it keeps with one left alone.

`python -m benchmarks.speech_kills [--kills 50] [--minutes 30] [--seed 6]` from the repository root: `vidagent index
--transcribe` of a talk with a word every four seconds, in pieces of five minutes that a scripted server answers in
0.05 to 0.3 s, ended by SIGKILL at a moment drawn from the time that it takes when left alone. It is then run to its
end on the same cache: the words and their times have to be those of the one left alone, none of them missing, double
or moved, and the pieces kept by then are not sent again.
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

from tests.media.speaking import WORDS, Listener, speak
from tests.scripted_server import Raw, ScriptedServer

PATH = "/v1/audio/transcriptions"
EVERY_S = 4.0
LONGEST_S = 300


class SlowListener(Listener):
    """Takes a while for each piece."""

    def __call__(self, form: tuple[str, bytes]) -> Raw | dict[str, Any]:
        """Transcribe a piece."""
        time.sleep(random.uniform(0.05, 0.3))
        return super().__call__(form)


def run(talk: Path, url: str, cache: Path, kill_s: float | None = None) -> dict[str, Any] | None:
    """Transcribe a talk; return its speech, or None if it was killed before its end."""
    command = [sys.executable, "-m", "vidagent", "index", str(talk), "--transcribe", "--json"]
    told = {
        "VIDAGENT_CACHE_DIR": str(cache),
        "VIDAGENT_TRANSCRIBE_URL": url,
        "VIDAGENT_TRANSCRIBE_MODEL": "whisper",
    }
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
    speech: dict[str, Any] = json.loads(said)["speech"]
    return speech


def main() -> int:
    """Print the row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=6)
    asked = parser.parse_args()
    draw, over, same, sent = random.Random(asked.seed), 0, 0, list[int]()
    with tempfile.TemporaryDirectory() as name, ScriptedServer((), routes={PATH: SlowListener()}) as server:
        folder = Path(name)
        count = int(asked.minutes * 60 / EVERY_S)
        words = [(1 + EVERY_S * n, WORDS[n % len(WORDS)]) for n in range(count)]
        talk = speak(folder / "talk.mp4", words, count * EVERY_S)
        began = time.monotonic()
        alone = run(talk, server.url, folder / "alone")
        took_s, pieces = time.monotonic() - began, len(server.asked)
        if alone is None:
            raise SystemExit(f"it takes more than {LONGEST_S} s when left alone")
        for number in range(asked.kills):
            before, cache = len(server.asked), folder / f"kill-{number}"
            over += run(talk, server.url, cache, draw.uniform(0, took_s)) is not None
            ended = run(talk, server.url, cache)
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
