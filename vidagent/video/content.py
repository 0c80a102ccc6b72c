"""Content of a file: its fingerprint at once, its SHA-256 after one reading beside all other work, both remembered."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from vidagent.database import RebuildableDatabase
from vidagent.errors import VideoError
from vidagent.types import KnownHash

LOG = logging.getLogger(__name__)
AT_ONCE_BYTES = 64 << 20
"""Files up to this size are hashed while they are opened, which takes less than the opening itself."""
_BLOCKS = 32
_BLOCK_BYTES = 16 << 10
_READ_BYTES = 4 << 20
_SETTLED_S = 2.0
"""A file changed this shortly before it was read may change again without a new time stamp, and is not remembered."""
_LOCK = threading.Lock()
_BEING_READ: WeakValueDictionary[tuple[int, ...], Content] = WeakValueDictionary()
_SCHEMA = """
CREATE TABLE files (
    device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
    changed_ns INTEGER NOT NULL, fingerprint TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (device, inode)
) WITHOUT ROWID;
CREATE INDEX fingerprints ON files (fingerprint);
"""
_FIND = """
SELECT sha256 FROM files WHERE device = ? AND inode = ? AND size = ? AND modified_ns = ? AND changed_ns = ?
"""


class KnownFiles:
    """Files whose SHA-256 was computed before; disk errors are logged, and nothing is known then.

    Args:
        folder: The cache folder.
    """

    def __init__(self, folder: Path) -> None:
        """Store the folder; its file is created with the first entry."""
        self._database = RebuildableDatabase(folder / "v1" / "files.sqlite3", _SCHEMA)

    def sha256(self, stat: os.stat_result) -> str | None:
        """Return the hash of the file with this device, inode, size and time stamps, or None."""
        row = self._guarded(lambda: self._database.row(_FIND, *_key(stat)))
        return None if row is None else str(row[0])

    def has(self, fingerprint: str) -> bool:
        """Tell whether a file of this fingerprint was hashed before."""
        query = "SELECT 1 FROM files WHERE fingerprint = ?"
        return self._guarded(lambda: self._database.row(query, fingerprint)) is not None

    def add(self, stat: os.stat_result, fingerprint: str, sha256: str) -> None:
        """Remember a file."""
        statement = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)"
        self._guarded(lambda: self._database.change(statement, *_key(stat), fingerprint, sha256))

    def _guarded(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - what `work` returns
        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            _warn_once(self._database.path, str(error))
            return None


@lru_cache(maxsize=1000)
def _warn_once(path: Path, why: str) -> None:
    """Tell of a file's error once, not at each use."""
    LOG.warning("continuing without %s: %s", path, why)


def content_of(path: Path, shown: str, known: KnownFiles | None = None) -> Content:
    """Return the content of a file; what is being read already is not read again.

    Args:
        path: The file.
        shown: Its path for messages.
        known: Files hashed before, or None to remember nothing.

    Raises:
        VideoError: If it cannot be read.
    """
    with _readable(shown):
        stat = path.stat()
        with _LOCK:
            content = _BEING_READ.get(_key(stat))
            if content is None or not content.pending:
                content = _BEING_READ[_key(stat)] = Content(path, shown, stat, known)
        content.begin()  # without the lock: other files are opened meanwhile
    return content


class Content:
    """Content of one file; `content_of` makes it.

    Attributes:
        fingerprint: SHA-256 of the size and of blocks spread over the file; equal for equal files, and almost never for
            others.
    """

    fingerprint: str

    def __init__(self, path: Path, shown: str, stat: os.stat_result, known: KnownFiles | None) -> None:
        """Store the arguments; `begin` reads."""
        self._path, self._shown, self._stat, self._known = path, shown, stat, known
        self._lock, self._beginning = threading.Lock(), threading.Lock()
        self._done = threading.Event()
        self._then: list[Callable[[], None]] = []
        self._error: VideoError | None = None
        self._digest: str | None = None
        self._began = False

    def begin(self) -> None:
        """Take the fingerprint, and read the file unless its hash is known; a second call waits for the first.

        A large file that no other was like is read in another thread. One that was hashed under another name or at
        another time is read first, so that what is kept of it can be found.

        Raises:
            OSError, VideoError: If it cannot be read.
        """
        with self._beginning:
            if not self._began:
                self._begin()
                self._began = True

    def _begin(self) -> None:
        known, size = self._known, self._stat.st_size
        self.fingerprint = _fingerprint(self._path, size)
        self._digest = None if known is None else known.sha256(self._stat)
        if self._digest is not None:
            self._done.set()
        elif size <= AT_ONCE_BYTES or (known is not None and known.has(self.fingerprint)):
            self._hash()
            if self._error is not None:
                raise self._error
        else:
            threading.Thread(target=self._hash, name="sha256", daemon=True).start()

    @property
    def sha256(self) -> str:
        """Hex digest of all bytes; waits until the file is read.

        Raises:
            VideoError: If it cannot be read.
        """
        self._done.wait()
        if self._digest is None:
            raise self._error or VideoError(f"{self._shown}: cannot be read")
        return self._digest

    @property
    def pending(self) -> bool:
        """Whether the file is still being read; nothing can be stored under its hash then."""
        return not self._done.is_set()

    def when_hashed(self, work: Callable[[], None]) -> None:
        """Call a function once the hash is known: now, or later in another thread; never if it is not."""
        with self._lock:
            if not self._done.is_set():
                self._then.append(work)
                return
        if self._digest is not None:
            work()

    def __eq__(self, other: object) -> bool:
        """Compare fingerprints."""
        return isinstance(other, Content) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        """Hash the fingerprint."""
        return hash(self.fingerprint)

    def __deepcopy__(self, memo: object) -> Content:
        """Return itself: a file has one content."""
        return self

    def __reduce__(self) -> tuple[type[KnownHash], tuple[str]]:
        """Pickle the hash alone."""
        return KnownHash, (self.sha256,)

    def _hash(self) -> None:
        digest = hashlib.sha256()
        buffer = memoryview(bytearray(_READ_BYTES))
        try:
            with _readable(self._shown), self._path.open("rb", buffering=0) as file:
                while count := file.readinto(buffer):
                    digest.update(buffer[:count])
                self._note(os.fstat(file.fileno()), digest.hexdigest())
        except VideoError as error:
            self._error = error
        with self._lock:
            self._done.set()
            waiting, self._then = self._then, []
        for work in waiting if self._digest is not None else ():
            work()

    def _note(self, stat: os.stat_result, digest: str) -> None:
        self._digest = digest
        same = _key(stat) == _key(self._stat)
        settled = time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > _SETTLED_S * 1e9
        if self._known is not None and same and settled:
            self._known.add(stat, self.fingerprint, digest)


@contextlib.contextmanager
def _readable(shown: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise VideoError(f"{shown}: cannot be read ({error.strerror})") from None


def _key(stat: os.stat_result) -> tuple[int, ...]:
    # SQLite's integers have 64 bits with a sign, and some file systems number their files with all 64
    inode = stat.st_ino if stat.st_ino < 1 << 63 else stat.st_ino - (1 << 64)
    return stat.st_dev, inode, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _fingerprint(path: Path, size: int) -> str:
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb", buffering=0) as file:
        for number in range(_BLOCKS):
            file.seek(max(0, size - _BLOCK_BYTES) * number // (_BLOCKS - 1))
            digest.update(file.read(_BLOCK_BYTES))
    return digest.hexdigest()
