"""Vectors of pictures and lines, and the search for those nearest to a query.

The signs of all vectors are compared first (64 to a machine word), then the nearest thousand exactly. A million of
768 dimensions takes 96 MB of signs. Signs tell vectors apart only around their mean, which embeddings of pictures have
far from zero; it is measured anew whenever the library has grown fourfold.

Measured against sqlite-vec and LanceDB in benchmarks/RESULTS.md: sqlite-vec is slower, and cannot be loaded by a Python
whose sqlite3 is built without extensions; LanceDB brings 350 MB of packages.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidagent.database import PersistentDatabase
from vidagent.library.contents import Contents
from vidagent.video.index.embeddings import Vectors

VectorKind = Literal["picture", "line"]
VECTORS_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    id INTEGER PRIMARY KEY, video INTEGER NOT NULL, kind TEXT NOT NULL, model TEXT NOT NULL, dims INTEGER NOT NULL,
    start_s BLOB NOT NULL, end_s BLOB NOT NULL, lines BLOB NOT NULL, signs BLOB NOT NULL, vectors BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS vectors_of_video ON vectors (video);
CREATE TABLE IF NOT EXISTS means (
    kind TEXT NOT NULL, model TEXT NOT NULL, vectors INTEGER NOT NULL, mean BLOB NOT NULL, PRIMARY KEY (kind, model)
) WITHOUT ROWID;
"""
"""A row of `vectors` holds up to `_OF_ROW` vectors of one kind of one video; one of `means`, of how many it is."""
_OF_ROW = 64
"""More would be fewer rows to read signs from, and longer chains of pages to walk to one vector."""
_CANDIDATES = 1000
"""Vectors compared exactly."""
_LEAST_SHARE, _LEAST_SPREAD = 0.1, 0.02
_ROWS = 8192
_GROWTH = 4
_SAMPLE = 100_000
_WORD_BITS = 64


@dataclass(frozen=True, slots=True)
class Near:
    """A vector near a query.

    Args:
        video: The video's id.
        start_s: Start of the stretch.
        end_s: Its end.
        cosine: How near it is, up to 1.
        share: The same from 0, as near as half of the thousand nearest are, to 1, the nearest.
        line: The id of the line; 0 for a picture.
    """

    video: int
    start_s: float
    end_s: float
    cosine: float
    share: float
    line: int


