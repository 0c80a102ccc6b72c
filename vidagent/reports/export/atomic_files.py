"""Files that are whole or not there: written under another name beside their place, then renamed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give the path to write to; it takes the place of `path` when the block ends without an error."""
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write(path: Path, data: bytes) -> Path:
    """Write a whole file and return its path."""
    with whole(path) as part:
        part.write_bytes(data)
    return path


def numbered(path: Path, count: int) -> list[Path]:
    """Return the paths for so many files: the path itself for one, else `name-1.mp4`, `name-2.mp4` and so on."""
    if count == 1:
        return [path]
    digits = len(str(count))
    return [path.with_stem(f"{path.stem}-{number:0{digits}}") for number in range(1, count + 1)]
