"""The server's sqlite database, which survives restarts: keys, files, jobs and runs."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidagent.database import PersistentDatabase
from vidagent.errors import UsageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, hash TEXT NOT NULL, scopes TEXT NOT NULL,
    created_s INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    owner TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, bytes INTEGER NOT NULL, created_s INTEGER NOT NULL,
    video TEXT NOT NULL, PRIMARY KEY (owner, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, asked TEXT NOT NULL, status TEXT NOT NULL,
    created_s REAL NOT NULL, ended_s REAL, starts INTEGER NOT NULL, run_id TEXT, answer TEXT, error TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS jobs_of ON jobs (owner, created_s);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, video TEXT NOT NULL, asked TEXT NOT NULL,
    created_s REAL NOT NULL, ended_s REAL, answer TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS runs_of ON runs (owner, created_s);
CREATE TABLE IF NOT EXISTS titles (
    owner TEXT NOT NULL, conversation TEXT NOT NULL, title TEXT NOT NULL, PRIMARY KEY (owner, conversation)
) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS conversation_jobs AS
SELECT of_session.*, title FROM (SELECT *, coalesce(json_extract(asked, '$.session'), id) AS conversation FROM jobs)
    AS of_session LEFT JOIN titles USING (owner, conversation);
CREATE TABLE IF NOT EXISTS job_events (
    job TEXT NOT NULL, number INTEGER NOT NULL, told TEXT NOT NULL, PRIMARY KEY (job, number)
) WITHOUT ROWID;
"""


class Store(PersistentDatabase):
    """The server's database; calls are short enough to run on the event loop."""

    def __init__(self, folder: Path) -> None:
        """Open the database; create it and its folder if missing.

        Raises:
            UsageError: If it cannot be used.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            super().__init__(folder / "serve.sqlite", _SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"--data-dir {str(folder)!r} cannot be used: {error}") from error


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Lock a server's folder during the block, as two servers would both resume its jobs.

    Raises:
        UsageError: If another server has locked it.
    """
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"--data-dir {str(folder)!r} is in use by another running server") from None
        yield
    finally:
        os.close(lock)
