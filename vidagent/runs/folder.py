"""Folders of runs, kept for a week: frames, the checkpoint, the trace, and JSON of the request and the answer."""

from __future__ import annotations

import errno
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
from vidagent.private_folder import make_private

LAST = "last"
"""Stands for the id of the newest run."""

_MAX_AGE_S = 7 * 24 * 3600
_MAX_NAMED = 3
_ROOM_BYTES = 16_000_000
"""A run with less room on its disk than this is likely to fill it."""
_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run."""

    run_id: str
    path: Path

    @property
    def frames(self) -> Path:
        """Folder of the frames."""
        return self.path / "frames"

    @property
    def checkpoint(self) -> Path:
        """SQLite file with the state after each step."""
        return self.path / "checkpoint.sqlite"

    @property
    def trace(self) -> Path:
        """File with one JSON line for each event and each request to the model."""
        return self.path / "trace.jsonl"

    def part(self, number: int) -> RunFolder:
        """Return the folder of the run about one of several videos, counted from 1."""
        return RunFolder(f"{self.run_id}.{number}", self.path / "videos" / str(number))

    def read(self, name: str) -> dict[str, Any] | None:
        """Return one of the run's JSON objects, such as `run` or `answer`; None if it is missing or damaged."""
        try:
            value = json.loads((self.path / f"{name}.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Write a JSON object atomically.

        Raises:
            OSError: If it cannot be written.
        """
        part = self.path / f"{name}.json.part"
        text = json.dumps(value, ensure_ascii=False, indent=1)
        part.write_bytes(text.encode("utf-8", "backslashreplace"))  # a path may hold bytes that are not UTF-8
        part.replace(self.path / f"{name}.json")


def new_run_folder(cache: Path) -> RunFolder:
    """Make the folder of a new run, and delete those older than a week.

    If the cache cannot be written or its disk is nearly full, the run gets a temporary folder instead.

    Raises:
        UsageError: If no folder can be made.
    """
    run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    runs = cache / "runs"
    try:
        make_private(runs)
        _clear(runs)
        _check_room(runs)
        (runs / run_id).mkdir(mode=0o700)
    except OSError as error:
        try:
            folder = Path(tempfile.mkdtemp(prefix="vidagent-"))
        except OSError as also:
            raise UsageError(
                f"a run can be kept neither in {runs} ({error}) nor in {also.filename} ({also})"
            ) from None
        _log.warning("the run is kept in %s, as %s cannot be written: %s", folder, runs, error)
        return RunFolder(run_id, folder)
    return RunFolder(run_id, runs / run_id)


def _check_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _ROOM_BYTES:
        raise OSError(
            errno.ENOSPC, f"{free / 1e6:.1f} MB are free there, and a run may take {_ROOM_BYTES / 1e6:.0f} MB"
        )


def is_run_id(text: str) -> bool:
    """Tell whether a text has the form of a run id, and so is safe in a path."""
    return _RUN_ID.fullmatch(text) is not None


def run_folder(cache: Path, run_id: str) -> RunFolder:
    """Return where the folder of a run is, while it exists."""
    return RunFolder(run_id, cache / "runs" / run_id)


def find_run_folder(cache: Path, run_id: str) -> RunFolder:
    """Find the folder of an earlier run by its id, or the `last` one; `RUN.2` is that of its second video.

    Raises:
        UsageError: If there is no such run.
    """
    whole, _, number = run_id.partition(".")
    named = run_folder(cache, whole) if _RUN_ID.fullmatch(whole) else None
    found = named if named is not None and named.checkpoint.is_file() else None
    if found is not None and number.isascii() and number.isdigit():
        found = found.part(int(number))
    elif number:
        found = None
    if found is not None and found.checkpoint.is_file():
        return found
    known = list_run_folders(cache)
    if run_id == LAST and known:
        return known[0]
    newest = ", ".join(folder.run_id for folder in known[:_MAX_NAMED])
    more = f" and {len(known) - _MAX_NAMED} older" if len(known) > _MAX_NAMED else ""
    choices = f"there are {newest}{more}" if known else "there is none"
    raise UsageError(f"there is no run {run_id!r}; {choices} (runs are kept for a week in {cache / 'runs'})")


def list_run_folders(cache: Path) -> list[RunFolder]:
    """Return the folders of all runs, newest first, without those that stopped before their first step."""
    runs = cache / "runs"
    try:
        names = sorted((path.name for path in runs.iterdir() if _RUN_ID.fullmatch(path.name)), reverse=True)
    except OSError:
        return []
    folders = [RunFolder(name, runs / name) for name in names]
    begun = [folder for folder in folders if folder.checkpoint.is_file()]
    return sorted(begun, key=lambda folder: (folder.run_id[:15], _began_s(folder)), reverse=True)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON lines file, without a line that a kill cut off."""
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


def _began_s(folder: RunFolder) -> float:
    """Return when a run began, which orders the runs of one second."""
    began = (folder.read("run") or {}).get("began_s")
    return began if isinstance(began, float) else 0.0


def _clear(runs: Path) -> None:
    for folder in runs.iterdir():
        if _RUN_ID.fullmatch(folder.name) and time.time() - folder.stat().st_mtime > _MAX_AGE_S:
            shutil.rmtree(folder, ignore_errors=True)
