"""A sqlite file that several processes share and that is started anew when it is found damaged."""

from __future__ import annotations

import fcntl
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
LOG = logging.getLogger(__name__)
BUSY_S = 10.0
DAMAGED = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
"""Primary result codes (https://sqlite.org/rescode.html) of a broken file; `ERROR` is a missing table."""


class Database:
    """Transactions on one sqlite file, each on a connection of its own, so that no thread shares one.

    A shared lock on a file beside it is held through each transaction; whoever starts the database anew
    holds it alone, so that no write-ahead log of the old file is read into the new one.
    """

    def __init__(self, path: Path, schema: str) -> None:
        """Name the file, and the statements that make its tables; nothing is made before the first change."""
        self.path = path
        self._schema = schema

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T | None:
        """Return what the query returns, or None where there is no database.

        Raises:
            sqlite3.Error: If the database cannot be read, though it is whole.
            OSError: If its folder cannot be used.
        """
        return self._run(query) if self.path.is_file() else None

    def change(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Do the work, in a new database where there is none.

        Raises:
            sqlite3.Error: If the database cannot be written, though it is whole.
            OSError: If its folder cannot be used.
        """
        if not self.path.is_file():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._renew()
        self._run(work)

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return self._once(work)
        except sqlite3.DatabaseError as error:
            if not _damaged(error):
                raise
            LOG.warning("%s is damaged and started anew: %s", self.path, error)
        self._renew()
        return self._once(work)

    def _once(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._locked(fcntl.LOCK_SH), self._connection() as connection, connection:
            return work(connection)

    def _renew(self) -> None:
        """Start anew unless another process has done so meanwhile."""
        with self._locked(fcntl.LOCK_EX):
            if self._sound():
                return
            for suffix in ("-wal", "-shm", ""):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            with self._connection() as connection:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(self._schema)

    def _sound(self) -> bool:
        if not self.path.is_file():
            return False
        try:
            with self._connection() as connection:
                tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
                return tables > 0 and connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
        except sqlite3.DatabaseError as error:
            if not _damaged(error):
                raise
            return False

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=BUSY_S)) as connection:
            # A power cut may then damage the file; it is found so, and started anew.
            connection.execute("PRAGMA synchronous = OFF")
            yield connection

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        with self.path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, how)
            yield


def _damaged(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in DAMAGED
