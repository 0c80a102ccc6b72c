"""The videos of a benchmark in a folder, found by the names in its annotations."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from vidagent.errors import UsageError

_SUFFIXES = frozenset(
    {".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".ts", ".flv", ".wmv"}
)


class Shelf:
    """Knows the videos below a folder by path, by path without suffix, by file name, and by that without suffix.

    A name only picks one of the files that were found, so no name leads out of the folder.

    Args:
        folder: The folder.

    Raises:
        UsageError: If it is no folder.
    """

    def __init__(self, folder: Path) -> None:
        """List the videos."""
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder of videos")
        self.folder = folder
        self._known: dict[str, Path] = {}
        for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES):
            for name in _names(path.relative_to(folder).as_posix()):
                self._known.setdefault(name, path)

    def find(self, name: str) -> Path | None:
        """Return the video of a name, or None: first by the path given, then by the file's name alone."""
        return next((self._known[one] for one in _names(name) if one in self._known), None)


def _names(path: str) -> Iterable[str]:
    pure = PurePosixPath(path)
    bare = pure.with_suffix("") if pure.suffix.lower() in _SUFFIXES else pure
    return dict.fromkeys((str(pure), str(bare), pure.name, bare.name))
