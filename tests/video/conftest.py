"""Clips of every kind, made once for the whole session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.media.make import CLIPS, Clip
from tests.media.truth import Truth, full_decode


class Shelf:
    """Makes clips on demand and keeps them, with what a full decode of each shows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clips: dict[str, Clip] = {}
        self._truths: dict[str, Truth] = {}

    def clip(self, name: str) -> Clip:
        """Return a clip of `CLIPS`."""
        if name not in self._clips:
            self._clips[name] = CLIPS[name](self._folder)
        return self._clips[name]

    def truth(self, name: str) -> Truth:
        """Return what a full decode of the clip shows."""
        if name not in self._truths:
            self._truths[name] = full_decode(self.clip(name).path)
        return self._truths[name]


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Return the shelf of clips."""
    return Shelf(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def clip_path(shelf: Shelf) -> Callable[[str], Path]:
    """Return the function from a clip's name to its path."""
    return lambda name: shelf.clip(name).path