@dataclass(frozen=True, slots=True)
class Signs:
    """The signs of all vectors of a kind and model.

    Args:
        words: Signs, uint64 of shape `(N, W)`.
        row: For each, the id of its row.
        video: For each, the id of its video.
        place: For each, its place in that row.
        mean: The mean of the vectors, float32.
    """

    words: NDArray[np.uint64]
    row: NDArray[np.int64]
    video: NDArray[np.int64]
    place: NDArray[np.int64]
    mean: NDArray[np.float32]

    def of_videos(self, videos: Sequence[int]) -> Signs:
        """Return those of some videos, by their ids."""
        kept = np.isin(self.video, np.array(videos, np.int64))
        return Signs(self.words[kept], self.row[kept], self.video[kept], self.place[kept], self.mean)

    def nearest(self, query: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the places of the candidates for a query of shape `(D,)`, in no order."""
        asked = _signs(query[None], self.mean)[0]
        distances = np.empty(len(self.words), np.uint16)
        for first in range(0, len(self.words), _ROWS):
            part = self.words[first : first + _ROWS]
            np.bitwise_count(part ^ asked).sum(axis=1, dtype=np.uint16, out=distances[first : first + _ROWS])
        if len(distances) <= _CANDIDATES:
            return np.arange(len(distances))
        return np.argpartition(distances, _CANDIDATES)[:_CANDIDATES]


def put_vectors(database: PersistentDatabase, video: int, contents: Contents) -> None:
    """Store the vectors of a video; part of the caller's transaction."""
    if contents.model is None:
        return
    pictures = contents.pictures
    _put(database, video, "picture", contents.model, pictures.vectors, (pictures.start_s, pictures.end_s))
    said = database.rows(
        "SELECT id, start_s, end_s FROM lines WHERE video = ? AND kind != 'name' ORDER BY id", video
    )
    times = (np.array([row["start_s"] for row in said]), np.array([row["end_s"] for row in said]))
    lines = np.array([row["id"] for row in said], np.int64)
    _put(database, video, "line", contents.model, contents.line_vectors, times, lines)


def _put(
    database: PersistentDatabase,
    video: int,
    kind: VectorKind,
    model: str,
    vectors: NDArray[np.float16],
    times: tuple[NDArray[np.float64], NDArray[np.float64]],
    lines: NDArray[np.int64] | None = None,
) -> None:
    count, dims = vectors.shape
    if not count:
        return
    mean = _mean(database, kind, model)
    if mean is None or len(mean) != dims:
        mean = vectors.astype(np.float32).mean(axis=0)
        database.change(
            "INSERT OR REPLACE INTO means VALUES (?, ?, ?, ?)", kind, model, count, mean.tobytes()
        )
    ids = np.zeros(count, np.int64) if lines is None else lines
    for first in range(0, count, _OF_ROW):
        part = slice(first, first + _OF_ROW)
        _put_row(
            database,
            (video, kind, model, dims),
            vectors[part],
            (times[0][part], times[1][part]),
            ids[part],
            mean,
        )


def _put_row(
    database: PersistentDatabase,
    key: tuple[int, VectorKind, str, int],
    vectors: NDArray[np.float16],
    times: tuple[NDArray[np.float64], NDArray[np.float64]],
    lines: NDArray[np.int64],
    mean: NDArray[np.float32],
) -> None:
    database.change(
        "INSERT INTO vectors (video, kind, model, dims, start_s, end_s, lines, signs, vectors) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *key,
        times[0].astype(np.float64).tobytes(),
        times[1].astype(np.float64).tobytes(),
        lines.tobytes(),
        _signs(vectors.astype(np.float32), mean).tobytes(),
        np.ascontiguousarray(vectors).tobytes(),
    )


def measure_means(database: PersistentDatabase) -> None:
    """Measure the mean anew where there are four times as many vectors as when it was measured."""
    for row in database.rows("SELECT kind, model, vectors FROM means"):
        kind, model = row["kind"], row["model"]
        mean = _mean(database, kind, model)
        dims = 0 if mean is None else len(mean)
        query = (
            "SELECT id, length(start_s) / 8 AS count FROM vectors WHERE kind = ? AND model = ? AND dims = ?"
        )
        rows = database.rows(query, kind, model, dims)
        total = sum(one["count"] for one in rows)
        if total >= _GROWTH * row["vectors"]:
            _measure(database, kind, model, [one["id"] for one in rows], total)


def _measure(database: PersistentDatabase, kind: VectorKind, model: str, ids: list[int], total: int) -> None:
    step = max(1, total // _SAMPLE)
    sums, count = np.float32(0), 0
    for one in ids:
        sample = _row_vectors(database, one)[::step].astype(np.float32)
        sums, count = sums + sample.sum(axis=0), count + len(sample)
    mean = np.asarray(sums / count, np.float32)
    with database.transaction():
        for one in ids:
            signs = _signs(_row_vectors(database, one).astype(np.float32), mean)
            database.change("UPDATE vectors SET signs = ? WHERE id = ?", signs.tobytes(), one)
        database.change(
            "INSERT OR REPLACE INTO means VALUES (?, ?, ?, ?)", kind, model, total, mean.tobytes()
        )


def _row_vectors(database: PersistentDatabase, row: int) -> NDArray[np.float16]:
    found = database.row("SELECT dims, vectors FROM vectors WHERE id = ?", row)
    if found is None:
        return np.empty((0, 0), np.float16)
    return np.frombuffer(found["vectors"], np.float16).reshape(-1, found["dims"])


def load_signs(database: PersistentDatabase, kind: VectorKind, model: str, dims: int) -> Signs | None:
    """Read the signs of all vectors of a kind, or return None if there are none of this length."""
    mean = _mean(database, kind, model)
    if mean is None or len(mean) != dims:
        return None
    rows = database.rows(
        "SELECT v.id, v.video, v.signs FROM vectors v JOIN videos ON videos.id = v.video "
        "WHERE v.kind = ? AND v.model = ? AND v.dims = ? AND videos.found",
        kind,
        model,
        dims,
    )
    width = _width(dims)
    counts = [len(row["signs"]) // (8 * width) for row in rows]
    words = np.frombuffer(b"".join(row["signs"] for row in rows), np.uint64).reshape(-1, width)
    ids = np.repeat(np.array([row["id"] for row in rows], np.int64), counts)
    videos = np.repeat(np.array([row["video"] for row in rows], np.int64), counts)
    places = np.concatenate([np.arange(count) for count in counts]) if counts else np.empty(0, np.int64)
    return Signs(words, ids, videos, places, mean)


def nearest(database: PersistentDatabase, signs: Signs, query: Vectors, most: int) -> list[Near]:
    """Return the vectors nearest to a query of shape `(1, D)`, the nearest first.

    Those that do not stand out among the thousand nearest are left out: something is always nearest.
    """
    asked, found = query[0], signs.nearest(query[0])
    size = 2 * len(asked)
    cosines = np.empty(len(found), np.float32)
    gone = np.zeros(len(found), bool)
    blobs: dict[int, sqlite3.Blob | None] = {}
    try:
        for number, place in enumerate(found):
            row = int(signs.row[place])
            if row not in blobs:
                blobs[row] = _open_blob(database, row)
            blob = blobs[row]
            first = int(signs.place[place]) * size
            if blob is None or first + size > len(blob):  # removed, or read again, meanwhile
                gone[number] = True
                continue
            blob.seek(first)
            cosines[number] = np.frombuffer(blob.read(size), np.float16).astype(np.float32) @ asked
    finally:
        for blob in blobs.values():
            if blob is not None:
                blob.close()
    cosines, found = cosines[~gone], found[~gone]
    if not len(found):
        return []
    top = float(cosines.max())
    floor = min(float(np.median(cosines)), top - _LEAST_SPREAD)
    shares = (cosines - floor) / (top - floor)
    order = [number for number in np.argsort(-cosines, kind="stable") if shares[number] > _LEAST_SHARE][:most]
    rows = (
        _near(database, signs, int(found[number]), float(cosines[number]), float(shares[number]))
        for number in order
    )
    return [near for near in rows if near is not None]


def _open_blob(database: PersistentDatabase, row: int) -> sqlite3.Blob | None:
    """Open the vectors of a row, or return None if it was removed meanwhile."""
    try:
        return database.read(lambda db: db.blobopen("vectors", "vectors", row, readonly=True))
    except sqlite3.OperationalError:
        return None


def _near(database: PersistentDatabase, signs: Signs, found: int, cosine: float, share: float) -> Near | None:
    at = 8 * int(signs.place[found]) + 1
    row = database.row(
        "SELECT video, substr(start_s, ?, 8), substr(end_s, ?, 8), substr(lines, ?, 8) FROM vectors WHERE id = ?",
        at,
        at,
        at,
        int(signs.row[found]),
    )
    if row is None:
        return None
    start_s, end_s = (float(np.frombuffer(row[number], np.float64)[0]) for number in (1, 2))
    return Near(row[0], start_s, end_s, cosine, share, int(np.frombuffer(row[3], np.int64)[0]))


def _mean(database: PersistentDatabase, kind: VectorKind, model: str) -> NDArray[np.float32] | None:
    row = database.row("SELECT mean FROM means WHERE kind = ? AND model = ?", kind, model)
    return None if row is None else np.frombuffer(row["mean"], np.float32)


def _width(dims: int) -> int:
    return -(-dims // _WORD_BITS)


def _signs(vectors: Vectors, mean: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return which components lie above the mean, as uint64 of shape `(N, W)`."""
    count, dims = vectors.shape
    above = np.zeros((count, _width(dims) * _WORD_BITS), bool)
    above[:, :dims] = vectors > mean
    return np.packbits(above, axis=1).view(np.uint64)
