"""A tenant who takes all that a tenant can get takes nothing from another one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import httpx
import pytest

from tests.serve.core.http.test_server import fault
from tests.serve.core.storage.test_files import BOUND, END, FORM, left, upload
from tests.serve.core.storage.test_keys import Tenants
from tests.serve.rest import hanging_probe
from tests.serve.rest.routes.test_runs import invoked
from tests.serve.running import until
from vidagent import api
from vidagent.serve.core.worker import process, upload_probe

pytestmark = pytest.mark.network


@pytest.fixture
def data(root) -> bytes:
    return (root / "clip.mp4").read_bytes()


@contextlib.contextmanager
def sent(client: httpx.Client, count: int, body: bytes, length: int):
    """Send uploads with that body, of that announced length, and wait for no reply while the block runs."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            address = (client.base_url.host, client.base_url.port)
            sending = stack.enter_context(socket.create_connection(address))
            key = client.headers["authorization"]
            head = f"Host: 127.0.0.1\r\nAuthorization: {key}\r\nContent-Length: {length}\r\nContent-Type: {BOUND}"
            sending.sendall(f"POST /v1/files HTTP/1.1\r\n{head}\r\n\r\n".encode() + body)
        yield


def test_uploads_that_hang_whatever_reads_them(tenants: Tenants, data, tmp_path, monkeypatch):
    monkeypatch.setattr(process, "probe", hanging_probe.probe)
    body = FORM + data + END
    with sent(tenants.rival, 3, body, len(body)):
        until(lambda: len(left(tmp_path)) == 3, 30)
        kept = upload(tenants.acme, data)
        assert kept.status_code == 200
        assert len(left(tmp_path)) == 4
        assert tenants.rival.get("/v1/files").json()["data"] == []
    until(lambda: left(tmp_path) == [kept.json()["id"]], 30)


def test_an_upload_is_read_for_a_limited_time(tenants: Tenants, data, tmp_path, monkeypatch):
    monkeypatch.setattr(process, "probe", hanging_probe.probe)
    monkeypatch.setattr(upload_probe, "LIMIT_S", 0.5)
    reply = upload(tenants.rival, data)
    assert fault(reply) == (422, "video")
    assert "takes more than 0.5 s" in reply.text
    assert left(tmp_path) == []


def test_uploads_that_never_end(tenants: Tenants, data, tmp_path):
    with sent(tenants.rival, 8, FORM, 9000):
        until(lambda: len(left(tmp_path)) == 8, 30)
        reply = upload(tenants.rival, data)
        assert fault(reply) == (429, "too_many")
        assert "limit of uploads at once: 8" in reply.text
        assert upload(tenants.acme, data).status_code == 200
    until(lambda: len(left(tmp_path)) == 1, 30)


def test_reports_that_take_long(tenants: Tenants, monkeypatch):
    """Clips and reports are cut and written one at a time for each client."""
    report, running, most = api.report_run, 0, 0
    free = threading.Event()
    runs = [invoked(tenants.rival)["run_id"] for _ in range(2)]
    own = invoked(tenants.acme)["run_id"]

    async def slow(run_id, path, *, video):
        nonlocal running, most
        if run_id in runs:
            running, most = running + 1, max(most, running + 1)
            await asyncio.to_thread(free.wait, 120)
            running -= 1
        await report(run_id, path, video=video)

    monkeypatch.setattr(api, "report_run", slow)
    with ThreadPoolExecutor(9) as pool:
        asked = [pool.submit(tenants.rival.get, f"/v1/runs/{runs[n % 2]}/report") for n in range(9)]
        refused, waiting = wait(asked, 60, FIRST_COMPLETED)
        assert [fault(one.result()) for one in refused] == [(429, "too_many")]
        assert tenants.acme.get(f"/v1/runs/{own}/report").status_code == 200
        free.set()
        assert {one.result().status_code for one in waiting} == {200}
    assert most == 1
