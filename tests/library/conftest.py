"""A folder of drawn videos, a scripted embedding server, and a library of them, indexed once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedding_server import EmbeddingScript
from tests.library.drawn import paint
from tests.scripted_server import ScriptedServer, says
from tests.serve.conftest import command
from vidagent.api import Library

__all__ = ["command"]

ODD = "b ünï 'q\" \udcff.mp4"
"""A name with quotes, an accent, and a byte that is no UTF-8."""


@pytest.fixture(scope="session")
def painted(tmp_path_factory) -> Path:
    """Return a folder with four videos, in one of which a subtitle file is missing."""
    folder = tmp_path_factory.mktemp("painted")
    paint(folder / "a.mp4", ["red", "green", "blue"], [(0.5, 2, "The harbour lantern is lit")])
    paint(folder / "sub" / ODD, ["yellow", "violet"], [(1, 3, "We sail at dawn; the old harbours sleep")])
    paint(folder / "c.mkv", ["black", "white", "orange"])
    paint(folder / "灯台.mp4", ["teal"], [(0.5, 1.5, "港の灯台が見える")])
    (folder / ".hidden.mp4").write_bytes(b"x")
    (folder / "notes.txt").write_text("no video")
    return folder


@pytest.fixture(scope="session")
def colours() -> Iterator[tuple[ScriptedServer, EmbeddingScript]]:
    """Run an embedding server whose vectors are colours."""
    script = EmbeddingScript()
    with ScriptedServer([says("")], models=("colours",), routes={"/v1/embeddings": script}) as server:
        yield server, script


@pytest.fixture(scope="session")
def kept(painted, colours, tmp_path_factory) -> Path:
    """Return a folder with the videos and a cache in which they are indexed."""
    folder = tmp_path_factory.mktemp("kept")
    shutil.copytree(painted, folder / "videos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDAGENT_CACHE_DIR", str(folder / "cache"))
        patch.setenv("VIDAGENT_EMBEDDING_BASE_URL", colours[0].url)
        added = Library().add(folder / "videos", texts=False)
    assert (added.changes.new, added.indexed, added.failed) == (4, 4, ())
    return folder


@pytest.fixture
def indexed(kept, colours, monkeypatch) -> Path:
    """Return the folder of the videos that are indexed; for tests that change nothing."""
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(kept / "cache"))
    monkeypatch.setenv("VIDAGENT_EMBEDDING_BASE_URL", colours[0].url)
    return kept / "videos"


@pytest.fixture
def own(kept, colours, monkeypatch, tmp_path) -> Path:
    """Return a folder of videos that a test may change; the cache of their indexes is shared, the library is not."""
    shutil.copytree(kept / "videos", tmp_path / "own")
    shutil.copytree(kept / "cache" / "v1", tmp_path / "cache" / "v1")
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("VIDAGENT_EMBEDDING_BASE_URL", colours[0].url)
    return tmp_path / "own"
