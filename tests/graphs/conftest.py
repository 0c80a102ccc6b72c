"""Clips of every kind, made once for the session."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.media.make import CLIPS, Clip


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Clip]:
    """Return the function from a name in `CLIPS` to its clip."""
    folder, made = tmp_path_factory.mktemp("clips"), {}

    def make(name: str) -> Clip:
        if name not in made:
            made[name] = CLIPS[name](folder)
        return made[name]

    return make
