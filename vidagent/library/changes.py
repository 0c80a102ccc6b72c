"""What has changed in the folders of a library: new, changed, moved and lost files."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vidagent.errors import UsageError
from vidagent.library.catalog import Catalog, beside_stamp, file_stamp
from vidagent.library.contents import Depth
from vidagent.text import shown_address
from vidagent.video.folder import videos_in
from vidagent.video.index.subtitles import SidecarFolders


@dataclass(frozen=True, slots=True)
class Changes:
    """How the files differ from what the library knows.

    Args:
        new: Files that were added.
        changed: Files whose contents changed, which are read anew.
        moved: Files found under another name, which keep what is known of them.
        again: Files to be read again for what was not looked for before, or because that failed.
        gone: Files that are no longer there; they stay in the library until they are removed.
        same: Files that are as they were.
    """

    new: int = 0
    changed: int = 0
    moved: int = 0
    again: int = 0
    gone: int = 0
    same: int = 0

    @property
    def words(self) -> str:
        """The counts in words, such as `12 new, 1 moved`."""
        counts = {
            "new": self.new,
            "changed": self.changed,
            "moved": self.moved,
            "to be read again": self.again,
            "gone": self.gone,
            "as before": self.same,
        }
        return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "no videos"


def absolute(path: str | Path) -> Path:
    """Return a path as the library keeps it: absolute, its links not resolved.

    Raises:
        UsageError: If it is empty, or a web address.
    """
    name = os.fspath(path)
    if not name:
        raise UsageError("'' is no folder: give the path of a folder or a file")
    if "://" in name:
        raise UsageError(f"{shown_address(name)} is no folder: a library holds files of this machine")
    return Path(os.path.abspath(Path(name).expanduser()))  # noqa: PTH100 - `absolute` keeps `..`


def checked_sources(paths: Sequence[str | Path]) -> list[Path]:
    """Return folders and files as the library keeps them.

    Raises:
        UsageError: If one is not there, or a folder has no video.
    """
    found = [absolute(path) for path in paths]
    for given, path in zip(paths, found, strict=True):
        if not path.exists():
            raise UsageError(f"there is no folder or file {os.fspath(given)}")
        if path.is_dir() and next(videos_in(path), None) is None:
            raise UsageError(f"there is no video in the folder {os.fspath(given)}")
    return found


def add_sources(catalog: Catalog, paths: Sequence[str | Path]) -> None:
    """Add folders and files.

    Raises:
        UsageError: As `checked_sources`; then none is added.
    """
    for path in checked_sources(paths):
        catalog.add_source(path)


def refresh(catalog: Catalog, depth: Depth, model: str | None) -> Changes:
    """Look for the videos of all sources, and note which are to be read.

    Args:
        catalog: The library.
        depth: What is looked for now; a video in which less was looked for is read again.
        model: The embedding model, or None.
    """
    known = {os.fsdecode(row["path"]): row for row in catalog.database.rows("SELECT * FROM videos")}
    left_out = catalog.left_out()
    lost = _Lost(row for name, row in known.items() if not Path(name).is_file())
    sidecars = SidecarFolders()
    paths = dict.fromkeys(path for path in _files(catalog) if path not in left_out)
    seen = [_Seen(path, file_stamp(path), beside_stamp(sidecars.of(path))) for path in paths]
    counts: dict[str, int] = {}
    with catalog.database.transaction():  # short, as a process that indexes waits for it
        for one in seen:
            what = _note(catalog, one, known.get(str(one.path)), lost, depth, model)
            counts[what] = counts.get(what, 0) + 1
    return Changes(**counts, gone=lost.count)


class _Lost:
    """The videos whose files are no longer there, which may have been moved."""

    def __init__(self, rows: Iterable[sqlite3.Row]) -> None:
        self._by_stamp: dict[str, list[sqlite3.Row]] = {}
        for row in rows:
            self._by_stamp.setdefault(row["stamp"], []).append(row)

    @property
    def count(self) -> int:
        return sum(map(len, self._by_stamp.values()))

    def take(self, seen: _Seen) -> tuple[sqlite3.Row, bool] | None:
        """Return the video that a new file was, and whether it cannot be another one: two files may have one stamp."""
        rows = self._by_stamp.get(seen.stamp)
        if not rows:
            return None
        named = [row for row in rows if Path(os.fsdecode(row["path"])).name == seen.path.name]
        is_sure = len(rows) == 1 or len(named) == 1
        was = (named or rows)[0]
        rows.remove(was)
        return was, is_sure


class _Seen(NamedTuple):
    """A file as it is now."""

    path: Path
    stamp: str
    beside: str


def _files(catalog: Catalog) -> Iterator[Path]:
    for source in catalog.sources():
        if source.is_file():
            yield source
        else:
            yield from videos_in(source)


def _note(
    catalog: Catalog,
    seen: _Seen,
    row: sqlite3.Row | None,
    lost: _Lost,
    depth: Depth,
    model: str | None,
) -> str:
    """Bring the row of one file up to date, and return what has become of it."""
    name, stamp, beside = os.fsencode(seen.path), seen.stamp, seen.beside
    change = catalog.database.change
    if row is None:
        if (found := lost.take(seen)) is None:
            change("INSERT INTO videos (path, stamp, beside) VALUES (?, ?, ?)", name, stamp, beside)
            return "new"
        was, is_sure = found
        change(  # read again for its new name, from the cache
            "UPDATE videos SET path = ?, beside = ?, due = 1, found = ?, error = NULL WHERE id = ?",
            name,
            beside,
            was["found"] if is_sure else 0,
            was["id"],
        )
        return "moved"
    if stamp != row["stamp"]:
        change(
            "UPDATE videos SET stamp = ?, beside = ?, due = 1, found = 0, error = NULL WHERE id = ?",
            stamp,
            beside,
            row["id"],
        )
        return "changed"
    if beside != row["beside"] or row["error"] is not None or _lacks(row, depth, model):
        change("UPDATE videos SET beside = ?, due = 1, error = NULL WHERE id = ?", beside, row["id"])
        return "again" if row["found"] or row["error"] else "new"
    return "same" if not row["due"] else "new"


def _lacks(row: sqlite3.Row, depth: Depth, model: str | None) -> bool:
    """Tell whether more is looked for now than when a video was read."""
    if not row["found"]:
        return False
    kept = json.loads(row["depth"])
    texts, transcribe = kept["asked"]
    return (
        (depth.texts and not texts)
        or (depth.transcribe and not transcribe and not kept["spoken"])
        or (model is not None and model != kept["model"])
    )
