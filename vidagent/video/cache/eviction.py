"""How large the cache may be: the videos least recently used go first, and none that is in use.

Each video has a folder. Its time of change says when the video was last used, and who uses the video holds a shared
lock on it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from vidagent.video.cache.database import Database

LOG = logging.getLogger(__name__)
_STEPS = 100
"""What has come since the cache was measured is at most this part of the limit, in each process that writes."""
_SPARE = 10
"""This part of the limit is made free at once, so that it need not be done with every video."""
_TRIES = 100
_INCREMENTAL = 2
_ROWS = """
SELECT sha256, SUM(size) FROM (
    SELECT sha256, LENGTH(value) AS size FROM entries UNION ALL SELECT sha256, LENGTH(text) FROM texts
) GROUP BY sha256
"""


class _Kept(NamedTuple):
    used_s: float
    size: int


class Upkeep:
    """Keeps a cache within its limit.

    Args:
        folder: The cache.
        database: Its small things.
        most_bytes: What all of it may take; None is without limit.
    """

    def __init__(self, folder: Path, database: Database, most_bytes: int | None) -> None:
        """Measure nothing before the first thing is kept."""
        self._folder, self._database, self._most = folder, database, most_bytes
        self._unmeasured = 0

    def folder_of(self, sha256: str) -> Path:
        """Return the folder of a video."""
        return self._folder / sha256[:2] / sha256

    def hold(self, sha256: str) -> Callable[[], None]:
        """Keep a video from being dropped until what this returns is called; it counts as used now.

        Raises:
            OSError: If its folder cannot be made.
        """
        folder = self.folder_of(sha256)
        for _ in range(_TRIES):
            handle = _locked(folder)
            if handle is not None:
                os.utime(folder)
                return lambda: os.close(handle)
        raise OSError(f"{folder} goes away again and again")

    def grown(self, size: int) -> None:
        """Take note of so many bytes that have been kept, and drop others where there are too many.

        Raises:
            sqlite3.Error: If the database cannot be used, though it is whole.
            OSError: If the folder cannot be used.
        """
        if self._most is None:
            return
        self._unmeasured -= size
        if self._unmeasured < 0:
            self._unmeasured = self._most // _STEPS
            with self._alone() as alone:
                if alone:
                    self._trim(self._most)

    def _trim(self, most: int) -> None:
        kept = dict(self._measured())
        excess = sum(size for _, size in kept.values()) + self._database_size() - most
        if excess <= 0:
            return
        excess, dropped = excess + most // _SPARE, 0
        rows = dict(self._database.read(lambda db: db.execute(_ROWS).fetchall()) or ())
        for sha256 in sorted({*kept, *rows}, key=lambda sha256: kept[sha256].used_s if sha256 in kept else 0):
            if excess <= 0:
                break
            if self._drop(sha256):
                excess -= (kept[sha256].size if sha256 in kept else 0) + rows.get(sha256, 0)
                dropped += 1
        self._database.change(_shrink)
        LOG.info("%d videos least recently used are dropped from the cache in %s", dropped, self._folder)

    def _measured(self) -> Iterator[tuple[str, _Kept]]:
        """Yield the videos that have a folder, with what is in it."""
        for shelf in _entries(self._folder):
            if shelf.is_dir() and len(shelf.name) == 2:
                for video in _entries(shelf.path):
                    with suppress(FileNotFoundError):
                        used_s = video.stat().st_mtime
                        yield video.name, _Kept(used_s, sum(map(_size, _entries(video.path))))

    def _database_size(self) -> int:
        """Return the bytes of the database and its write-ahead log."""
        names = {f"{self._database.path.name}{suffix}" for suffix in ("", "-wal")}
        return sum(_size(entry) for entry in _entries(self._folder) if entry.name in names)

    def _drop(self, sha256: str) -> bool:
        """Drop a video unless it is in use; return whether it is gone."""
        folder = self.folder_of(sha256)
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._database.change(lambda db: _delete(db, sha256))
            for file in _entries(folder):
                Path(file.path).unlink(missing_ok=True)
            folder.rmdir()
        except BlockingIOError:
            return False
        finally:
            os.close(handle)
        return True

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Say whether nobody else is at it, for as long as the block runs."""
        with (self._folder / "upkeep.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


def _locked(folder: Path) -> int | None:
    """Return a handle on a folder, with a shared lock; None if it was dropped at that moment."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except (FileNotFoundError, FileExistsError):  # the latter, too, where it goes amid `mkdir`
        return None
    fcntl.flock(handle, fcntl.LOCK_SH)
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(handle), folder.stat()):
            return handle
    os.close(handle)
    return None


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as there:
        return list(there)


def _size(file: os.DirEntry[str]) -> int:
    """Return a file's bytes; of one that has just gone, 0."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _delete(db: sqlite3.Connection, sha256: str) -> None:
    for table in ("entries", "texts"):
        db.execute(f"DELETE FROM {table} WHERE sha256 = ?", (sha256,))  # noqa: S608 - the names above


def _shrink(db: sqlite3.Connection) -> None:
    """Give back to the disk what rows have left; the first time by writing the file anew."""
    if db.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("VACUUM")
    db.executescript("PRAGMA incremental_vacuum")  # which `execute` would leave after the first page
