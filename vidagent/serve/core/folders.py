"""Folders whose videos may be named by path: what a name leads to, and what lies there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

_SUFFIXES = frozenset(
    ".3g2 .3gp .asf .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogg .ogm .ogv .ts .vob .webm .wmv".split()
)
"""Of the containers that are opened (`video.source`); a list for browsing, as what counts is how a file begins."""
_MOST_ENTRIES = 50_000
"""Looked at in one listing of a folder, so that one as large as a disk does not take minutes."""
_MOST_DEPTH = 8


class Folders:
    """Some folders, the first one first.

    Args:
        roots: The folders.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        """Resolve them once: a link in their own paths is their owner's."""
        self.roots = tuple(root.resolve() for root in roots)

    def file(self, name: str) -> Path | None:
        """Return the file of that name, links followed, if it lies in one of the folders."""
        return next((path for root in self.roots if (path := _under(root, name)) is not None), None)

    def videos(self) -> Iterator[tuple[str, Path]]:
        """Yield the files named like videos, and the names that lead to them, which may come twice.

        Hidden files and folders, links out of a folder, and folders more than 8 deep are passed over.
        """
        for root in self.roots:
            for entry in islice(_entries(root, 0), _MOST_ENTRIES):
                name = Path(entry.path).relative_to(root).as_posix()
                path = self.file(name) if is_named_so(name) else None
                if path is not None and is_named_so(path.name) and path.is_relative_to(root):
                    yield name, path


def is_named_so(name: str) -> bool:
    """Tell whether a name is text, and that of a video."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return Path(name).suffix.lower() in _SUFFIXES


def _entries(folder: Path, depth: int) -> Iterator[os.DirEntry[str]]:
    """Yield what lies in a folder: its files first, in order, then those of its folders."""
    try:
        with os.scandir(folder) as there:
            entries = [entry for entry in islice(there, _MOST_ENTRIES) if not entry.name.startswith(".")]
    except OSError:
        return
    entries.sort(key=lambda entry: entry.name)
    folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    yield from (entry for entry in entries if not entry.is_dir(follow_symlinks=False))
    if depth < _MOST_DEPTH:
        for below in folders:
            yield from _entries(Path(below.path), depth + 1)


def _under(root: Path, name: str) -> Path | None:
    """Return the file of that name, links followed, if it lies under the root."""
    try:
        path = (root / name).resolve(strict=True)
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, links in a circle
        return None
