"""Folders that only their owner can open."""

from __future__ import annotations

from pathlib import Path


def make_private(folder: Path) -> Path:
    """Create a folder, and those above it that are missing, with mode 0700; return it.

    Raises:
        OSError: If it cannot be created.
    """
    missing = []
    for path in (folder, *folder.parents):
        if path.is_dir():
            break
        missing.append(path)
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
    return folder
