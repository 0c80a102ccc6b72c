"""Folders whose videos clients may name by relative path."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePath

from vidagent.video import folder

_MAX_ENTRIES = 50_000
"""Entries read in one listing, so that a huge folder does not take minutes."""
_MAX_DEPTH = 8


class Folders:
    """Served folders, searched in order."""

    def __init__(self, roots: Sequence[Path]) -> None:
        """Resolve links in the folders' own paths once."""
        self._spellings = tuple((root.absolute(), root.resolve()) for root in roots)
        self.roots = tuple(resolved for _, resolved in self._spellings)

    def file(self, name: str) -> Path | None:
        """Return the file of a path below one of the folders, links resolved; None unless it lies in the folder.

        Nothing outside of the folders is looked up, so that a name cannot tell what exists there.
        """
        for spellings in self._spellings:
            below = _below(spellings, name)
            path = None if below is None else _resolve(spellings[1], below)
            if path is not None:
                return path
        return None

    def name_of(self, path: Path) -> str | None:
        """Return the name by which clients know a file; None unless it lies in one of the folders and may be named."""
        real = path.resolve()
        root = next((root for root in self.roots if real.is_relative_to(root)), None)
        name = "" if root is None else real.relative_to(root).as_posix()
        return name if name and has_video_suffix(name) and self.file(name) == real else None

    def videos(self) -> Iterator[tuple[str, Path]]:
        """Yield name and path of the files with a video suffix; a name may come twice.

        Hidden files and folders, links out of a folder, and folders more than 8 deep are skipped.
        """
        for root in self.roots:
            for entry in islice(_entries(root, 0), _MAX_ENTRIES):
                name = Path(entry.path).relative_to(root).as_posix()
                path = self.file(name) if has_video_suffix(name) else None
                if path is not None and has_video_suffix(path.name) and path.is_relative_to(root):
                    yield name, path


def has_video_suffix(name: str) -> bool:
    """Return whether a name is valid text and ends as a video's does."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return folder.has_video_suffix(name)


def _entries(above: Path, depth: int) -> Iterator[os.DirEntry[str]]:
    """Yield the files of a folder in order, then those of its subfolders."""
    try:
        with os.scandir(above) as scan:
            entries = [entry for entry in islice(scan, _MAX_ENTRIES) if not entry.name.startswith(".")]
    except OSError:
        return
    entries.sort(key=lambda entry: entry.name)
    folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    yield from (entry for entry in entries if not entry.is_dir(follow_symlinks=False))
    if depth < _MAX_DEPTH:
        for subfolder in folders:
            yield from _entries(Path(subfolder.path), depth + 1)


def _below(spellings: Sequence[Path], name: str) -> PurePath | None:
    """Return a name as a path below a folder, by its letters; None if it is an absolute path elsewhere."""
    path = PurePath(name)
    if not path.is_absolute():
        return path
    return next((path.relative_to(root) for root in spellings if path.is_relative_to(root)), None)


def _resolve(root: Path, below: PurePath) -> Path | None:
    """Return the file of a path below a folder, links resolved; None unless no step of it leaves the folder."""
    path = root
    try:
        for part in below.parts:
            path = path.parent if part == ".." else (path / part).resolve(strict=True)
            if not path.is_relative_to(root):
                return None
        return path if path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, contains NUL, circular links
        return None
