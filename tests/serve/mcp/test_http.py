"""The server over HTTP: who is let in, by which name, and whose a session is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.serve.core.http.test_server import fault
from tests.serve.mcp.running import over_http
from tests.serve.running import QUESTION, until
from vidagent import api
from vidagent.errors import UsageError
from vidagent.serve.core.storage.database import Store
from vidagent.serve.core.storage.keys import ApiKeys
from vidagent.serve.mcp import http

pytestmark = pytest.mark.network
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
ASK = {
    "jsonrpc": "2.0",
    "id": 3,
    "method": "tools/call",
    "params": {"name": "ask", "arguments": {"video": "clip.mp4", "question": QUESTION}},
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


def say(url: str, message=HELLO, **headers) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(url, json=message, headers={**ACCEPT, **names}, timeout=30)


@pytest.fixture
def keys(tmp_path):
    """Return a function that makes a key of an owner."""

    def add(owner: str, *scopes: str) -> str:
        store = Store(tmp_path)
        try:
            return ApiKeys(store).add(owner, scopes or ("ask",))
        finally:
            store.close()

    return add


def test_it_says_hello(tmp_path, root):
    with over_http(tmp_path, root) as url:
        reply = say(url)
        assert reply.status_code == 200
        assert '"name":"vidagent"' in reply.text
        assert reply.headers["x-request-id"].startswith("req-")
        assert httpx.get(url.removesuffix("/mcp")).status_code == 404


@pytest.mark.parametrize(
    "host", ["example.org", "127.0.0.1.example.org", "192.168.0.1", "[::1", "localhost.evil.org"]
)
def test_other_names_of_this_machine_are_refused(tmp_path, root, host):
    with over_http(tmp_path, root) as url:
        assert fault(say(url, host=host)) == (403, "wrong_host")


@pytest.mark.parametrize(
    "origin", ["https://example.org", "null", "http://127.0.0.1:1", "http://localhost.evil.org"]
)
def test_pages_of_other_sites_are_refused(tmp_path, root, origin):
    with over_http(tmp_path, root) as url:
        assert fault(say(url, origin=origin)) == (403, "wrong_origin")


def test_keys_are_asked_for(tmp_path, root, keys):
    key, other = keys("acme"), keys("metrics", "metrics")
    with over_http(tmp_path, root, keys=True) as url:
        assert fault(say(url)) == (401, "no_key")
        assert fault(say(url, authorization="Bearer vk-00000000-" + "x" * 43)) == (401, "no_key")
        assert fault(say(url, authorization=f"Bearer {other}")) == (403, "no_scope")
        assert say(url, authorization=f"Bearer {key}").status_code == 200
        assert fault(httpx.get(url.replace("/mcp", "/anything"))) == (401, "no_key")
        assert fault(httpx.get(url.replace("/mcp", "/healthz"))) == (404, "not_found")


def test_a_session_is_its_owners_alone(tmp_path, root, keys):
    mine, yours = (f"Bearer {keys(owner)}" for owner in ("mine", "yours"))
    with over_http(tmp_path, root, keys=True) as url:
        session = say(url, authorization=mine).headers["mcp-session-id"]
        assert say(url, LIST, authorization=mine, mcp_session_id=session).status_code == 200
        assert say(url, LIST, authorization=yours, mcp_session_id=session).status_code == 404


def test_with_keys_too_only_known_names_lead_here(tmp_path, root, keys):
    key = f"Bearer {keys('acme')}"
    with over_http(tmp_path, root, keys=True, names=["films.example.org"]) as url:
        for known in ("films.example.org", "films.example.org:8090", "127.0.0.1:1"):
            assert say(url, authorization=key, host=known).status_code == 200
        assert say(url, authorization=key, host="evil.example.org").status_code == 421
        assert say(url, authorization=key, origin="https://films.example.org").status_code == 200
        assert say(url, authorization=key, origin="https://evil.example.org").status_code == 403


def test_large_bodies_are_refused(tmp_path, root):
    with over_http(tmp_path, root) as url:
        assert say(url, {**HELLO, "filler": "x" * (5 << 20)}).status_code == 413


@contextlib.asynccontextmanager
async def with_key(url: str, key: str) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as sender,
        Client(streamable_http_client(url, http_client=sender), mode="legacy") as client,
    ):
        yield client


async def test_a_client_with_a_key_asks(tmp_path, root, keys, model):
    key = keys("acme")
    with over_http(tmp_path, root, keys=True) as url:
        async with with_key(url, key) as client:
            asked = {"video": "clip.mp4", "question": "When is it seen?", "session": "one"}
            result = await client.call_tool("ask", asked)
    assert result.structured_content["status"] == "answered"


async def test_what_a_client_offers_opens_nothing(tmp_path, root, place, offering):
    with over_http(tmp_path, root) as url:
        async with Client(url, mode="legacy", list_roots_callback=offering(place / "outside")) as client:
            assert (await client.call_tool("probe", {"video": "secret.mp4"})).is_error
            assert not (await client.call_tool("probe", {"video": "clip.mp4"})).is_error


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--http"], "--http needs --root DIR: the folder whose videos clients may name"),
        (["--http", "--root", "none"], "--root must be a folder; got 'none'"),
        (["--http", "--root", ".", "--host", "192.0.2.1"], "there are no API keys"),
        (["--http", "--root", ".", "--keys"], "there are no API keys"),
        (["--http", "--root", ".", "--port", "70000"], "--port must be 0 to 65535; got 70000"),
    ],
)
def test_what_cannot_be_served_is_one_line(command, tmp_path, arguments, line):
    done = command("mcp", *arguments, "--data-dir", str(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1].startswith(f"vidagent: {line}")


def test_every_address_needs_a_name():
    with pytest.raises(UsageError, match="--public-name HOST says which name clients use"):
        http._transport_security("0.0.0.0", ())


def test_the_process_says_where_it_listens_and_ends_on_a_signal(tmp_path, root):
    command = [sys.executable, "-m", "vidagent", "mcp", "--http", "--port", "0", "--root", str(root)]
    with subprocess.Popen(
        [*command, "--data-dir", str(tmp_path)], stderr=subprocess.PIPE, text=True
    ) as process:
        line = ""
        while "streamable HTTP" not in line:
            line = process.stderr.readline()
            assert line
        url = re.search(r"http://[\d.:]+/mcp", line)[0]
        assert say(url).status_code == 200
        assert say(url, {"no": "message"}).status_code == 400
        process.send_signal(signal.SIGTERM)
        logged = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert [line["status"] for line in logged if line["message"] == "request"] == [200, 400]
    assert process.returncode in {0, -signal.SIGTERM}


def test_a_line_that_breaks_ends_the_run_though_its_session_lives_on(tmp_path, root, model, plays):
    plays.slow = True
    with over_http(tmp_path, root) as url:
        session = say(url).headers["mcp-session-id"]
        parts = urlsplit(url)
        leaving = HTTPConnection(parts.hostname, parts.port)
        headers = {**ACCEPT, "Content-Type": "application/json", "Mcp-Session-Id": session}
        leaving.request("POST", parts.path, json.dumps(ASK), headers)
        until(lambda: "plan" in model.steps, 60)
        leaving.close()
        until(lambda: model.gone, 20)
        assert say(url, LIST, mcp_session_id=session).status_code == 200


async def test_a_client_who_looks_at_much_keeps_nobody_waiting(tmp_path, root, keys, monkeypatch):
    look, free, running, most = api.look_at, threading.Event(), 0, 0

    async def slow(path, start_s, end_s, **named):
        nonlocal running, most
        if end_s == 3:  # a busy client's
            running, most = running + 1, max(most, running + 1)
            await asyncio.to_thread(free.wait, 60)
            running -= 1
        return await look(path, start_s, end_s, **named)

    monkeypatch.setattr(api, "look_at", slow)
    tokens = [keys("busy"), keys("acme")]
    with over_http(tmp_path, root, keys=True) as url:
        async with with_key(url, tokens[0]) as busy, with_key(url, tokens[1]) as acme:
            asked = {"video": "clip.mp4", "start_s": 0, "max_frames": 1}
            looks = [asyncio.create_task(busy.call_tool("look", {**asked, "end_s": 3})) for _ in range(6)]
            while running < 2:
                await asyncio.sleep(0.01)
            assert not (await acme.call_tool("look", {**asked, "end_s": 2})).is_error
            free.set()
            assert not any(result.is_error for result in await asyncio.gather(*looks))
    assert most == 2
