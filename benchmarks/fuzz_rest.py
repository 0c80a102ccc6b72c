"""Ask a server what its OpenAPI document allows and forbids, by schemathesis with all its checks.

`python -m benchmarks.fuzz_rest [--examples 150] [--seed 5]` from the repository root. The server has keys and a
scripted VLM, both on the loopback. Ends with 1 where a check fails: a 5xx, an undocumented status or content type, a
body that is not as documented, wrong data taken, right data refused, a route open without its key.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.rest_server import machine, new_key, served, vlm
from tests.serve.rest.fuzzing import Fuzzed, fuzzed


def told(found: Fuzzed, tracebacks: int, took_s: float) -> None:
    """Print the table: requests of each operation by the first digit of their status."""
    print(f"{'operation':44}{'cases':>7}{'2xx':>7}{'4xx':>7}{'5xx':>6}{'none':>6}")
    for operation, statuses in found.statuses.items():
        by_digit = [sum(n for status, n in statuses.items() if status // 100 == d) for d in (2, 4, 5, 0)]
        two, four, five, none = by_digit
        print(f"{operation:44}{statuses.total():7}{two:7}{four:7}{five:6}{none:6}")
    print(f"{found.cases} cases in {took_s:.0f} s; {tracebacks} tracebacks in the server's log")


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=150, help="of each operation and phase")
    parser.add_argument("--seconds", type=int, default=3600, help="most seconds of it all")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    args = parser.parse_args()
    print(f"{machine()}, schemathesis {version('schemathesis')}", flush=True)
    flags = ("--max-examples", str(args.examples), "--seed", str(args.seed), "--phases", args.phases)
    flags += ("--max-time", str(args.seconds))
    with tempfile.TemporaryDirectory() as folder:
        key = new_key(Path(folder), "fuzz")
        with (
            vlm(0.0) as model,
            served(Path(folder), model, "--max-running", "64", "--max-per-client", "64") as server,
        ):
            began = time.monotonic()
            found = fuzzed(server.url, key, server.folder, *flags)
            took_s = time.monotonic() - began
        tracebacks = (Path(folder) / "serve.log").read_text().count("Traceback")
    print(found.printed)
    told(found, tracebacks, took_s)
    return found.code or bool(tracebacks)


if __name__ == "__main__":
    sys.exit(main())
