"""Sqlite files: connections in write-ahead mode, tables made on first use, and rows."""

from __future__ import annotations

import fcntl
import logging
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from vidagent.private_folder import make_private

T = TypeVar("T")
LOG = logging.getLogger(__name__)
BUSY_S = 10.0
DAMAGED = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
"""Primary result codes (https://sqlite.org/rescode.html) of a broken file; `ERROR` is a missing table."""


class Database(ABC):
    """Queries and changes of one sqlite file; each is a transaction of its own unless stated otherwise.

    All methods raise `sqlite3.Error` if an intact file cannot be used, and `OSError` if its folder cannot.
    """

    @abstractmethod
    def read(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Return what a function of the connection returns, or None if there is no file yet."""

    @abstractmethod
    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function that changes rows, all or none of its changes, and return its result."""

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:  # noqa: ANN401 - what sqlite takes
        """Return the rows of a query."""
        return self.read(lambda db: db.execute(query, values).fetchall()) or []

    def row(self, query: str, *values: Any) -> sqlite3.Row | None:  # noqa: ANN401 - likewise
        """Return the first row of a query, if there is one."""
        return self.read(lambda db: db.execute(query, values).fetchone())

    def change(self, statement: str, *values: Any) -> int:  # noqa: ANN401 - likewise
        """Change rows, and return how many."""
        return self.write(lambda db: db.execute(statement, values).rowcount)


class PersistentDatabase(Database):
    """One open connection to a file whose commits survive the end of the process, however it ends.

    Calls are short and come from one thread at a time.

    Args:
        path: The file; its folder exists.
        schema: Statements that make the tables that are missing.
    """

    def __init__(self, path: Path, schema: str) -> None:
        """Open the file, and create it and its tables as needed."""
        self._connection = _connect(path, "NORMAL", isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.executescript(schema)
        except BaseException:
            self._connection.close()
            raise

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """See `Database.read`."""
        return work(self._connection)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function; inside `transaction`, its changes belong to that transaction."""
        return work(self._connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the changes of the block all or none."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class RebuildableDatabase(Database):
    """A file shared by several processes and threads, and started anew when it is found damaged.

    Each call opens its own connection, so that no two threads share one. It holds a shared lock on a file beside
    the database; whoever starts the database anew holds that lock alone, so that the write-ahead log of the old
    file is never read into the new one.

    Args:
        path: The file; nothing is created before the first change.
        schema: Statements that make the tables of a new file.
    """

    def __init__(self, path: Path, schema: str) -> None:
        """Store the arguments."""
        self.path = path
        self._schema = schema

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """See `Database.read`."""
        return self._run(work) if self.path.is_file() else None

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """See `Database.write`."""
        if not self.path.is_file():
            make_private(self.path.parent)
            self._rebuild()
        return self._run(work)

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return self._run_once(work)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            LOG.warning("%s is damaged and started anew: %s", self.path, error)
        self._rebuild()
        return self._run_once(work)

    def _run_once(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._locked(fcntl.LOCK_SH), self._connection() as connection, connection:
            return work(connection)

    def _rebuild(self) -> None:
        """Start the file anew, unless another process has done so in the meantime."""
        with self._locked(fcntl.LOCK_EX):
            if self._is_intact():
                return
            for suffix in ("-wal", "-shm", ""):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            with self._connection() as connection:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(self._schema)

    def _is_intact(self) -> bool:
        if not self.path.is_file():
            return False
        try:
            with self._connection() as connection:
                tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
                (check,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                return bool(tables > 0 and check == "ok")
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            return False

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        # A power cut may damage a file that is not synchronised; it is then started anew.
        with closing(_connect(self.path, "OFF")) as connection:
            yield connection

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        with self.path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, how)
            yield


def _connect(path: Path, synchronous: str, **options: Any) -> sqlite3.Connection:  # noqa: ANN401 - sqlite3's own
    connection: sqlite3.Connection = sqlite3.connect(path, timeout=BUSY_S, **options)
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    return connection


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in DAMAGED
