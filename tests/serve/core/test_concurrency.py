"""Limits on what goes on at once, and the counters."""

from __future__ import annotations

import re
import threading
import time
from contextlib import contextmanager

import httpx
import pytest

from tests.serve.core.http.test_server import fault
from tests.serve.rest.routes.test_langserve_routes import ROUTES, body
from tests.serve.running import running, until
from vidagent.errors import UsageError
from vidagent.serve.core.http.options import ServerOptions

pytestmark = pytest.mark.network


@contextmanager
def asking(client: httpx.Client, model, count: int = 1):
    """Keep questions going on while the block runs; the planner's replies have to be slow."""

    def ask() -> None:
        with httpx.Client(base_url=client.base_url, timeout=60) as one:
            one.post("/vidagent/invoke", json=body("invoke"))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    until(lambda: model.steps.count("plan") >= count, 30)
    yield
    for thread in threads:
        thread.join(30)


def numbers(client: httpx.Client) -> dict[str, float]:
    lines = re.findall(r"^(\w+(?:\{[^}]*\})?) (\S+)$", client.get("/metrics").text, re.MULTILINE)
    return {name: float(value) for name, value in lines}


@pytest.mark.parametrize(("total", "each", "wanted"), [(2, 1, (429, "too_many")), (1, 2, (503, "busy"))])
def test_too_many_are_told_when_to_come_back(model, plays, root, tmp_path, total, each, wanted):
    plays.slow = True
    with running(tmp_path, roots=(root,), running=total, running_each=each) as client:
        with asking(client, model):
            for route in ROUTES:
                began = time.monotonic()
                reply = client.post(f"/vidagent/{route}", json=body(route))
                assert fault(reply) == wanted
                assert 1 <= int(reply.headers["retry-after"]) <= 60
                assert time.monotonic() - began < 1
            assert client.get("/healthz").status_code == 200
            assert client.get("/v1/files").status_code == 200
            assert numbers(client)["vidagent_running"] == 1
            plays.slow = False
        assert until(lambda: numbers(client)["vidagent_running"] == 0) < 5
        assert client.post("/vidagent/invoke", json=body("invoke")).status_code == 200


def test_a_refused_request_frees_its_lane(model, root, tmp_path):
    with running(tmp_path, roots=(root,), running=1, running_each=1) as client:
        for _ in range(3):
            assert client.post("/vidagent/invoke", json={"input": {}}).status_code == 422
        assert client.post("/vidagent/invoke", json=body("invoke")).status_code == 200


def test_what_is_counted(client):
    client.post("/vidagent/invoke", json=body("invoke"))
    client.post("/vidagent/stream", json=body("stream"))
    client.get("/nowhere/1")
    client.get("/nowhere/2")
    client.request("BREW", "/nowhere/3")
    other = 'vidagent_requests_total{method="other",route="none",status="404"}'
    until(lambda: other in numbers(client))  # a request is counted once its reply is on its way
    counted = numbers(client)
    assert counted['vidagent_requests_total{method="POST",route="/vidagent/invoke",status="200"}'] == 1
    assert counted['vidagent_requests_total{method="GET",route="none",status="404"}'] == 2
    assert counted[other] == 1
    assert counted['vidagent_request_seconds_count{route="/vidagent/stream"}'] == 1
    assert counted['vidagent_answers_total{status="answered"}'] == 2
    assert counted['vidagent_cost_total{kind="model_calls"}'] >= 8
    assert counted["process_open_fds"] > 0


@pytest.mark.parametrize(
    ("name", "flag"), [("running", "--max-running"), ("running_each", "--max-per-client")]
)
def test_no_lanes_at_all(name, flag):
    with pytest.raises(UsageError, match=f"{flag} must be 1 or more; got 0"):
        ServerOptions(**{name: 0})
