"""What uploads and fetched videos may take: a part of the disk stays free, and each owner has a limit."""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.serve.core.http.test_server import fault
from tests.serve.core.storage.test_files import BOUND, END, FORM, left, upload
from tests.serve.rest.routes.test_langserve_routes import body
from tests.serve.running import running, until
from vidagent.errors import UsageError
from vidagent.serve.core import download
from vidagent.serve.core.http.options import ServerOptions
from vidagent.serve.core.storage.database import Store
from vidagent.serve.core.storage.disk import Disk
from vidagent.serve.core.storage.keys import ApiKeys

pytestmark = pytest.mark.network
MB = 1_000_000
ENDLESS_MB = 1e12
"""More than any disk has."""


@pytest.fixture
def data(root) -> bytes:
    return (root / "clip.mp4").read_bytes()


def refused(reply) -> str:
    """Return the message of an error that says that there is no room."""
    assert fault(reply)[0] == 507
    return reply.json()["error"]["message"]


def test_a_full_disk_is_not_ready(model, tmp_path):
    with running(tmp_path, min_free_mb=ENDLESS_MB) as client:
        reply = client.get("/readyz")
        assert fault(reply) == (503, "disk_full")
        assert reply.headers["retry-after"] == "60"
        assert client.get("/healthz").status_code == 200


def test_a_full_disk_takes_no_uploads(data, tmp_path):
    with running(tmp_path, min_free_mb=ENDLESS_MB) as client:
        reply = upload(client, data)
        assert fault(reply) == (507, "disk_full")
        assert re.search(
            r"has [\d,]+ bytes free.* the 1,0{3}(,0{3}){5} kept free \(--min-free-mb\)", refused(reply)
        )
    assert left(tmp_path) == []


def test_an_upload_that_would_leave_too_little_is_refused_before_it_comes(data, tmp_path):
    free_mb = shutil.disk_usage(tmp_path).free / MB
    with running(tmp_path, min_free_mb=free_mb / 2, max_file_mb=free_mb) as client:
        assert client.get("/readyz").status_code == 200
        announced = int(free_mb * 0.75 * MB)
        with socket.create_connection((client.base_url.host, client.base_url.port)) as sending:
            head = f"Host: 127.0.0.1\r\nContent-Length: {announced}\r\nContent-Type: {BOUND}"
            sending.sendall(f"POST /v1/files HTTP/1.1\r\n{head}\r\n\r\n".encode() + FORM)
            reply = sending.makefile("rb").read().decode()
        assert reply.startswith("HTTP/1.1 507 ")
        assert '"disk_full"' in reply
        assert upload(client, data).status_code == 200
        assert len(left(tmp_path)) == 1


def in_pieces(data):
    """Yield a form with a video and three million zeros behind it, piece by piece."""
    yield FORM + data
    for _ in range(300):
        yield b"\0" * 10_000
    yield END


def test_a_disk_that_fills_while_an_upload_comes(data, tmp_path, monkeypatch):
    free = iter([3 * MB, 2 * MB])
    monkeypatch.setattr(Disk, "free_bytes", property(lambda _: next(free, 0)))
    with running(tmp_path, min_free_mb=1.0) as client:
        reply = client.post("/v1/files", content=in_pieces(data), headers={"Content-Type": BOUND})
        assert fault(reply) == (507, "disk_full")
        assert left(tmp_path) == []


class Shop(BaseHTTPRequestHandler):
    """A server of one video."""

    clip = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.clip)))
        self.end_headers()
        self.wfile.write(self.clip)

    def log_message(self, *arguments: object) -> None:
        """Keep quiet."""


def test_a_full_disk_fetches_nothing(model, data, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "is_public", lambda _: True)
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Shop,), {"clip": data})) as shop:
        thread = threading.Thread(target=shop.serve_forever, args=(0.02,))
        thread.start()
        host = f"127.0.0.1:{shop.server_port}"
        asked = body("invoke", video=f"http://{host}/clip.mp4")
        with running(tmp_path / "full", hosts=(host,), min_free_mb=ENDLESS_MB) as client:
            reply = client.post("/vidagent/invoke", json=asked)
            assert fault(reply) == (507, "disk_full")
            assert f"{len(data):,} more would leave less" in refused(reply)
        with running(tmp_path / "free", hosts=(host,)) as client:
            assert client.post("/vidagent/invoke", json=asked).status_code == 200
        shop.shutdown()
        thread.join()


