"""Videos in folders: which files count as videos, and paths, folders and patterns that name them."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from vidagent.errors import UsageError

_SUFFIXES = frozenset(
    ".3g2 .3gp .asf .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogg .ogm .ogv .ts .vob .webm .wmv".split()
)
"""File name suffixes of the containers that `video.source` opens; for listings only, as opening checks the content."""


class FoundPath(str):
    """A path that was found in a folder or by a pattern; it is done without where it cannot be read."""

    __slots__ = ()


MAX_VIDEOS = 16
"""Most videos of one question."""


def has_video_suffix(name: str) -> bool:
    """Return whether a file name ends as a video's does."""
    return Path(name).suffix.lower() in _SUFFIXES


def videos_in(folder: str | Path) -> Iterator[Path]:
    """Yield the videos in a folder and its subfolders, in order; hidden files and links to folders are skipped."""
    for above, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(above, name)
            if not name.startswith(".") and has_video_suffix(name) and path.is_file():
                yield path


def expanded(paths: Iterable[str | Path]) -> list[str | Path]:
    """Replace folders by the videos in them, and patterns such as `talks/**/*.mp4` by the files that match.

    A file whose name looks like a pattern is that file, and a path that names nothing stays as it is.

    Raises:
        UsageError: If there is no video in a folder, no file matches a pattern, or they are more than `MAX_VIDEOS`.
    """
    given = list(paths)
    found: list[str | Path] = []
    for path in given:
        name = os.fspath(path)
        if name and Path(name).is_dir():
            inside = [FoundPath(one) for one in videos_in(name)]
            if not inside:
                raise UsageError(f"there is no video in the folder {name}")
            found += inside
        elif glob.has_magic(name) and "://" not in name and not os.path.lexists(name):
            matching = matches(name)
            if not matching:
                raise UsageError(f"no file matches {name}")
            found += map(FoundPath, matching)
        else:
            found.append(path)
    if len(found) > max(MAX_VIDEOS, len(given)):
        raise UsageError(
            f"a question is about 1 to {MAX_VIDEOS} videos, got {len(found)}; `vidagent library add` takes any number, "
            "and `vidagent ask --library` asks about those that fit best"
        )
    return found


def matches(pattern: str) -> list[str]:
    """Return the files that match a pattern such as `talks/**/*.mp4`, in order."""
    named = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - of absolute and relative patterns alike
    return [one for one in named if Path(one).is_file()]
