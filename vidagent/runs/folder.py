"""The folders of runs, kept for a week: pictures, a checkpoint, and the record of what was asked, done and answered."""

from __future__ import annotations

import json
import logging
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vidagent.errors import UsageError

LAST = "last"
"""What may be said instead of the name of the newest run."""

_KEPT_S = 7 * 24 * 3600
_NAMED = 3
_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """Where one run is kept.

    Args:
        run_id: Its name.
        folder: Its folder.
    """

    run_id: str
    folder: Path

    @property
    def frames(self) -> Path:
        """Folder of the pictures."""
        return self.folder / "frames"

    @property
    def checkpoint(self) -> Path:
        """The sqlite file with the state after each step."""
        return self.folder / "checkpoint.sqlite"

    @property
    def trace(self) -> Path:
        """The file with one JSON line for each event and each request to the model."""
        return self.folder / "trace.jsonl"

    def part(self, number: int) -> Record:
        """Return the record of the run about one of several videos, counted from 1."""
        return Record(f"{self.run_id}.{number}", self.folder / "videos" / str(number))

    def read(self, name: str) -> dict[str, Any] | None:
        """Return one of the run's JSON objects, such as `run` or `answer`; None if it is not there, or damaged."""
        try:
            value = json.loads((self.folder / f"{name}.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Keep a JSON object, whole or not at all.

        Raises:
            OSError: If it cannot be written.
        """
        part = self.folder / f"{name}.json.part"
        text = json.dumps(value, ensure_ascii=False, indent=1)
        part.write_bytes(text.encode("utf-8", "backslashreplace"))  # a path may hold bytes that are no UTF-8
        part.replace(self.folder / f"{name}.json")


def new_record(cache: Path) -> Record:
    """Make the folder of a new run, and clear away those older than a week.

    Where the cache cannot be written, the run is kept in a temporary folder instead.
    """
    run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    runs = cache / "runs"
    try:
        (runs / run_id).mkdir(parents=True)
        _clear(runs)
    except OSError as error:
        folder = Path(tempfile.mkdtemp(prefix="vidagent-"))
        _log.warning("the run is kept in %s, as %s cannot be written: %s", folder, runs, error)
        return Record(run_id, folder)
    return Record(run_id, runs / run_id)


def is_run_id(text: str) -> bool:
    """Tell whether a text has the form of a run's name, and so is no path."""
    return _RUN_ID.fullmatch(text) is not None


def of_run(cache: Path, run_id: str) -> Record:
    """Return the record that a run has, as long as it is kept."""
    return Record(run_id, cache / "runs" / run_id)


def old_record(cache: Path, run_id: str) -> Record:
    """Find the folder of an earlier run, by its name or as the `last` one; `RUN.2` is that of its second video.

    Raises:
        UsageError: If there is no such run.
    """
    whole, _, number = run_id.partition(".")
    named = of_run(cache, whole) if _RUN_ID.fullmatch(whole) else None
    found = named if named is not None and named.checkpoint.is_file() else None
    if found is not None and number.isascii() and number.isdigit():
        found = found.part(int(number))
    elif number:
        found = None
    if found is not None and found.checkpoint.is_file():
        return found
    there = old_records(cache)
    if run_id == LAST and there:
        return there[0]
    newest = ", ".join(record.run_id for record in there[:_NAMED])
    more = f" and {len(there) - _NAMED} older" if len(there) > _NAMED else ""
    known = f"there are {newest}{more}" if there else "there is none"
    raise UsageError(f"there is no run {run_id!r}; {known} (runs are kept for a week in {cache / 'runs'})")


def old_records(cache: Path) -> list[Record]:
    """Return the runs that are kept, the newest first; those that stopped before their first step are passed over."""
    runs = cache / "runs"
    try:
        names = sorted((path.name for path in runs.iterdir() if _RUN_ID.fullmatch(path.name)), reverse=True)
    except OSError:
        return []
    records = [Record(name, runs / name) for name in names]
    kept = [record for record in records if record.checkpoint.is_file()]
    return sorted(kept, key=lambda record: (record.run_id[:15], _made_s(record)), reverse=True)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON lines file; a line that a kill cut off is passed over."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    value = json.loads(line)
                except ValueError:
                    continue
                if isinstance(value, dict):
                    yield value
    except FileNotFoundError:
        return


def _made_s(record: Record) -> float:
    """Return when a run began, for runs of the same second."""
    told = record.read("run") or {}
    began = told.get("began_s")
    return began if isinstance(began, float) else 0.0


def _clear(runs: Path) -> None:
    for folder in runs.iterdir():
        if _RUN_ID.fullmatch(folder.name) and time.time() - folder.stat().st_mtime > _KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)
