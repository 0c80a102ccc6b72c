"""Files that take long to make: made once for all processes of a run of the tests, and copied from then on."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

FOLDER = "TESTS_KEPT_IN"
"""The variable that names the folder where they lie; without it, everything is made anew."""

T = TypeVar("T")


def kept_file(path: Path, key: object, make: Callable[[Path], object]) -> None:
    """Write a file.

    Args:
        path: Where to; its suffix may matter to `make`.
        key: What tells it from others, by its `repr`.
        make: Makes it at a path.
    """
    place = _place(key, path.suffix)
    if place is None:
        make(path)
        return
    if not place.exists():
        own = place.with_name(f"{os.getpid()}-{place.name}")
        make(own)
        own.replace(place)
    shutil.copyfile(place, path)


def kept_value(key: object, make: Callable[[], T]) -> T:
    """Return a value that `make` makes; it must be one that pickles."""
    place = _place(key, ".pickle")
    if place is None:
        return make()
    if not place.exists():
        own = place.with_name(f"{os.getpid()}-{place.name}")
        own.write_bytes(pickle.dumps(make()))
        own.replace(place)
    return pickle.loads(place.read_bytes())  # a process of this run has written it


def _place(key: object, suffix: str) -> Path | None:
    folder = os.environ.get(FOLDER)
    return folder and Path(folder) / f"{hashlib.sha256(repr(key).encode()).hexdigest()[:32]}{suffix}"
