"""What the server keeps through restarts, in one sqlite file: keys, files, jobs and runs."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vidagent.errors import UsageError

_BUSY_S = 10.0
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
CREATE TABLE IF NOT EXISTS job_events (
    job TEXT NOT NULL, number INTEGER NOT NULL, told TEXT NOT NULL, PRIMARY KEY (job, number)
) WITHOUT ROWID;
"""


class Store:
    """One connection to the file; every call is short, so the event loop makes it itself.

    What is committed outlives the process, however it ends.
    """

    def __init__(self, folder: Path) -> None:
        """Open the file, and make it where there is none.

        Raises:
            UsageError: If it cannot be used.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = sqlite3.connect(
                folder / "serve.sqlite", timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"--data-dir {str(folder)!r} cannot be used: {error}") from error

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:  # noqa: ANN401 - what sqlite takes
        """Return the rows of a query."""
        return self._connection.execute(query, values).fetchall()

    def row(self, query: str, *values: Any) -> sqlite3.Row | None:  # noqa: ANN401 - likewise
        """Return the first row of a query, if there is one."""
        found: sqlite3.Row | None = self._connection.execute(query, values).fetchone()
        return found

    def change(self, statement: str, *values: Any) -> int:  # noqa: ANN401 - likewise
        """Change rows, and return how many were."""
        return self._connection.execute(statement, values).rowcount

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make the changes of the block all or none."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


@contextmanager
def held_alone(folder: Path) -> Iterator[None]:
    """Hold a server's folder while the block runs, as two servers would both go on with its jobs.

    Raises:
        UsageError: If another server holds it.
    """
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"--data-dir {str(folder)!r} is another server's, which is running") from None
        yield
    finally:
        os.close(lock)
