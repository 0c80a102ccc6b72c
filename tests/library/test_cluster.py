"""A library indexed on a Ray cluster of two nodes on this machine, of which one is lost."""

from __future__ import annotations

import shutil

import pytest

from tests.serve.batch.test_cluster import cluster
from vidagent import Library

__all__ = ["cluster"]
pytest.importorskip("ray", reason="the extra `ray` is not installed")
pytestmark = [
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray's own, at its start and end
]


def test_a_node_is_lost_and_no_video_is(painted, cluster, tmp_path):
    there, nodes = cluster
    for number in range(6):
        for path in painted.glob("[ac].m*"):
            shutil.copy(path, tmp_path / f"{number}-{path.name}")
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(1000))
    done = []

    def lose_one(one) -> None:
        done.append(one.path.name)
        if len(done) == 3:
            there.remove_node(nodes[0], allow_graceful=False)

    library = Library()
    added = library.add(tmp_path, texts=False, ray=there.address, on_done=lose_one)
    assert (added.indexed, [one.path.name for one in added.failed]) == (12, ["broken.mp4"])
    assert len(done) == len(set(done)) == 13
    assert library.status().counts == {"indexed": 12, "waiting": 0, "failed": 1, "gone": 0}
