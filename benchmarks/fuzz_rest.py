"""Ask a server what its OpenAPI document allows and forbids, by schemathesis with all its checks.

`python -m benchmarks.fuzz_rest [--examples 150] [--seed 5]` from the repository root. The server has keys and a
scripted VLM, both on the loopback. Ends with 1 where a check fails: a 5xx, an undocumented status or content type, a
body that is not as documented, wrong data taken, right data refused, a route open without its key.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.rest_server import Served, machine, new_key, served, vlm

__all__ = ["fuzz"]

CONFIG = """\
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 422]
"""
"""Names of videos, files, jobs and runs are texts in the document, and few of the texts name any."""


def fuzz(server: Served, key: str, examples: int, seed: int, phases: str, most_s: int) -> tuple[int, str]:
    """Run schemathesis; return its exit code and what it printed."""
    config = server.folder / "schemathesis.toml"
    config.write_text(CONFIG)
    words = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run"]
    words += [
        f"{server.url}/openapi.json",
        "--checks",
        "all",
        "--max-examples",
        str(examples),
        "--seed",
        str(seed),
    ]
    words += ["--generation-deterministic", "--phases", phases, "--no-color", "--request-timeout", "60"]
    words += ["--continue-on-failure", "--suppress-health-check", "all", "-H", f"Authorization: Bearer {key}"]
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=server.folder
    )
    return done.returncode, done.stdout


def cases(printed: str) -> int:
    """Return how many cases schemathesis says it ran."""
    return sum(int(number) for number in re.findall(r"(\d+) generated", printed))


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=150, help="of each operation and phase")
    parser.add_argument("--seconds", type=int, default=3600, help="most seconds of it all")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    args = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        key = new_key(Path(folder), "fuzz")
        with (
            vlm(0.0) as model,
            served(Path(folder), model, "--max-running", "64", "--max-per-client", "64") as server,
        ):
            code, printed = fuzz(server, key, args.examples, args.seed, args.phases, args.seconds)
        print(printed)
        log = (Path(folder) / "serve.log").read_text()
    print(f"{cases(printed)} cases; {log.count('Traceback')} tracebacks in the server's log")
    return code


if __name__ == "__main__":
    sys.exit(main())
