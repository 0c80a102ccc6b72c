"""The folder of a run: its pictures and its checkpoint, kept for a week so that it can be resumed."""

from __future__ import annotations

import logging
import re
import secrets
import shutil
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vidagent.errors import UsageError

__all__ = ["Record", "new_record", "old_record"]

_KEPT_S = 7 * 24 * 3600
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


def old_record(cache: Path, run_id: str) -> Record:
    """Find the folder of an earlier run.

    Raises:
        UsageError: If there is no such run.
    """
    record = Record(run_id, cache / "runs" / run_id)
    if not _RUN_ID.fullmatch(run_id) or not record.checkpoint.is_file():
        raise UsageError(
            f"there is no run {run_id!r} to resume; runs are kept for a week in {cache / 'runs'}"
        )
    return record


def _clear(runs: Path) -> None:
    for folder in runs.iterdir():
        if _RUN_ID.fullmatch(folder.name) and time.time() - folder.stat().st_mtime > _KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)
