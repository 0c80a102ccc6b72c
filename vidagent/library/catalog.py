"""The sqlite file of a library: its folders, its videos and their state, their lines and their vectors.

One process at a time indexes, as it holds a lock (`indexing`); others may list, search, add and remove meanwhile.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from vidagent.database import DAMAGED, PersistentDatabase
from vidagent.errors import UsageError
from vidagent.library.contents import Contents, Depth, Line
from vidagent.library.vectors import VECTORS_SCHEMA, put_vectors
from vidagent.library.words import indexed
from vidagent.private_folder import make_private

State = Literal["indexed", "waiting", "failed", "gone"]
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS sources (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS left_out (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS broken_off (error TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS videos (
    id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, stamp TEXT NOT NULL, beside TEXT NOT NULL,
    due INTEGER NOT NULL DEFAULT 1, found INTEGER NOT NULL DEFAULT 0, error TEXT, sha256 TEXT, duration_s REAL,
    lines INTEGER NOT NULL DEFAULT 0, pictures INTEGER NOT NULL DEFAULT 0, depth TEXT NOT NULL DEFAULT '{{}}',
    started_s REAL, indexed_s REAL
);
CREATE TABLE IF NOT EXISTS lines (
    id INTEGER PRIMARY KEY, video INTEGER NOT NULL, kind TEXT NOT NULL, start_s REAL NOT NULL, end_s REAL NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS lines_of_video ON lines (video);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (text, tokenize = 'porter unicode61 remove_diacritics 2');
{VECTORS_SCHEMA}
"""
"""`left_out`: files removed from a folder that stays. `broken_off`: the error that ended the last indexing.
`due`: whether a video is to be read (again); `found`: whether its lines and vectors are those of the file as it was."""
FILE_NAME = "library.sqlite3"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Listed:
    """A video of the library.

    Args:
        path: The file.
        state: `indexed`; `waiting` to be read, for the first time or anew; `failed`; or `gone` from its place.
        duration_s: Its length, once known.
        lines: How many texts of it are kept.
        pictures: How many stretches of it are kept as vectors.
        error: Why it could not be read.
        texts_read: Share of what may be text on screen that was read; None if it was not looked for.
        findable: Whether searches find it.
    """

    path: Path
    state: State
    duration_s: float | None
    lines: int
    pictures: int
    error: str | None
    texts_read: float | None
    findable: bool

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "video": str(self.path),
            "state": self.state,
            "duration_s": self.duration_s,
            "lines": self.lines,
            "pictures": self.pictures,
            "texts_read": self.texts_read,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Due:
    """A video to be read."""

    id: int
    path: Path
    stamp: str


