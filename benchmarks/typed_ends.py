"""Put a question many times to a model with random weights: each run must end typed, inside its budgets.

    python -m benchmarks.typed_ends VIDEO --base-url http://127.0.0.1:8000/v1

Every run goes through `vidagent ask --json`, natively capped and in two phases in turn, with budgets that differ from
run to run. A typed end is exit code 0 or 5 with an answer that reads back, or 4 with one line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STEPS = (2, 4, 8)
THOUGHTS = (0, 16, 64, 300)
FRAMES = (20, 60, 200)
PROFILE = """
frames_per_call = 8
overview_frames = 8
frame_side_px = 256
crop_side_px = 256
context_tokens = 16384
frame_tokens = 64
tool_calls = "{calls}"
tool_choice = "required"
strict_tools = true
look_concurrency = 2

[completion_tokens]
plan = 1024
look = 512
verify = 512

[sampling]
temperature = 1.0

[thinking]
can = true
steps = ["plan", "verify"]
on_body = {{ chat_template_kwargs = {{ enable_thinking = true }} }}
off_body = {{ chat_template_kwargs = {{ enable_thinking = false }} }}
{field}

[thinking.tokens]
plan = 64
verify = 32
"""


@dataclass(frozen=True)
class End:
    """How one run ended."""

    number: int
    way: str
    code: int
    limits: dict[str, int]
    answer: dict[str, Any] | None
    said: str

    @property
    def typed(self) -> bool:
        """Whether it ended as the contract has it."""
        if "Traceback" in self.said or "internal error" in self.said:
            return False
        if self.code == 4:
            return self.said.count("\n") <= 1
        return self.code in {0, 5} and self.answer is not None and self.answer["status"] in STATUSES

    @property
    def kept(self) -> bool:
        """Whether no budget was exceeded by more than one."""
        if self.answer is None:
            return self.code == 4
        usage = self.answer["usage"]
        used = {
            "steps": usage["steps"],
            "thinking_tokens": usage["thinking_tokens"],
            "frames": usage["frames_sent"],
        }
        return all(used[name] <= limit + 1 for name, limit in self.limits.items())


STATUSES = frozenset({"answered", "not_found", "cannot_judge", "partial"})


def ask(number: int, video: str, base_url: str, folder: Path) -> End:
    """Ask once."""
    native = number % 2 == 0
    limits = {
        "steps": STEPS[number % len(STEPS)],
        "thinking_tokens": THOUGHTS[number % len(THOUGHTS)],
        "frames": FRAMES[number % len(FRAMES)],
    }
    profile = folder / f"{number}.toml"
    field = 'budget_field = "thinking_token_budget"' if native else ""
    profile.write_text(PROFILE.format(calls="native" if number % 4 < 2 else "schema", field=field))
    flags = [
        word for name, limit in limits.items() for word in (f"--budget-{name.replace('_', '-')}", str(limit))
    ]
    command = [sys.executable, "-m", "vidagent", "ask", video, "How many things move?", "--json", "-q"]
    environment = {
        **os.environ,
        "VIDAGENT_PROFILE": str(profile),
        "VIDAGENT_CACHE_DIR": str(folder / "cache"),
    }
    done = subprocess.run(
        [*command, "--base-url", base_url, *flags],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    answer = json.loads(done.stdout) if done.stdout.strip() else None
    return End(number, "native" if native else "two-phase", done.returncode, limits, answer, done.stderr)


def line(end: End) -> str:
    """Return one row of the table."""
    if end.answer is None:
        return f"| {end.number + 1} | {end.way} | {end.code} | {end.said.strip()[:80]} | | | | | {end.kept} |"
    usage, limits = end.answer["usage"], end.limits
    cells = [end.number + 1, end.way, end.code, end.answer["status"], usage["model_calls"]]
    cells += [
        f"{usage['steps']} of {limits['steps']}",
        f"{usage['thinking_tokens']} of {limits['thinking_tokens']}",
    ]
    cells += [f"{usage['frames_sent']} of {limits['frames']}", end.typed and end.kept]
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video")
    parser.add_argument("--base-url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--runs", type=int, default=20)
    given = parser.parse_args()
    print("| run | way | exit | status | requests | steps | thinking | frames | typed, inside its budgets |")
    print("|" + "---|" * 9)
    ends = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.runs):
            ends.append(ask(number, given.video, given.base_url, Path(folder)))
            print(line(ends[-1]), flush=True)
    print(
        f"\n{sum(end.typed and end.kept for end in ends)} of {len(ends)} ended typed and inside their budgets"
    )


if __name__ == "__main__":
    main()
