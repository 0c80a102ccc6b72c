"""Atomic writes: a file is written under a temporary name in its folder, then renamed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path, which is renamed to `path` when the block ends without an error."""
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write(path: Path, data: bytes) -> Path:
    """Write a file and return its path."""
    with atomic(path) as part:
        part.write_bytes(data)
    return path


def numbered(path: Path, count: int) -> list[Path]:
    """Return the paths of `count` files: the path itself for one, else `name-1.mp4`, `name-2.mp4` and so on."""
    if count == 1:
        return [path]
    digits = len(str(count))
    return [path.with_stem(f"{path.stem}-{number:0{digits}}") for number in range(1, count + 1)]
