"""Folders whose videos may be named by path: what a name leads to, and what lies there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["Folders"]

_SUFFIXES = frozenset(
    ".3g2 .3gp .asf .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split()
)
"""Of the containers that are opened (`video.source`); a list for browsing, as what counts is how a file begins."""
_MOST_ENTRIES = 100_000
"""Looked at in one listing, so that a folder as large as a disk does not take minutes."""


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
        """Yield the files named like videos, and the names that lead to them; hidden ones are passed over.

        Of two files of one name, the one that the name leads to is yielded.
        """
        looked_at = 0
        for root in self.roots:
            for folder, inner, files in os.walk(root):
                inner[:] = sorted(name for name in inner if not name.startswith("."))
                looked_at += len(files) + len(inner)
                if looked_at > _MOST_ENTRIES:
                    return
                for file in sorted(files):
                    path = Path(folder, file)
                    name = str(path.relative_to(root))
                    if path.suffix.lower() in _SUFFIXES and not file.startswith("."):
                        led_to = self.file(name)
                        if led_to is not None and led_to.is_relative_to(root):
                            yield name, led_to


def _under(root: Path, name: str) -> Path | None:
    """Return the file of that name, links followed, if it lies under the root."""
    try:
        path = (root / name).resolve(strict=True)
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, links in a circle
        return None
