"""The process that runs go on in: what comes of its death, of the server's, and of errors nobody foresaw."""

from __future__ import annotations

import asyncio
import os
import re
import threading

import httpx
import psutil
import pytest

from tests.serve.running import QUESTION, process, until
from vidagent.serve.core.worker.client import WorkerClient
from vidagent.serve.core.worker.protocol import RunRequest
from vidagent.types import Budget

pytestmark = pytest.mark.network

BODY = {"video": "clip.mp4", "question": QUESTION}


@pytest.fixture
def served(model, root, tmp_path):
    """Run a server in a process of its own; return its URL and that process."""
    with process(tmp_path, "--root", str(root)) as (url, serving):
        yield url, psutil.Process(serving.pid)


def worker(server: psutil.Process) -> psutil.Process:
    """Return the process that runs go on in: it is nicer than the server, and no decoder."""
    found: list[psutil.Process] = []

    def runs_on(child: psutil.Process) -> bool:
        try:
            return child.nice() > server.nice() and "vidagent.video.process.worker" not in child.cmdline()
        except psutil.NoSuchProcess:  # it has just ended
            return False

    def alone() -> bool:  # a process that is about to start another program looks like its parent
        found[:] = filter(runs_on, server.children(recursive=True))
        return len(found) == 1

    until(alone)
    return found[0]


def test_a_run_whose_process_dies_is_told_and_the_next_one_is_answered(served, model, plays):
    url, server = served
    plays.slow = True
    replies: list[httpx.Response] = []
    ask = threading.Thread(
        target=lambda: replies.append(httpx.post(f"{url}/vidagent/invoke", json={"input": BODY}, timeout=60))
    )
    ask.start()
    job = httpx.post(f"{url}/v1/jobs", json=BODY).json()["id"]
    until(lambda: model.steps.count("plan") == 2, 30)
    first = worker(server)
    decoders = first.children(recursive=True)
    first.kill()
    ask.join(30)
    assert replies[0].status_code == 503
    assert replies[0].headers["retry-after"] == "1"
    assert replies[0].json()["error"]["code"] == "run_lost"
    told = httpx.get(f"{url}/v1/jobs/{job}").json()
    assert (told["status"], told["error"]["code"]) == ("failed", "run_lost")
    assert len(decoders) == 3, "the template and a fork of it for each run"
    assert not psutil.wait_procs(decoders, timeout=10)[1]
    plays.slow = False
    answered = httpx.post(f"{url}/vidagent/invoke", json={"input": BODY}, timeout=60)
    assert answered.json()["output"]["status"] == "answered"
    assert worker(server) != first


def test_nothing_outlives_the_server(served, model, plays):
    url, server = served
    plays.slow = True
    httpx.post(f"{url}/v1/jobs", json=BODY)
    until(lambda: "plan" in model.steps, 30)
    below = server.children(recursive=True)
    assert worker(server) in below
    server.kill()
    assert not psutil.wait_procs(below, timeout=10)[1]


async def test_an_error_that_nobody_foresaw_says_where_it_came_from(root):
    client = WorkerClient()
    try:
        with pytest.raises(TypeError) as raised:
            await client.run(
                RunRequest(paths=(root / "clip.mp4",), question=QUESTION, options=5, budget=None), print
            )
    finally:
        await client.close()
    assert re.search(r'File ".*vidagent/api/\w+\.py", line \d+', "".join(raised.value.__notes__))


async def test_a_cancelled_run_has_ended_and_others_go_on(model, plays, root):
    plays.slow = True
    client = WorkerClient()
    request = RunRequest(paths=(root / "clip.mp4",), question=QUESTION, options=None, budget=Budget())
    try:
        one, other = (asyncio.create_task(client.run(request, lambda event: None)) for _ in range(2))
        await asyncio.to_thread(until, lambda: model.steps.count("plan") == 2, 30)
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        await asyncio.to_thread(until, lambda: model.gone == 1)
        plays.slow = False
        assert (await other).status == "answered"
    finally:
        await client.close()


async def test_the_worker_has_the_settings_of_when_it_started(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDAGENT_BASE_URL", "ftp://nowhere")
    monkeypatch.chdir(tmp_path)
    client = WorkerClient()
    try:
        with pytest.raises(Exception, match="ftp://nowhere"):
            await client.run(
                RunRequest(paths=(tmp_path / "clip.mp4",), question=QUESTION, options=None, budget=Budget()),
                print,
            )
    finally:
        await client.close()
    assert os.environ["VIDAGENT_BASE_URL"] == "ftp://nowhere"