def test_an_owner_has_a_limit_and_deleting_makes_room(data, tmp_path):
    other = data + b"\0" * 1000
    with running(tmp_path, files_mb=(len(data) + 500) / MB) as client:
        first = upload(client, data).json()["id"]
        reply = upload(client, other)
        assert fault(reply) == (507, "files_full")
        assert f"take {len(data):,} bytes, and this one at least {len(other):,} more; " in refused(reply)
        assert f"the limit is {len(data) + 500:,} in total (--files-mb)" in refused(reply)
        assert left(tmp_path) == [first]
        assert upload(client, data, "again.mp4").json()["filename"] == "again.mp4"
        client.delete(f"/v1/files/{first}")
        larger = data + b"\0" * 400
        second = upload(client, larger).json()["id"]
        assert second == f"file-{hashlib.sha256(larger).hexdigest()}"
        assert left(tmp_path) == [second]


def test_another_file_of_the_same_size_is_no_file_again(data, tmp_path):
    with running(tmp_path, files_mb=(len(data) + 500) / MB) as client:
        first = upload(client, data + b"\0" * 10).json()["id"]
        reply = upload(client, data + b"\0" * 9 + b"\1")
        assert fault(reply) == (507, "files_full")
        assert f"this one {len(data) + 10:,} more" in refused(reply)
        assert left(tmp_path) == [first]
        assert [told["id"] for told in client.get("/v1/files").json()["data"]] == [first]


def test_the_limit_holds_while_a_file_comes(data, tmp_path):
    with running(tmp_path, files_mb=1.0) as client:
        reply = client.post("/v1/files", content=in_pieces(data), headers={"Content-Type": BOUND})
        assert fault(reply) == (507, "files_full")
        assert left(tmp_path) == []


def test_uploads_that_come_at_once_share_the_limit(data, tmp_path):
    with running(tmp_path, files_mb=3.0) as client:
        with socket.create_connection((client.base_url.host, client.base_url.port)) as sending:
            head = f"Host: 127.0.0.1\r\nContent-Length: 2500000\r\nContent-Type: {BOUND}"
            sending.sendall(f"POST /v1/files HTTP/1.1\r\n{head}\r\n\r\n".encode() + FORM + bytes(2 * MB))
            until(lambda: left(tmp_path), 30)
            until(lambda: (tmp_path / "files/local" / left(tmp_path)[0]).stat().st_size > MB, 30)
            reply = upload(client, data + bytes(2 * MB))
            assert fault(reply) == (507, "files_full")
        until(lambda: left(tmp_path) == [], 30)
        assert upload(client, data + bytes(2 * MB)).status_code == 200


def test_each_owner_has_a_limit_of_their_own(data, tmp_path):
    store = Store(tmp_path)
    keys = [ApiKeys(store).add(owner, ("ask", "files")) for owner in ("acme", "rival")]
    store.close()
    with running(tmp_path, insecure_local=False, files_mb=(len(data) + 500) / MB) as client:
        for key in keys:
            client.headers["Authorization"] = f"Bearer {key}"
            assert upload(client, data).status_code == 200
            assert fault(upload(client, data + b"\0")) == (507, "files_full")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("files_mb", 0, "--files-mb must be more than 0; got 0"),
        ("files_mb", float("inf"), "--files-mb must be more than 0; got inf"),
        ("min_free_mb", -1, "--min-free-mb must be 0 or more; got -1"),
        ("min_free_mb", float("nan"), "--min-free-mb must be 0 or more; got nan"),
    ],
)
def test_bad_limits(name, value, told):
    with pytest.raises(UsageError, match=f"^{told}$"):
        ServerOptions(**{name: value})
