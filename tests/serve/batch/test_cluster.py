"""Batches on a real Ray cluster of two nodes on this machine."""

from __future__ import annotations

import json
import random
import threading
import time

import psutil
import pytest

from tests.scripted_server import ScriptedServer
from tests.serve.batch.conftest import (
    MODEL,
    WAIT_S,
    command_line,
    interrupt,
    process,
    slowly,
    wait_for,
    write_lines,
)

pytest.importorskip("ray", reason="the extra `ray` is not installed")

pytestmark = [
    pytest.mark.network,
    pytest.mark.filterwarnings("ignore"),  # Ray's own, at its start and end
]


@pytest.fixture
def cluster(monkeypatch):
    """Start a head without CPUs and two nodes with two each, all on the loopback: tests reach nothing else.

    The setting, which Ray has for systems whose firewall asks, also keeps those who join from taking the machine's
    address in the network for the loopback's; as Ray reads it once, it is put into this process by hand.
    """
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    monkeypatch.setattr("ray._private.ray_constants.ENABLE_RAY_CLUSTER", False)
    from ray.cluster_utils import Cluster

    small = {"object_store_memory": 100_000_000, "node_ip_address": "127.0.0.1"}
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **small}
    )
    nodes = [cluster.add_node(num_cpus=2, **small) for _ in range(2)]
    yield cluster, nodes
    cluster.shutdown()


@pytest.mark.slow
def test_a_node_is_lost_and_no_line_is(batch, results, cluster, tmp_path):
    there, nodes = cluster
    draw = random.Random(5)
    names = [f"{name}.mp4" for name in "abc"]
    lines = [{"video": draw.choice(names), "text": f"When is {n} seen?", "num_frames": 2} for n in range(60)]
    lines.append({"video": "none.mp4", "text": "What?"})
    out = tmp_path / "out.jsonl"

    def lose():
        while not out.exists() or out.read_bytes().count(b"\n") < 5:
            time.sleep(0.05)
        there.remove_node(nodes[1], allow_graceful=False)

    killer = threading.Thread(target=lose, daemon=True)
    killer.start()
    with (
        ScriptedServer(slowly(0.5), api_key="sk-secret-key") as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("VIDAGENT_API_KEY", "sk-secret-key")
        done = batch(
            lines, *MODEL, "--base-url", server.url, "--ray", there.address, "--concurrency", "2", "--ordered"
        )
    killer.join(60)
    assert done.code == 3, done.err
    assert [one["text"] for one in results()] == [line["text"] for line in lines]
    assert [one["error"]["type"] for one in results() if "error" in one] == ["video"]
    assert "given out again" in done.err
    assert "sk-secret-key" not in done.err + json.dumps(results())


@pytest.mark.slow
def test_ctrl_c_leaves_whole_lines_and_no_task_and_the_same_command_goes_on(cluster, clips, tmp_path):
    there, _ = cluster
    lines = [
        {"video": f"{'abc'[n % 3]}.mp4", "text": f"When is {n} seen?", "num_frames": 2} for n in range(40)
    ]
    write_lines(tmp_path, lines)
    out = tmp_path / "out.jsonl"

    with ScriptedServer(slowly(0.5)) as server:
        ray = ("--ray", there.address, "--concurrency", "2")
        arguments = [*command_line(tmp_path, clips), *MODEL, "--base-url", server.url, *ray]
        with process(*arguments) as running:
            wait_for(out, 5, running)
            assert tasks()
            interrupt(running)
        kept = out.read_bytes()
        assert kept.endswith(b"\n")
        assert 5 <= len([json.loads(line)["answer"] for line in kept.splitlines()]) < len(lines)
        until_s = time.monotonic() + 30
        while tasks() and time.monotonic() < until_s:
            time.sleep(0.1)
        assert tasks() == []
        asked = len(server.bodies)
        time.sleep(2)
        assert len(server.bodies) == asked
        with process(*arguments) as again:
            _, said = again.communicate(timeout=WAIT_S)
    assert again.returncode == 0, said
    assert out.read_bytes().startswith(kept)
    written = [json.loads(line)["text"] for line in out.read_text().splitlines()]
    assert sorted(written) == sorted(line["text"] for line in lines)


def tasks() -> list[int]:
    """Return the processes of the cluster that answer lines, as Ray names them."""
    found = []
    for one in psutil.Process().children(recursive=True):
        try:
            found += [one.pid] if "_answer_there" in " ".join(one.cmdline()) else []
        except psutil.NoSuchProcess:
            continue
    return found


def test_no_cluster_is_a_usage_error(batch):
    done = batch([{"video": "a.mp4", "text": "What?"}], *MODEL, "--ray", "127.0.0.1:1")
    assert done.code == 2
    assert "no Ray cluster at 127.0.0.1:1" in done.err
