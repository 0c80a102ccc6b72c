"""Least-recently-used eviction of cached videos; a video in use is never evicted.

Each video has a folder. Its modification time is the video's last use, and each user of the video holds a shared
lock on it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from vidagent.database import RebuildableDatabase
from vidagent.private_folder import make_private
from vidagent.text import counted

LOG = logging.getLogger(__name__)
_STEPS = 100
"""A writing process measures the cache again after adding 1/100 of the limit."""
_SPARE = 10
"""An eviction frees a further 1/10 of the limit, so that not every new video causes one."""
_TRIES = 100
_INCREMENTAL = 2
_ROWS = """
SELECT sha256, SUM(size) AS size FROM (
    SELECT sha256, LENGTH(value) AS size FROM entries UNION ALL SELECT sha256, LENGTH(text) FROM texts
) GROUP BY sha256
"""


class _CachedVideo(NamedTuple):
    used_s: float
    size: int


class Eviction:
    """Keeps a cache within its size limit.

    Args:
        folder: The cache.
        database: Its rows.
        most_bytes: Total size limit, or None.
    """

    def __init__(self, folder: Path, database: RebuildableDatabase, most_bytes: int | None) -> None:
        """Store the arguments; nothing is measured before the first entry is added."""
        self._folder, self._database, self._max_bytes = folder, database, most_bytes
        self._unmeasured = 0

    def folder_of(self, sha256: str) -> Path:
        """Return the folder of a video."""
        return self._folder / sha256[:2] / sha256

    def hold(self, sha256: str) -> Callable[[], None]:
        """Mark a video as used now, and protect it from eviction until the returned function is called.

        Raises:
            OSError: If its folder cannot be created.
        """
        folder = self.folder_of(sha256)
        for _ in range(_TRIES):
            handle = _lock_folder(folder)
            if handle is not None:
                os.utime(folder)
                return lambda: os.close(handle)
        raise OSError(f"{folder} is removed again and again")

    def add(self, size: int) -> None:
        """Count added bytes, and evict videos if the cache exceeds its limit.

        Raises:
            sqlite3.Error: If an intact database cannot be used.
            OSError: If the folder cannot be used.
        """
        if self._max_bytes is None:
            return
        self._unmeasured -= size
        if self._unmeasured < 0:
            self._unmeasured = self._max_bytes // _STEPS
            with (self._folder / "upkeep.lock").open("a") as lock, suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._trim(self._max_bytes)

    def videos(self) -> list[str]:
        """Return the content hashes of the videos that have a folder or rows.

        Raises:
            sqlite3.Error: If an intact database cannot be used.
        """
        if not self._folder.is_dir():
            return []
        return sorted(
            {sha256 for sha256, _ in self._videos()} | {row["sha256"] for row in self._database.rows(_ROWS)}
        )

    def clear(self) -> tuple[int, int]:
        """Drop all videos that are not in use; return how many were dropped, and how many kept.

        Raises:
            sqlite3.Error: If an intact database cannot be used.
            OSError: If the folder cannot be used.
        """
        known = self.videos()
        dropped = sum(self._drop(sha256) for sha256 in known)
        if dropped:
            self._database.write(_shrink)
        return dropped, len(known) - dropped

    def _trim(self, most: int) -> None:
        cached = dict(self._videos())
        excess = sum(video.size for video in cached.values()) + self._database_size() - most
        if excess <= 0:
            return
        excess, dropped = excess + most // _SPARE, 0
        rows = {row["sha256"]: int(row["size"]) for row in self._database.rows(_ROWS)}
        found = {sha256: cached.get(sha256, _CachedVideo(0, 0)) for sha256 in {*cached, *rows}}
        for sha256 in sorted(found, key=lambda sha256: found[sha256].used_s):
            if excess <= 0:
                break
            if self._drop(sha256):
                excess -= found[sha256].size + rows.get(sha256, 0)
                dropped += 1
        self._database.write(_shrink)
        LOG.info(
            "evicted the %s from the cache in %s", counted(dropped, "least recently used video"), self._folder
        )

    def _videos(self) -> Iterator[tuple[str, _CachedVideo]]:
        """Yield the videos that have a folder, with its last use and the size of its files."""
        for prefix in _entries(self._folder):
            if prefix.is_dir() and len(prefix.name) == 2:
                for video in _entries(prefix.path):
                    with suppress(FileNotFoundError):
                        used_s = video.stat().st_mtime
                        yield video.name, _CachedVideo(used_s, sum(map(_size, _entries(video.path))))

    def _database_size(self) -> int:
        """Return the bytes of the database and its write-ahead log."""
        names = {f"{self._database.path.name}{suffix}" for suffix in ("", "-wal")}
        return sum(_size(entry) for entry in _entries(self._folder) if entry.name in names)

    def _drop(self, sha256: str) -> bool:
        """Delete a video unless it is in use; return whether it is gone."""
        folder = self.folder_of(sha256)
        make_private(folder)
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._database.write(lambda db: _delete(db, sha256))
            for file in _entries(folder):
                Path(file.path).unlink(missing_ok=True)
            folder.rmdir()
        except BlockingIOError:
            return False
        finally:
            os.close(handle)
        return True


def _lock_folder(folder: Path) -> int | None:
    """Return a folder's handle with a shared lock, or None if it was evicted at that moment."""
    try:
        make_private(folder)
        handle = os.open(folder, os.O_RDONLY)
    except (FileNotFoundError, FileExistsError):  # the latter if it is removed during `mkdir`
        return None
    fcntl.flock(handle, fcntl.LOCK_SH)
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(handle), folder.stat()):
            return handle
    os.close(handle)
    return None


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _size(file: os.DirEntry[str]) -> int:
    """Return a file's size in bytes, or 0 if it has just been removed."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _delete(db: sqlite3.Connection, sha256: str) -> None:
    for table in ("entries", "texts"):
        db.execute(f"DELETE FROM {table} WHERE sha256 = ?", (sha256,))  # noqa: S608 - the names above


def _shrink(db: sqlite3.Connection) -> None:
    """Return freed pages to the disk; the first time, rewrite the database."""
    if db.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("VACUUM")
    db.executescript("PRAGMA incremental_vacuum")  # `execute` would stop after the first page
