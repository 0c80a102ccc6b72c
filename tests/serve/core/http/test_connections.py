"""Connections of clients that stall, leave, lie about lengths, or are pages of other sites in a browser."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time

import httpx
import pytest

from tests.serve.core.http.test_server import fault
from tests.serve.core.storage.test_files import BOUND, END, FORM, left, upload
from tests.serve.mcp.running import over_http
from tests.serve.running import process, running, until
from vidagent.serve.core.http import protocol, request_middleware

pytestmark = pytest.mark.network
HOST = b"Host: 127.0.0.1\r\n"
POST = b"POST /v1/jobs HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
UPLOAD = b"POST /v1/files HTTP/1.1\r\n" + HOST + f"Content-Type: {BOUND}\r\n".encode()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with running(tmp_path_factory.mktemp("data")) as client:
        yield client


@pytest.fixture(scope="module")
def mcp_served(tmp_path_factory, root):
    with over_http(tmp_path_factory.mktemp("data"), root) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture(params=["rest", "mcp"])
def door(request, served, mcp_served):
    return {"rest": served, "mcp": mcp_served}[request.param]


@pytest.fixture
def hasty(monkeypatch):
    """Have the server wait for half a second where it waits for half a minute."""
    for module, name in [
        (protocol, "HEAD_S"), (protocol, "READ_S"), (request_middleware, "SILENCE_S"), (request_middleware, "GRACE_S"),
    ]:  # fmt: skip
        monkeypatch.setattr(module, name, 0.5)


def connected(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port), timeout=30)


def replies(client: httpx.Client, *parts: bytes, every_s: float = 0.0) -> bytes:
    """Send parts, one after the other, and return what comes back until the server closes the connection."""
    with connected(client) as sending:
        for part in parts:
            try:
                sending.sendall(part)
            except OSError:
                break
            time.sleep(every_s)
        return until_closed(sending)


def until_closed(connection: socket.socket) -> bytes:
    received = []
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            received.append(piece)
    return b"".join(received)


def statuses(received: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


AMBIGUOUS = {
    "a length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 0\r\n\r\n",
    "a list of lengths": b"Content-Length: 5, 0\r\n\r\n",
    "a signed length": b"Content-Length: +0\r\n\r\n",
    "a length in words": b"Content-Length: 0x0\r\n\r\n",
    "another coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two codings": b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a carriage return within": b"X: a\rContent-Length: 5\r\n\r\n",
    "a zero byte": b"X: a\0\r\n\r\n",
    "a chunk of odd size": b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}{}\r\n0\r\n\r\n",
    "two hosts": HOST + b"\r\n",
}


@pytest.mark.parametrize("body", AMBIGUOUS)
def test_a_request_that_proxies_read_differently_ends_the_connection(door, body):
    """What stands behind it is never taken for a request of its own."""
    assert statuses(replies(door, POST + AMBIGUOUS[body] + HEALTH)) == [400]


def test_chunks_are_not_for_older_clients(served):
    head = POST.replace(b"HTTP/1.1", b"HTTP/1.0")
    assert statuses(replies(served, head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HEALTH)) == [400]


def test_one_length_said_twice_is_that_length(served):
    """RFC 9110, 8.6: what follows the body is the next request, for everybody."""
    again = HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    lengths = b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"
    assert statuses(replies(served, POST + lengths + again)) == [422, 200]


STALLED = {
    "no byte": (),
    "half a head": (HEALTH[:20],),
    "a head byte by byte": tuple(HEALTH[:20].partition(b" ")) + (b"x",) * 20,
    "a request, then half a head": (HEALTH, HEALTH[:20]),
    "an answered request whose body never ends": (
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 99\r\n\r\n", *[b"x"] * 20,
    ),
}  # fmt: skip


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("parts", STALLED)
def test_a_connection_that_stalls_is_ended(door, parts):
    began = time.monotonic()
    replies(door, *STALLED[parts], every_s=0.1)
    assert time.monotonic() - began < 8


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("parts", [(b"{",), (b"{", *[b" "] * 30)], ids=["silence", "byte by byte"])
def test_a_body_that_comes_too_slowly_is_refused(served, parts):
    received = replies(served, POST + b"Content-Length: 1000\r\n\r\n", *parts, every_s=0.1)
    assert statuses(received) == [408]
    assert b'"too_slow"' in received


@pytest.mark.usefixtures("hasty")
def test_an_upload_may_be_slow_but_not_still(root, tmp_path):
    data = (root / "clip.mp4").read_bytes()
    step = len(data) // 8
    pieces = [data[start : start + step] for start in range(0, len(data), step)]
    with running(tmp_path) as client:
        length = f"Content-Length: {len(FORM + data + END)}\r\nConnection: close\r\n\r\n".encode()
        assert statuses(replies(client, UPLOAD + length, FORM, *pieces, END, every_s=0.15)) == [200]
        assert statuses(replies(client, UPLOAD + length, FORM, pieces[0])) == [408]
        assert len(left(tmp_path)) == 1


@pytest.mark.usefixtures("hasty")
def test_a_client_that_does_not_read_is_left(root, tmp_path):
    large = (root / "clip.mp4").read_bytes() + b"\0" * 30_000_000
    with running(tmp_path) as client:
        id_ = upload(client, large).json()["id"]
        with connected(client) as sending:
            sending.sendall(f"GET /v1/files/{id_}/content HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            time.sleep(1.5)
            assert len(until_closed(sending)) < len(large)
        assert client.get(f"/v1/files/{id_}/content").content == large


def test_a_client_that_leaves_amid_its_body_is_one_line_of_the_log(tmp_path):
    with process(tmp_path) as (url, serving):
        address = httpx.URL(url)
        for head in (UPLOAD, POST):
            with socket.create_connection((address.host, address.port)) as leaving:
                leaving.sendall(head + b"Content-Length: 1000000\r\n\r\n" + FORM)
                time.sleep(0.5)
        until(lambda: not left(tmp_path))
        time.sleep(0.5)
        serving.terminate()
        said = [json.loads(line) for line in serving.stderr.read().splitlines()]
    told = [line for line in said if "request" in line]
    assert [(line["message"], line["route"], line["status"]) for line in told] == [
        ("request", "/v1/files", 499), ("request", "/v1/jobs", 499),
    ]  # fmt: skip
    assert {line["level"] for line in said} == {"info"}


SITES = {"cross-site": 403, "same-site": 403, "same-origin": 200, "none": 200}


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("path", ["/v1/files", "/v1/videos", "/v1/runs", "/metrics", "/openapi.json", "/"])
def test_pages_of_other_sites_read_nothing_without_keys(served, path, site):
    reply = served.get(path, headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})
    assert reply.status_code == SITES[site]
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"
    if site in {"cross-site", "same-site"}:
        assert fault(reply) == (403, "wrong_origin")


def test_pages_of_other_sites_send_nothing_without_keys(door):
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://example.org"}):
        reply = door.post("", headers={**headers, "Content-Type": "text/plain"}, content="{}")
        assert fault(reply) == (403, "wrong_origin")
        assert reply.headers["cross-origin-resource-policy"] == "same-origin"


def test_another_site_may_link_to_the_page_alone(served):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert served.get("/", headers=link).status_code == 200
    assert fault(served.get("/v1/files", headers=link)) == (403, "wrong_origin")
