"""Sessions: successive questions about one video, stored in sqlite until deleted."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from vidagent.database import RebuildableDatabase
from vidagent.errors import UsageError
from vidagent.private_folder import make_private
from vidagent.types import VideoInfo

T = TypeVar("T")
MOST_CHARACTERS = 64
_NAME = re.compile(rf"[A-Za-z0-9._-]{{1,{MOST_CHARACTERS}}}")
_MAX_LISTED = 3
_SCHEMA = """
CREATE TABLE sessions (
    name TEXT NOT NULL PRIMARY KEY, video_sha256 TEXT NOT NULL, video_path TEXT NOT NULL,
    began_s REAL NOT NULL, used_s REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE turns (
    session TEXT NOT NULL, number INTEGER NOT NULL, run_id TEXT NOT NULL, asked_s REAL NOT NULL,
    question TEXT NOT NULL, meant TEXT NOT NULL, options TEXT NOT NULL, answer TEXT NOT NULL,
    PRIMARY KEY (session, number), UNIQUE (session, run_id)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a session and its answer.

    Args:
        run_id: The run that answered it.
        asked_s: Time of the question, in seconds since 1970.
        question: The question as the user wrote it.
        meant: The question rewritten to stand alone.
        options: Answer options, or None.
        answer: The answer's JSON object.
    """

    run_id: str
    asked_s: float
    question: str
    meant: str
    options: tuple[str, ...] | None
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Session:
    """Questions about one video, oldest first.

    Args:
        name: The session's name.
        video_sha256: SHA-256 of the video's content.
        video_path: Path of the video at the last question.
        began_s: Start time, in seconds since 1970.
        used_s: Time of the last answer.
        turns: The questions; at least one.
    """

    name: str
    video_sha256: str
    video_path: str
    began_s: float
    used_s: float
    turns: tuple[Asked, ...]

    def check_video(self, info: VideoInfo) -> None:
        """Check that a video is the session's.

        Raises:
            UsageError: If its SHA-256 differs.
        """
        if info.sha256 != self.video_sha256:
            raise UsageError(
                f"session {self.name!r} is about {self.video_path} (sha256 {self.video_sha256[:12]}…), "
                f"not about {info.path} (sha256 {info.sha256[:12]}…); another video needs a session of its own"
            )


class Sessions:
    """The sessions in a cache folder; several processes may use them at once."""

    def __init__(self, cache: Path) -> None:
        """Store the folder; nothing is created before the first answer."""
        self._folder = cache / "sessions"
        self._database = RebuildableDatabase(self._folder / "sessions.sqlite3", _SCHEMA)

    def all(self) -> list[Session]:
        """Return all sessions, most recently used first.

        Raises:
            UsageError: If they cannot be read.
        """

        def sessions(db: sqlite3.Connection) -> list[Session]:
            names = db.execute("SELECT name FROM sessions ORDER BY used_s DESC").fetchall()
            return [session for (name,) in names if (session := _load_session(db, name)) is not None]

        return self._read(sessions) or []

    def find(self, name: str) -> Session | None:
        """Return a session, or None if it has no answer yet.

        Raises:
            UsageError: If the name is invalid, or the sessions cannot be read.
        """
        check_name(name)
        return self._read(lambda db: _load_session(db, name))

    def get(self, name: str) -> Session:
        """Return an existing session.

        Raises:
            UsageError: If it does not exist.
        """
        found = self.find(name)
        if found is not None:
            return found
        names = [session.name for session in self.all()]
        more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
        known = f"there are {', '.join(names[:_MAX_LISTED])}{more}" if names else "there is none"
        raise UsageError(f"there is no session {name!r}; {known}")

    def enter(self, name: str, info: VideoInfo, asked: Asked) -> None:
        """Store an answer as a session's last turn, or replace the earlier answer of the same run.

        Raises:
            sqlite3.Error: If it cannot be stored.
            OSError: If the folder cannot be used.
        """
        now, path = time.time(), str(Path(info.path).absolute())
        self._database.write(lambda db: _insert_turn(db, (name, info.sha256, path, now, now), asked))

    def delete(self, name: str) -> None:
        """Delete a session; its runs stay until they expire.

        Raises:
            UsageError: If it does not exist, or a question is being answered in it.
        """
        with self.held(name):
            self.get(name)
            self._database.write(lambda db: _delete(db, name))

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Lock a session during the block; the lock is released however the process ends.

        Raises:
            UsageError: If a question is being answered in it, or the folder cannot be written.
        """
        check_name(name)
        path = self._folder / f"{name}.lock"
        try:
            make_private(self._folder)
            lock = _try_lock(path)
        except OSError as error:
            raise UsageError(f"sessions are kept in {self._folder}, which cannot be used: {error}") from error
        if lock is None:
            raise UsageError(
                f"session {name!r} is busy: another question is being answered in it; ask when that is done, "
                "or in another session"
            )
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            os.close(lock)

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T | None:
        try:
            return self._database.read(query)
        except (sqlite3.Error, OSError) as error:
            raise UsageError(f"the sessions in {self._folder} cannot be read: {error}") from error


def check_name(name: str) -> str:
    """Return the name if it is a valid session name.

    Raises:
        UsageError: If it is empty, too long or contains other characters.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"the name of a session is 1 to {MOST_CHARACTERS} letters (A to Z), digits, dots, dashes and underscores; "
            f"got {name[:100]!r}"
        )
    return name


def _try_lock(path: Path) -> int | None:
    """Return a lock on a file, or None if it is taken; the holder removes the file when it releases the lock."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        except OSError:
            os.close(lock)
            raise
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), path.stat()):
                return lock
        os.close(lock)


def _load_session(db: sqlite3.Connection, name: str) -> Session | None:
    row = db.execute("SELECT * FROM sessions WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    turns = db.execute("SELECT * FROM turns WHERE session = ? ORDER BY number", (name,))
    return Session(**row, turns=tuple(map(_turn_from_row, turns)))


def _turn_from_row(row: sqlite3.Row) -> Asked:
    options = json.loads(row["options"])
    return Asked(
        row["run_id"],
        row["asked_s"],
        row["question"],
        row["meant"],
        None if options is None else tuple(options),
        json.loads(row["answer"]),
    )


def _insert_turn(db: sqlite3.Connection, session: tuple[str, str, str, float, float], asked: Asked) -> None:
    name = session[0]
    db.execute(
        "INSERT INTO sessions VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) "
        "DO UPDATE SET video_path = excluded.video_path, used_s = excluded.used_s",
        session,
    )
    known = db.execute(
        "SELECT number, asked_s FROM turns WHERE session = ? AND run_id = ?", (name, asked.run_id)
    ).fetchone()
    last = db.execute("SELECT COALESCE(MAX(number), 0) FROM turns WHERE session = ?", (name,)).fetchone()[0]
    number, asked_s = known or (last + 1, asked.asked_s)
    values = (asked.question, asked.meant, json.dumps(asked.options), json.dumps(asked.answer))
    db.execute(
        "INSERT OR REPLACE INTO turns VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (name, number, asked.run_id, asked_s, *values),
    )


def _delete(db: sqlite3.Connection, name: str) -> None:
    db.execute("DELETE FROM turns WHERE session = ?", (name,))
    db.execute("DELETE FROM sessions WHERE name = ?", (name,))
