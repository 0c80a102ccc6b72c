"""Ask real servers of several families for the first time, with nothing but the base URL: each run must end typed.

`python -m benchmarks.first_runs` from the repository root, after `make test-vllm` has installed vLLM and llama.cpp's
server and made their tiny models. These have random weights: they babble, think unless told not to where their family
does, and call no tool by themselves. Each question has a cache and settings of its own, so that nothing is known of the
server; servers run one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.typed_ends import End
from tests.live.server import Server
from tests.live.serving import GEMMA, GLM, NANO, QWEN_3_5, Kitchen
from tests.media.make import CLIPS

QUESTIONS = (
    "How many things move?",
    "When does the bar turn red?",
    "What is written in the picture?",
    "What happens first, the beep or the flash?",
)
SERVERS: dict[str, Callable[[Kitchen], AbstractContextManager[Server]]] = {
    "vLLM, Qwen3.5 shape, thinking on": lambda kitchen: kitchen.serve(QWEN_3_5),
    "vLLM, Gemma 4 shape": lambda kitchen: kitchen.serve(GEMMA),
    "vLLM, GLM-4.6V shape": lambda kitchen: kitchen.serve(GLM),
    "vLLM, Nemotron Nano VL v2 shape": lambda kitchen: kitchen.serve(NANO),
    "llama.cpp, LLaMA shape, thinking on": lambda kitchen: kitchen.serve_llama_cpp(),
}


def ask(number: int, video: Path, base_url: str, folder: Path) -> End:
    """Ask one of the questions as somebody would who has just installed vidagent.

    Args:
        number: The question's place.
        video: What it is about.
        base_url: The server.
        folder: An empty folder, for the cache and the settings.
    """
    command = [sys.executable, "-m", "vidagent", "ask", str(video), QUESTIONS[number], "--json", "-q"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIDAGENT_")}
    own = {"VIDAGENT_CACHE_DIR": str(folder / "cache"), "VIDAGENT_CONFIG_DIR": str(folder / "config")}
    done = subprocess.run(
        [*command, "--base-url", base_url],
        capture_output=True,
        text=True,
        check=False,
        env={**inherited, **own},
    )
    answer = json.loads(done.stdout) if done.stdout.strip() else None
    return End(number, "first", done.returncode, {}, answer, done.stderr)


def asked(name: str, number: int, video: Path, base_url: str, folder: Path) -> tuple[End, str]:
    """Ask one of the questions; return how it ended, and its row of the table."""
    began = time.monotonic()
    end = ask(number, video, base_url, folder)
    seconds = time.monotonic() - began
    usage = end.answer["usage"] if end.answer else {}
    said = end.answer["status"] if end.answer else end.said.strip()
    cells = [name, end.number + 1, end.code, said, usage.get("model_calls", ""), f"{seconds:.0f}", end.typed]
    return end, f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Start the servers in turn, and print a row for each question."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--environment", type=Path, default=Path(".venv-vllm"), help="with the servers and the models"
    )
    parser.add_argument("--server", default="", help="only those with this in their names")
    given = parser.parse_args()
    environment = given.environment.absolute()
    wanted = {name: serve for name, serve in SERVERS.items() if given.server.casefold() in name.casefold()}
    print("| server | question | exit | status | requests | seconds | typed |")
    print("|" + "---|" * 7)
    ends: list[End] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        video = CLIPS["h264"](folder).path
        for name, serve in wanted.items():
            with serve(Kitchen(environment, folder, folder)) as server:
                for number in range(len(QUESTIONS)):
                    end, line = asked(name, number, video, server.url, folder / str(len(ends)))
                    ends.append(end)
                    print(line, flush=True)
    print(f"\n{sum(end.typed for end in ends)} of {len(ends)} ended typed")


if __name__ == "__main__":
    main()
