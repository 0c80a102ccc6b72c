"""Names of videos that a hostile client might try: none leads outside of the folders, or inside of the network."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.serve.core.http.test_server import fault
from tests.serve.rest.routes.test_chat import messages, part
from tests.serve.rest.routes.test_langserve_routes import ROUTES, body
from tests.serve.running import running, until
from vidagent.serve.core import download

pytestmark = pytest.mark.network
SECRET = "the-secret-of-the-neighbour"
ALLOWED = (
    "127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "192.168.1.1", "224.0.0.1",
    "2130706433", "0x7f.1", "videos.example.org",
)  # fmt: skip
OUTSIDE = [
    "../outside/secret.mp4", "..", ".", "", "/", "//", "./../outside/secret.mp4", "sub/../../outside/secret.mp4",
    "../films/../outside/secret.mp4", "..//outside//secret.mp4", "....//outside/secret.mp4", "..\\outside\\secret.mp4",
    "%2e%2e/outside/secret.mp4", "..%2foutside%2fsecret.mp4", "..%252foutside", "\u2025/outside/secret.mp4",
    "\uff0e\uff0e/outside/secret.mp4", "clip.mp4/../../outside/secret.mp4", "clip.mp4\0.txt", "\0",
    "/etc/passwd", "//etc/passwd", "/proc/self/environ", "/proc/self/fd/0", "/dev/zero", "/dev/stdin", "~",
    "~/clip.mp4", "~root/.ssh/id_rsa", "$HOME/clip.mp4", "{outside}/secret.mp4", "{films}/../outside/secret.mp4",
    "{data}/serve.sqlite", "link.mp4", "linked/secret.mp4", "circle.mp4", "to-data/serve.sqlite", "sub",
    "fifo.mp4", "gone.mp4",
    "../films/clip.mp4", "../outside/../films/clip.mp4", "../nowhere/../films/clip.mp4", "sub/../../films/clip.mp4",
    "linked/../films/clip.mp4", "to-data/../films/clip.mp4", "{films}/../films/clip.mp4", "{outside}/../films/clip.mp4",
    "/etc/..{films}/clip.mp4", "/etc/passwd/..{films}/clip.mp4",
    "file:///etc/passwd", "file://localhost/etc/passwd", "concat:clip.mp4|/etc/passwd",
    "subfile,,start,0,end,9,,:clip.mp4",
    "data:video/mp4;base64,AAAA", "ftp://127.0.0.1/x.mp4", "gopher://127.0.0.1/x", "rtsp://127.0.0.1/x", "tcp://127.0.0.1",
    "file-", "file-../../outside/secret.mp4", "file-" + "0" * 64, "a" * 4096, "a/" * 2000, "clip.mp4\n", " clip.mp4",
]  # fmt: skip
ELSEWHERE = [
    "http://example.com/x.mp4", "https://videos.example.org.evil.com/x", "http://evil.com/videos.example.org",
    "http://evil.com#videos.example.org", "http://evil.com?videos.example.org", "http://videos.example.org@evil.com/x",
    "http://evil.com@videos.example.org/x", "http://videos.example.org:80@evil.com/x", "http://videos.example.org\\@evil.com/",
    "http://evil.com\\.videos.example.org/", "http://videos.example.org:8080/x", "http://videos.example.org:99999/x",
    "http://videos.example.org:x/", "http://videos.example.org:/x", "http://videos.example.org./x", "http:///x", "http://",
    "http://[::1]/x", "http://[::ffff:127.0.0.1]/x", "http://[fe80::1%25eth0]/x", "http://127.1/x", "http://0177.0.0.1/x",
    "http://\u2460\u2461\u2466.0.0.1/x", "http://videos\u3002example\u3002org/x", "http://videos.example.org /x",
    "http://videos.example.org\t/x", "http://videos.example.org\r\nX: y/", "HTTP://EVIL.COM/x", "http:/127.0.0.1/x",
    "https:\\\\videos.example.org\\x", "http://127.0.0.1:{port}x/", "http://user:pass@127.0.0.1/x",
]  # fmt: skip
INSIDE = [
    "http://127.0.0.1/x", "http://127.0.0.1:{port}/x", "http://localhost:{port}/x", "http://10.0.0.1/x", "http://0.0.0.0/x",
    "http://169.254.169.254/latest/meta-data/", "http://100.64.0.1/x", "http://192.168.1.1/x", "http://224.0.0.1/x",
    "http://2130706433/x", "http://0x7f.1/x", "https://127.0.0.1/x",
]  # fmt: skip


class Neighbour(BaseHTTPRequestHandler):
    """A server inside of the network; it gives away a secret, or sends clients on."""

    asked: list[str]
    clip = b""

    def do_GET(self) -> None:
        self.asked.append(self.path)
        to = self.path.partition("?to=")[2]
        data = self.clip if self.path.startswith("/clip") else SECRET.encode()
        self.send_response(302 if to else 200)
        self.send_header("Location", to)
        self.send_header("Content-Length", str(90_000 if self.path == "/slow" else len(data)))
        self.end_headers()
        self.wfile.write(data)
        while self.path == "/slow":
            try:
                self.wfile.write(b" ")
                time.sleep(0.02)
            except OSError:
                self.asked.append("left")
                return

    def log_message(self, *arguments: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def neighbour(root):
    asked: list[str] = []
    handler = type("Handler", (Neighbour,), {"asked": asked, "clip": (root / "clip.mp4").read_bytes()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.asked = asked
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def place(tmp_path_factory, root) -> Path:
    """Return a folder with `films`, in which lie a video and links out of it, and beside it `outside` and `data`."""
    place = tmp_path_factory.mktemp("place")
    for name in ("films/sub", "outside", "data"):
        (place / name).mkdir(parents=True)
    shutil.copy(root / "clip.mp4", place / "films/clip.mp4")
    shutil.copy(root / "clip.mp4", place / "outside/secret.mp4")
    (place / "films/link.mp4").symlink_to(place / "outside/secret.mp4")
    (place / "films/linked").symlink_to(place / "outside")
    (place / "films/to-data").symlink_to(place / "data")
    (place / "films/circle.mp4").symlink_to("circle.mp4")
    (place / "films/gone.mp4").symlink_to("nowhere.mp4")
    (place / "films/inside.mp4").symlink_to("clip.mp4")
    os.mkfifo(place / "films/fifo.mp4")
    return place


@pytest.fixture(scope="module")
def server(place, neighbour):
    hosts = (*ALLOWED, f"127.0.0.1:{neighbour.server_port}", f"localhost:{neighbour.server_port}")
    with running(place / "data", roots=(place / "films",), hosts=hosts, running_each=8) as client:
        yield client


def test_there_are_enough():
    assert len({*OUTSIDE, *ELSEWHERE, *INSIDE}) >= 100


@pytest.mark.parametrize("name", [*OUTSIDE, *ELSEWHERE, *INSIDE])
def test_hostile_names_are_refused(server, place, neighbour, name):
    folders = {folder: place / folder for folder in ("outside", "films", "data")}
    name = name.format(**folders, port=neighbour.server_port) if "{" in name else name
    reply = server.post("/vidagent/invoke", json=body("invoke", video=name))
    assert fault(reply) in {
        (403, "wrong_address"), (404, "no_such_video"), (404, "no_such_file"), (422, "invalid"), (422, "video"),
    }  # fmt: skip
    assert str(place) not in reply.text
    assert SECRET not in reply.text
    assert neighbour.asked == []


def test_a_name_tells_nothing_of_what_exists_outside(server, place):
    """What leads out and back again is refused as what is not there is, word by word."""
    outside = [
        "../outside/../films/clip.mp4",
        "../nowhere/../films/clip.mp4",
        "../outside/secret.mp4",
        "../outside/none",
    ]
    outside += [
        "link.mp4",
        "linked/secret.mp4",
        "linked/none",
        "linked/../films/clip.mp4",
        "gone.mp4",
        "none.mp4",
    ]
    replies = set()
    for name in outside:
        error = server.post("/vidagent/invoke", json=body("invoke", video=name)).json()["error"]
        replies.add((error["code"], error["message"]))
    assert replies == {("no_such_video", "there is no such video")}


TRANSLATED = {
    "NAT64": "64:ff9b::a9fe:a9fe", "local NAT64": "64:ff9b:1::7f00:1", "6to4": "2002:7f00:1::1",
    "mapped": "::ffff:10.0.0.1", "a public one, mapped": "::ffff:8.8.8.8", "compatible": "::127.0.0.1",
    "site-local": "fec0::1", "link-local": "fe80::1",
    "unique local": "fd00::1", "loopback": "::1", "Teredo": "2001:0:7f00:1::", "6to4 relay": "192.88.99.1",
}  # fmt: skip


@pytest.mark.parametrize("kind", TRANSLATED)
def test_addresses_with_others_inside_are_refused(server, monkeypatch, kind):
    address = TRANSLATED[kind]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found, resolve = [(family, socket.SOCK_STREAM, 6, "", (address, 80))], socket.getaddrinfo

    def looked_up(host, *rest, **named):
        return found if host == "videos.example.org" else resolve(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    reply = server.post("/vidagent/invoke", json=body("invoke", video="http://videos.example.org/x.mp4"))
    assert fault(reply) == (422, "video")
    assert f"{address} is not a public address" in reply.text


@pytest.mark.parametrize("name", INSIDE)
def test_addresses_inside_are_refused_though_their_host_is_allowed(server, neighbour, name):
    reply = server.post(
        "/vidagent/invoke", json=body("invoke", video=name.format(port=neighbour.server_port))
    )
    assert fault(reply) == (422, "video")
    assert "is not a public address" in reply.text


@pytest.mark.parametrize("name", ["link.mp4", "http://example.com/x.mp4"])
def test_every_door_refuses_them(server, name):
    status = 403 if "://" in name else 404
    for route in ("invoke", "batch"):
        assert server.post(f"/vidagent/{route}", json=body(route, video=name)).status_code == status
    for route in ("stream", "stream_events"):
        assert (
            f'"status_code": {status}' in server.post(f"/vidagent/{route}", json=body(route, video=name)).text
        )
    assert server.post("/v1/jobs", json={"video": name, "question": "When?"}).status_code == status
    for stream in (False, True):
        asked = {"model": "vidagent", "messages": messages(part(name)), "stream": stream}
        assert server.post("/v1/chat/completions", json=asked).status_code == status


class TestWhatIsMeantToWork:
    """The same server, where the neighbour's address passes for a public one."""

    @pytest.fixture
    def client(self, model, place, neighbour, tmp_path, monkeypatch):
        judge = download.is_public
        monkeypatch.setattr(download, "is_public", lambda ip: ip == "127.0.0.1" or judge(ip))
        host = f"127.0.0.1:{neighbour.server_port}"
        with running(tmp_path, roots=(place / "films",), hosts=(host, "10.0.0.1"), max_file_mb=0.1) as client:
            neighbour.asked.clear()
            yield client
            neighbour.asked.clear()

    @pytest.mark.parametrize(
        "name", ["clip.mp4", "./clip.mp4", "sub/../clip.mp4", "inside.mp4", "{films}/clip.mp4"]
    )
    def test_paths_under_the_folder(self, client, place, name):
        named = name.format(films=place / "films")
        reply = client.post("/vidagent/invoke", json=body("invoke", video=named))
        assert reply.json()["output"]["video"]["path"] == named

    def test_an_address_of_an_allowed_host(self, client, neighbour):
        url = f"http://127.0.0.1:{neighbour.server_port}/clip.mp4"
        assert (
            client.post("/vidagent/invoke", json=body("invoke", video=url)).json()["output"]["video"]["path"]
            == url
        )
        assert neighbour.asked == ["/clip.mp4"]

    @pytest.mark.parametrize(
        ("to", "wanted"),
        [
            ("/clip.mp4", None),
            ("http://example.com/x", (403, "wrong_address")),
            ("http://127.0.0.1:1/x", (403, "wrong_address")),
            ("file:///etc/passwd", (403, "wrong_address")),
            ("http://10.0.0.1/x", (422, "video")),
            ("//example.com/x", (403, "wrong_address")),
            ("/again?to=/again?to=http://example.com/", (403, "wrong_address")),
        ],
    )
    def test_where_it_is_sent_on_to_is_checked(self, client, neighbour, to, wanted):
        url = f"http://127.0.0.1:{neighbour.server_port}/go?to={to}"
        reply = client.post("/vidagent/invoke", json=body("invoke", video=url))
        assert reply.status_code == 200 if wanted is None else fault(reply) == wanted

    def test_a_client_that_leaves_ends_the_download(self, client, neighbour):
        leaving = HTTPConnection(client.base_url.host, client.base_url.port)
        url = f"http://127.0.0.1:{neighbour.server_port}/slow"
        leaving.request("POST", f"/vidagent/{ROUTES[0]}", json.dumps(body("invoke", video=url)))
        until(lambda: neighbour.asked, 30)
        time.sleep(0.5)
        assert neighbour.asked == ["/slow"]
        leaving.close()
        assert until(lambda: "left" in neighbour.asked) < 1
