"""Results computed from a video, stored in the user's cache folder by the SHA-256 of the file.

JSON values and recognized texts are rows of one sqlite database; arrays are memory-mapped files. Several threads
and processes may read and write at once. Disk errors are only logged: unreadable entries count as absent, failed
writes are dropped, and damaged files are rebuilt. Above a size limit, `eviction` drops videos.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import platformdirs
from numpy.typing import NDArray

from vidagent.database import RebuildableDatabase
from vidagent.types import Box
from vidagent.video.cache import array_store
from vidagent.video.cache.eviction import Eviction

T = TypeVar("T")
LOG = logging.getLogger(__name__)
HASH_FORM = re.compile(r"[0-9a-f]{64}")
KEY_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=,-]{0,99}")
SCHEMA = """
CREATE TABLE entries (
    sha256 TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (sha256, key)
) WITHOUT ROWID;
CREATE TABLE texts (
    sha256 TEXT NOT NULL, time_s REAL NOT NULL, text TEXT NOT NULL, box TEXT NOT NULL,
    PRIMARY KEY (sha256, time_s, text, box)
) WITHOUT ROWID;
"""


def default_folder() -> Path:
    """Return `VIDAGENT_CACHE_DIR` if set, else the platform's user cache folder."""
    path = os.environ.get("VIDAGENT_CACHE_DIR")
    return Path(path).expanduser() if path else Path(platformdirs.user_cache_dir("vidagent", appauthor=False))


class FoundText(NamedTuple):
    """A text read in the frame at `time_s`, and its box in the source picture."""

    time_s: float
    text: str
    box_px: Box | None


class VideoCache:
    """Values and arrays by content hash and key."""

    def __init__(self, folder: Path | str | None = None, most_mb: float | None = None) -> None:
        """Store the folder, which is created with the first entry.

        Args:
            folder: `default_folder()` unless given.
            most_mb: Size limit in MB (10^6 bytes), or None.
        """
        self.folder = (default_folder() if folder is None else Path(folder)) / "v1"
        self._database = RebuildableDatabase(self.folder / "index.sqlite3", SCHEMA)
        most_bytes = None if most_mb is None else int(most_mb * 1e6)
        self._eviction = Eviction(self.folder, self._database, most_bytes)

    def hold(self, sha256: str) -> Callable[[], None]:
        """Protect the entries of a video from eviction until the returned function is called."""
        name = _hash(sha256)
        return self._guarded(lambda: self._eviction.hold(name)) or (lambda: None)

    def videos(self) -> list[str]:
        """Return the content hashes of the videos that have entries."""
        return self._guarded(self._eviction.videos) or []

    def clear(self) -> tuple[int, int]:
        """Drop all videos that are not in use; return how many were dropped, and how many kept."""
        return self._guarded(self._eviction.clear) or (0, 0)

    def get_json(self, sha256: str, key: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return the value stored under the key, or None."""
        name, key = _hash(sha256), _key(key)
        query = "SELECT value FROM entries WHERE sha256 = ? AND key = ?"
        row = self._guarded(lambda: self._database.row(query, name, key))
        try:
            return json.loads(row[0]) if row else None
        except (TypeError, ValueError) as error:
            self._warn(f"entry {key} of video {sha256[:12]} is damaged: {error}")
            return None

    def put_json(self, sha256: str, key: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Store a JSON value under the key, replacing an earlier one."""
        row = (_hash(sha256), _key(key), json.dumps(value))
        statement = "INSERT OR REPLACE INTO entries VALUES (?, ?, ?)"
        self._store(lambda: self._database.change(statement, *row), len(row[2]))

    def get_arrays(self, sha256: str, key: str) -> dict[str, NDArray[Any]] | None:
        """Return the arrays stored under the key as read-only memory maps, or None."""
        path = self._arrays_path(sha256, key)
        return self._guarded(lambda: array_store.read(path)) if path.is_file() else None

    def put_arrays(self, sha256: str, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store named arrays of booleans or numbers under the key, replacing earlier ones."""
        path = self._arrays_path(sha256, key)
        size = sum(array.nbytes for array in arrays.values())
        self._store(lambda: array_store.write(path, arrays), size)

    def texts(self, sha256: str) -> list[FoundText]:
        """Return every text found so far, in order of time."""
        name = _hash(sha256)
        query = "SELECT time_s, text, box FROM texts WHERE sha256 = ? ORDER BY time_s, box, text"
        rows = self._guarded(lambda: self._database.rows(query, name))
        return [FoundText(time_s, text, _box(box)) for time_s, text, box in rows or ()]

    def put_texts(self, sha256: str, found: Iterable[tuple[float, str, Box | None]]) -> None:
        """Add texts as `(time_s, text, box_px)`, without duplicates."""
        name = _hash(sha256)
        rows = [(name, float(time_s), text, ",".join(map(str, box or ()))) for time_s, text, box in found]
        size = sum(len(text) for _, _, text, _ in rows)
        statement = "INSERT OR IGNORE INTO texts VALUES (?, ?, ?, ?)"
        self._store(lambda: self._database.write(lambda db: db.executemany(statement, rows)), size)

    def _arrays_path(self, sha256: str, key: str) -> Path:
        return self._eviction.folder_of(_hash(sha256)) / f"{_key(key)}.arrays"

    def _store(self, work: Callable[[], object], size: int) -> None:
        """Run a function that adds about `size` bytes to the cache, then evict videos if it is full."""

        def store() -> None:
            work()
            self._eviction.add(size)

        self._guarded(store)

    def _guarded(self, work: Callable[[], T]) -> T | None:
        """Return the result of `work`, or None with a warning if the folder or a file cannot be used."""
        try:
            return work()
        except (sqlite3.Error, OSError, array_store.ArrayFileError) as error:
            self._warn(str(error))
            return None

    def _warn(self, why: str) -> None:
        _warn_once(self.folder, why)


@lru_cache(maxsize=1000)
def _warn_once(folder: Path, why: str) -> None:
    """Tell of a folder's error once, not with each entry that it costs."""
    LOG.warning("continuing without the cache in %s: %s", folder, why)


def _hash(sha256: str) -> str:
    if not HASH_FORM.fullmatch(sha256):
        raise ValueError(f"a content hash is 64 hex digits, got {sha256!r}")
    return sha256


def _key(key: str) -> str:
    if not KEY_FORM.fullmatch(key):
        raise ValueError(f"a cache key is 1 to 100 letters, digits and _.=,- beginning with one; got {key!r}")
    return key


def _box(text: str) -> Box | None:
    if not text:
        return None
    x0, y0, x1, y1 = map(int, text.split(","))
    return x0, y0, x1, y1
