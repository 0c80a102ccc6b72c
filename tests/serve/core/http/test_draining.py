"""Being told to end: what was asked has its answer, what is new is sent elsewhere, and readiness says so."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.scripted_server import ScriptedServer
from tests.serve.core.http.test_server import fault
from tests.serve.rest.routes.test_langserve_routes import body
from tests.serve.running import until

pytestmark = pytest.mark.network


@contextlib.contextmanager
def process(tmp_path, root) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """Run the server as a process of its own, and give a client of it."""
    words = [sys.executable, "-m", "vidagent", "serve", "--insecure-local", "--port", "0"]
    words += ["--data-dir", str(tmp_path / "data"), "--root", str(root)]
    log = tmp_path / "serve.log"
    with log.open("w") as stderr, subprocess.Popen(words, stderr=stderr, text=True) as server:
        try:
            until(lambda: re.search(r"serving (http://[\d.:]+);", log.read_text()), 60)
            url = re.search(r"serving (http://[\d.:]+);", log.read_text())[1]
            with httpx.Client(base_url=url, timeout=60) as client:
                yield server, client
        finally:
            server.kill()


@pytest.fixture
def held(plays) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Have the model hold its replies back; give what says that it was asked, and what lets it go on."""
    asked, free = threading.Event(), threading.Event()

    def play(request):
        asked.set()
        free.wait(60)
        return plays(request)

    with ScriptedServer(play) as model, pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDAGENT_BASE_URL", model.url)
        patch.setenv("VIDAGENT_MODEL", "scripted")
        yield asked, free
        free.set()


def test_a_server_that_is_about_to_end_says_so_and_answers_what_it_was_asked(held, root, tmp_path):
    asked, free = held
    replies: list[httpx.Response] = []
    with process(tmp_path, root) as (server, client):

        def ask() -> None:
            replies.append(client.post("/vidagent/invoke", json=body("invoke")))

        asking = threading.Thread(target=ask)
        assert client.get("/readyz").status_code == 200
        asking.start()
        assert asked.wait(60)
        server.send_signal(signal.SIGTERM)
        until(lambda: client.get("/readyz").status_code == 503)
        reply = client.get("/readyz")
        assert (fault(reply), reply.headers["retry-after"]) == ((503, "draining"), "10")
        reply = client.post("/vidagent/invoke", json=body("invoke"))
        assert (fault(reply), reply.headers["retry-after"]) == ((503, "draining"), "10")
        assert fault(client.post("/v1/files", files={"file": ("a.mp4", b"", "video/mp4")})) == (
            503,
            "draining",
        )
        assert client.get("/healthz").status_code == 200
        assert client.get("/v1/files").status_code == 200
        free.set()
        asking.join(60)
        assert server.wait(20) in {0, -signal.SIGTERM}
    assert replies[0].json()["output"]["answer"] == "Something is to be seen."


def test_a_second_signal_closes_the_port_at_once(held, root, tmp_path):
    asked, _ = held
    with process(tmp_path, root) as (server, client):
        asking = threading.Thread(target=lambda: _asked_in_vain(client))
        asking.start()
        assert asked.wait(60)
        server.send_signal(signal.SIGTERM)
        until(lambda: client.get("/readyz").status_code == 503)
        server.send_signal(signal.SIGTERM)
        until(lambda: not _listens(client), 3)  # of the 5 s that it would wait
        os.kill(server.pid, signal.SIGKILL)
        asking.join(60)


def test_a_server_with_nothing_to_do_ends(model, root, tmp_path):
    with process(tmp_path, root) as (server, client):
        assert client.get("/healthz").status_code == 200
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) in {0, -signal.SIGTERM}


def _asked_in_vain(client: httpx.Client) -> None:
    with contextlib.suppress(httpx.TransportError):
        client.post("/vidagent/invoke", json=body("invoke"))


def _listens(client: httpx.Client) -> bool:
    try:
        httpx.get(client.base_url.join("/healthz"))
    except httpx.TransportError:
        return False
    return True