class Catalog:
    """The open file; a context manager.

    Args:
        folder: Its folder, created as needed.

    Raises:
        UsageError: If it cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        """Open the file, and create its tables as needed."""
        self.folder = folder
        with readable(folder):
            make_private(folder)
            self.database = PersistentDatabase(folder / FILE_NAME, SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    @contextmanager
    def indexing(self) -> Iterator[bool]:
        """Hold the lock of the one process that indexes; yield False if another one does."""
        with (self.folder / "indexing.lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            self.database.change("UPDATE videos SET started_s = NULL")
            self.database.change("DELETE FROM broken_off")
            yield True

    @contextmanager
    def error_kept(self) -> Iterator[None]:
        """Note an error that ends the block, as nobody may look at the process that indexes."""
        try:
            yield
        except Exception as error:
            with suppress(sqlite3.Error):
                self.database.change("INSERT INTO broken_off VALUES (?)", str(error) or type(error).__name__)
            raise

    def broken_off(self) -> str | None:
        """Return the error that ended the last indexing, or None."""
        row = self.database.row("SELECT error FROM broken_off ORDER BY rowid DESC LIMIT 1")
        return row["error"] if row else None

    def indexer(self) -> int | None:
        """Return the id of the process that indexes, or None."""
        try:
            with (self.folder / "indexing.lock").open() as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(lock.read() or 0) or None
        except (OSError, ValueError):
            return None
        return None

    def sources(self) -> list[Path]:
        """Return the folders and files that were added."""
        rows = self.database.rows("SELECT path FROM sources ORDER BY path")
        return [Path(os.fsdecode(row["path"])) for row in rows]

    def add_source(self, path: Path) -> None:
        """Remember a folder or file, whose videos are looked for at each `add`, also those removed before."""
        with self.database.transaction():
            self.database.change("INSERT OR IGNORE INTO sources VALUES (?)", os.fsencode(path))
            for one in self.left_out():
                if one.is_relative_to(path):
                    self.database.change("DELETE FROM left_out WHERE path = ?", os.fsencode(one))

    def left_out(self) -> set[Path]:
        """Return the files that were removed from a folder that stays in the library."""
        return {Path(os.fsdecode(row["path"])) for row in self.database.rows("SELECT path FROM left_out")}

    def due(self, most: int, besides: Sequence[int] = ()) -> list[Due]:
        """Return videos to be read, those never tried first, except for some by their ids."""
        marks = ",".join("?" * len(besides))
        rows = self.database.rows(
            f"SELECT id, path, stamp FROM videos WHERE due AND error IS NULL AND id NOT IN ({marks}) "  # noqa: S608 - marks only
            "ORDER BY found, id LIMIT ?",
            *besides,
            most,
        )
        return [Due(row["id"], Path(os.fsdecode(row["path"])), row["stamp"]) for row in rows]

    def due_count(self) -> int:
        """Return how many videos are to be read."""
        row = self.database.row("SELECT count(*) FROM videos WHERE due AND error IS NULL")
        return row[0] if row else 0

    def reading(self) -> list[Path]:
        """Return the videos that are being read, if a process reads any."""
        if self.indexer() is None:
            return []
        rows = self.database.rows("SELECT path FROM videos WHERE started_s IS NOT NULL ORDER BY started_s")
        return [Path(os.fsdecode(row["path"])) for row in rows]

    def begin(self, due: Due) -> None:
        """Note that a video is being read."""
        self.database.change("UPDATE videos SET started_s = ? WHERE id = ?", time.time(), due.id)

    def fail(self, due: Due, error: str) -> None:
        """Note that a video cannot be read, unless it has changed since; what was found in it before stays found."""
        self.database.change(
            "UPDATE videos SET error = ?, started_s = NULL WHERE id = ? AND stamp = ?",
            error,
            due.id,
            due.stamp,
        )

    def store(self, due: Due, contents: Contents, depth: Depth) -> None:
        """Replace what is kept of a video, unless it was removed or has changed since it was given out."""
        if file_stamp(due.path) != due.stamp:
            self.fail(due, "the file changed while it was read; add it again")
            return
        with self.database.transaction():
            row = self.database.row("SELECT stamp FROM videos WHERE id = ?", due.id)
            if row is None or row["stamp"] != due.stamp:
                return
            self._forget(due.id)
            self._put_lines(due.id, contents.lines)
            put_vectors(self.database, due.id, contents)
            kept = {
                "texts": contents.texts_read,
                "spoken": contents.spoken,
                "model": contents.model,
                "asked": [depth.texts, depth.transcribe],
            }
            self.database.change(
                "UPDATE videos SET due = 0, found = 1, error = NULL, started_s = NULL, sha256 = ?, duration_s = ?, "
                "lines = ?, pictures = ?, depth = ?, indexed_s = ? WHERE id = ?",
                contents.sha256,
                contents.duration_s,
                sum(line.kind != "name" for line in contents.lines),
                len(contents.pictures),
                json.dumps(kept),
                time.time(),
                due.id,
            )

    def remove_below(self, paths: Sequence[Path], *, gone: bool) -> list[Path]:
        """Remove files and the videos of folders, and those that are gone if that is asked for; return them.

        Raises:
            UsageError: If nothing of a path is in the library; then nothing is removed.
        """
        videos = {
            Path(os.fsdecode(row["path"])): row["id"]
            for row in self.database.rows("SELECT id, path FROM videos")
        }
        sources, chosen = self.sources(), [one for one in videos if gone and not one.is_file()]
        for path in paths:
            below = [one for one in videos if one.is_relative_to(path)]
            if not below and path not in sources:
                raise UsageError(f"{path} is not in the library; `vidagent library list` lists what is")
            chosen += below
        with self.database.transaction():
            for source in sources:
                if any(source.is_relative_to(path) for path in paths):
                    self.database.change("DELETE FROM sources WHERE path = ?", os.fsencode(source))
            for one in chosen:
                self._forget(videos[one])
                self.database.change("DELETE FROM videos WHERE id = ?", videos[one])
                if one.is_file():
                    self.database.change("INSERT OR IGNORE INTO left_out VALUES (?)", os.fsencode(one))
        return sorted(set(chosen))

    def _put_lines(self, video: int, lines: Sequence[Line]) -> None:
        newest = self.database.row("SELECT coalesce(max(id), 0) FROM lines")
        first = newest[0] + 1 if newest else 1
        rows = [
            (first + number, video, line.kind, line.start_s, line.end_s, _storable(line.text))
            for number, line in enumerate(lines)
        ]
        words = [(row[0], indexed(row[5])) for row in rows]
        self.database.write(lambda db: db.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)", rows))
        self.database.write(lambda db: db.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", words))

    def _forget(self, video: int) -> None:
        self.database.change("DELETE FROM words WHERE rowid IN (SELECT id FROM lines WHERE video = ?)", video)
        self.database.change("DELETE FROM lines WHERE video = ?", video)
        self.database.change("DELETE FROM vectors WHERE video = ?", video)

    def listed(self) -> list[Listed]:
        """Return all videos, by path."""
        return [_listed(row) for row in self.database.rows("SELECT * FROM videos ORDER BY path")]


def _listed(row: sqlite3.Row) -> Listed:
    path = Path(os.fsdecode(row["path"]))
    state: State = "failed" if row["error"] is not None else "waiting" if row["due"] else "indexed"
    return Listed(
        path=path,
        state=state if path.is_file() else "gone",
        duration_s=row["duration_s"],
        lines=row["lines"],
        pictures=row["pictures"],
        error=row["error"],
        texts_read=json.loads(row["depth"]).get("texts"),
        findable=bool(row["found"]),
    )


def file_stamp(path: Path) -> str:
    """Return what tells whether a file is the same: its size and the time of its last change; empty if it is gone."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def beside_stamp(sidecars: Iterable[Path]) -> str:
    """Return the same of the subtitle files beside a video."""
    return "; ".join(f"{_storable(one.name)} {file_stamp(one)}" for one in sidecars)


def _storable(text: str) -> str:
    """Return a text that sqlite stores: without the halves of characters that names of files may hold."""
    return text.encode("utf-8", "replace").decode()


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Raise a `UsageError` where the file of a library cannot be used."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise UsageError(f"the library in {folder} cannot be used: {error}; {_way_out(error)}") from error


def _way_out(error: sqlite3.Error | OSError) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR} or getattr(error, "errno", None) in _FULL:
        return "its disk may be full: make room, and run the command again, which goes on with what is left"
    if code == sqlite3.SQLITE_BUSY:
        return "another process writes to it: try again"
    if code in DAMAGED:
        return (
            f"if its file is damaged, move {FILE_NAME} away and add the folders again: what is cached of the videos is "
            "used again"
        )
    return "its folder must be writable; VIDAGENT_CACHE_DIR names another one"
