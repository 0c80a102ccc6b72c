"""A server asked what its OpenAPI document allows and forbids, by schemathesis with all its checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONFIG = """\
[checks]
enabled = true

[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429]

[checks.negative_data_rejection]
expected-statuses = ["4xx"]

[[operations]]
include-name = ["GET /v1/jobs/{id}", "GET /v1/jobs/{id}/events"]
checks.use_after_free.enabled = false
"""
"""Names of videos, files, jobs and runs are texts in the document, and few of the texts name any. Jobs that were made
go on, and in a long run there are at some time as many as a client may have. What is wrong may also be refused as too
large.

DELETE of a job cancels it, and it stays to be read; of whatever else, nothing may be there after it. `--checks` on the
command line would be stronger than what is said of an operation here.
"""
HOOKS = """\
import schemathesis

@schemathesis.hook
def map_body(context, body):
    asked = body
    if isinstance(body, dict) and isinstance(body.get("input"), dict):
        asked = body["input"]
    if isinstance(asked, dict) and isinstance(asked.get("video"), str) and len(asked["video"]) in range(1, 1000, 4):
        asked["video"] = "clip.mp4"
    return body
"""
"""Some of the questions are about a video that is there, so that there are answers to be checked; a name that is too
long stays so, as it is to be refused."""


@dataclass(frozen=True)
class Fuzzed:
    """What came of it.

    Args:
        code: How schemathesis ended; 0 where no check failed.
        printed: What it says.
        statuses: The statuses of the replies to the requests of each operation.
    """

    code: int
    printed: str
    statuses: dict[str, Counter[int]]

    @property
    def cases(self) -> int:
        return sum(found.total() for found in self.statuses.values())


def fuzzed(url: str, key: str, folder: Path, *flags: str, seconds: float | None = None) -> Fuzzed:
    """Run schemathesis on a server; the folder is for its notes."""
    config, events = folder / "schemathesis.toml", folder / "events.ndjson"
    config.write_text(CONFIG)
    hooks = folder / "fuzz_hooks.py"
    hooks.write_text(HOOKS)
    words = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run"]
    words += [f"{url}/openapi.json", "--generation-deterministic", "--no-color"]
    words += ["--max-response-time", "60", "--request-timeout", "60", "--continue-on-failure"]
    words += ["--suppress-health-check", "all"]
    words += ["--report", "ndjson", "--report-ndjson-path", str(events), "--warnings", "off"]
    words += ["-H", f"Authorization: Bearer {key}", *flags]
    done = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        timeout=seconds,
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(hooks)},
    )
    return Fuzzed(done.returncode, done.stdout, _statuses(events))


def _statuses(events: Path) -> dict[str, Counter[int]]:
    found: dict[str, Counter[int]] = {}
    for label, reply in _replies(events):
        found.setdefault(label, Counter())[reply] += 1
    return dict(sorted(found.items()))


def _replies(events: Path) -> Iterator[tuple[str, int]]:
    """Yield operation and status of every request; 0 where there was no reply."""
    with events.open() as lines:
        for line in lines:
            scenario = json.loads(line).get("ScenarioFinished")
            recorder = scenario["recorder"] if scenario else {}
            for case, made in recorder.get(
                "interactions", {}
            ).items():  # there is no key where there are none
                asked = recorder["cases"][case]["value"]
                status = (made["response"] or {"status_code": 0})["status_code"]
                yield f"{asked['method']} {asked['path']}", status
