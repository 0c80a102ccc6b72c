"""The search of the library over REST: only what is served, by the names one asks with, with a frame of each hit."""

from __future__ import annotations

import pytest

from tests.library.conftest import colours, indexed, kept, painted
from tests.serve.running import running
from vidagent.images import jpeg

__all__ = ["colours", "indexed", "kept", "painted"]
pytestmark = pytest.mark.network


@pytest.fixture
def serve(indexed, tmp_path):
    """Return a function that serves a folder of the library."""
    return lambda folder: running(tmp_path / "data", roots=(folder,))


def test_hits_are_named_as_one_asks_and_have_frames(serve, indexed):
    with serve(indexed) as client:
        found = client.get("/v1/library/find", params={"query": "red", "limit": 2}).json()
        place = {"video": found["hits"][0]["video"], "time_s": found["hits"][0]["time_s"]}
        assert place == {"video": "a.mp4", "time_s": 0.0}
        assert (found["searched"], found["notes"]) == (4, [])
        picture = jpeg.decode(client.get("/v1/videos/frame", params={**place, "side_px": 64}).content)
        assert picture[30, 30, 0] > 180 > 90 > picture[30, 30, 2]
        for bad in ({}, {"query": " "}, {"query": "x", "limit": 1000}):
            assert client.get("/v1/library/find", params=bad).status_code == 422


def test_nothing_of_other_folders_is_found_or_counted(serve, indexed, tmp_path):
    empty = tmp_path / "served"
    empty.mkdir()
    with serve(empty) as client:
        found = client.get("/v1/library/find", params={"query": "harbour"}).json()
    assert (found["hits"], found["searched"]) == ([], 0)
    assert found["notes"] == [
        "no video of this server is indexed: `vidagent library add DIR` on it does that"
    ]


def test_where_the_embedding_server_is_is_not_told(serve, indexed, monkeypatch):
    monkeypatch.setenv("VIDAGENT_EMBEDDING_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("VIDAGENT_EMBEDDING_MODEL", "colours")
    with serve(indexed) as client:
        found = client.get("/v1/library/find", params={"query": "lantern"}).json()
    assert [hit["video"] for hit in found["hits"]] == ["a.mp4"]
    assert found["notes"][0].startswith(
        "only words were searched: the embedding server at … cannot be reached"
    )
