"""The videos under a folder, by the names that one may ask with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from vidagent.serve import download
from vidagent.serve.rest.files import PREFIX
from vidagent.serve.rest.media import VIDEO_SUFFIXES
from vidagent.serve.rest.models import VideoListed

__all__ = ["videos"]

_MOST_VIDEOS = 1000
_MOST_ENTRIES = 50_000
_MOST_DEPTH = 8


def videos(roots: Sequence[Path]) -> list[VideoListed]:
    """Return the videos under the folders, at most a thousand, by name; of two with one name, that which it leads to.

    Hidden files and folders, links out of a folder and folders more than 8 deep are left out.

    Args:
        roots: The folders, resolved.
    """
    found: dict[str, VideoListed] = {}
    for root in roots:
        for name, size in islice(_under(root), _MOST_VIDEOS):
            found.setdefault(name, VideoListed(name=name, bytes=size))
    return sorted(found.values(), key=lambda video: video.name)[:_MOST_VIDEOS]


def _under(root: Path) -> Iterator[tuple[str, int]]:
    for entry in islice(_entries(root, 0), _MOST_ENTRIES):
        name = Path(entry.path).relative_to(root).as_posix()
        if Path(name).suffix.lower() not in VIDEO_SUFFIXES or not _may_be_asked(name):
            continue
        try:
            place = Path(entry.path).resolve(strict=True)
            if place.is_relative_to(root) and place.is_file():
                yield name, place.stat().st_size
        except (OSError, RuntimeError):
            continue


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


def _may_be_asked(name: str) -> bool:
    """Tell whether a name is text, and is not taken for an upload's or an address."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return not name.startswith(PREFIX) and not download.is_url(name)
