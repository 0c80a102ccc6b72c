"""Downloads: limits, public addresses only, and nothing left behind."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vidagent.errors import VideoError
from vidagent.serve.core import download

BODY = b"0123456789" * 1000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves BODY, redirects, errors, lies about lengths, and drips."""

    def do_GET(self) -> None:
        if self.path == "/file%20name.mp4?x=1":
            self._reply(200, BODY)
        elif self.path == "/redirect":
            self._reply(302, b"", Location="/file%20name.mp4?x=1")
        elif self.path == "/round":
            self._reply(302, b"", Location="/round")
        elif self.path == "/inwards":
            self._reply(302, b"", Location="http://192.168.0.1/secret.mp4")
        elif self.path == "/elsewhere":
            self._reply(302, b"", Location="file:///etc/passwd")
        elif self.path == "/short":
            self._reply(200, BODY, length=2 * len(BODY))
        elif self.path == "/unannounced":
            self._reply(200, BODY, length=None)
        elif self.path == "/watch":
            self._reply(200, b"<html>", **{"Content-Type": "text/html; charset=utf-8"})
        elif self.path == "/drip":
            self._reply(200, b"", length=100)
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.05)
        else:
            self._reply(404, b"no such thing")

    def _reply(self, status: int, body: bytes, length: int | None = -1, **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length == -1 else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *arguments: object) -> None:
        pass  # a client that left is what some tests are about


@pytest.fixture
def base() -> Iterator[str]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def loopback_is_public(monkeypatch):
    """Let the test server's address pass for a public one; every other address is judged as always."""
    judge = download.is_public
    monkeypatch.setattr(download, "is_public", lambda address: address == "127.0.0.1" or judge(address))


def fetch(url: str, *, max_mb: int = 1, allowed: bool = True) -> bytes:
    said: list[str] = []
    with download.local(url, allowed=allowed, max_mb=max_mb, tell=said.append) as path:
        data = Path(path).read_bytes()
    assert not Path(path).exists()
    assert said == [f"downloaded {len(data) / download._MB:.1f} MB from {url}"]
    return data


def test_a_path_is_left_alone(tmp_path):
    with download.local(str(tmp_path), allowed=True, max_mb=1, tell=pytest.fail) as path:
        assert path == str(tmp_path)


@pytest.mark.network
@pytest.mark.usefixtures("loopback_is_public")
class TestFetch:
    @pytest.mark.parametrize("path", ["/file name.mp4?x=1", "/redirect", "/unannounced"])
    def test_gets_the_bytes(self, base, path):
        assert fetch(base + path) == BODY

    @pytest.mark.parametrize(
        ("path", "why"),
        [
            ("/none", "the server answered 404"),
            ("/round", "more than 5 redirects"),
            ("/inwards", "192.168.0.1 is not a public address"),
            ("/elsewhere", "not an http or https address"),
            ("/short", "after 10000 of 20000 bytes"),
        ],
    )
    def test_refuses(self, base, path, why):
        with pytest.raises(VideoError, match=why):
            fetch(base + path)

    @pytest.mark.parametrize("path", ["/file name.mp4?x=1", "/unannounced"])
    def test_size_limit(self, base, path, monkeypatch):
        monkeypatch.setattr(download, "_MB", 1000)
        assert fetch(base + path, max_mb=10) == BODY
        with pytest.raises(VideoError, match=r"larger than 9 MB \(--max-download-mb\)"):
            fetch(base + path, max_mb=9)

    def test_time_limit(self, base, monkeypatch):
        monkeypatch.setattr(download, "MAX_SECONDS", 0.3)
        start = time.monotonic()
        with pytest.raises(VideoError, match=r"not done after 0\.3 s"):
            fetch(base + "/drip")
        assert time.monotonic() - start < 3

    def test_nobody_there(self, base):
        with pytest.raises(VideoError, match="cannot download"):
            fetch("http://127.0.0.1:1/x")

    def test_passwords_are_not_told(self, base):
        for path in ("/none", "/elsewhere", "/short"):
            with pytest.raises(VideoError, match="cannot download http") as raised:
                fetch(base.replace("://", "://me:geheim@") + path + "?token=geheim")
            assert "geheim" not in str(raised.value)
        with pytest.raises(VideoError, match=r"https://h/x\.mp4 is a URL") as raised:
            fetch("https://me:geheim@h/x.mp4", allowed=False)


def test_what_an_address_needs_is_told(monkeypatch):
    """A file is fetched by a flag; the page of a site is no file, and needs a program that knows the site."""
    with pytest.raises(
        VideoError, match=r"is a URL, not a file: --download fetches it first \(at most 1 MB\)$"
    ):
        fetch("https://example.org/talk.mp4?x=1", allowed=False)
    monkeypatch.setattr(download, "find_spec", lambda _: None)
    with pytest.raises(
        VideoError, match=r"does not name a video file: --download .*pip install 'vidagent\[web\]'"
    ):
        fetch("https://www.youtube.com/watch?v=abc&t=3", allowed=False)


@pytest.mark.network
def test_loopback_is_refused(base):
    with pytest.raises(VideoError, match=r"127\.0\.0\.1 is not a public address"):
        fetch(base + "/redirect")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", False),
        ("::10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::7f00:1", False),
        ("2002:7f00:1::1", False),
        ("2001:0:7f00:1::", False),
        ("fec0::1", False),
        ("2001:db8::1", False),
        ("ff02::1", False),
        ("240.0.0.1", False),
        ("192.88.99.1", False),
    ],
)
def test_public_addresses(address, public):
    assert download.is_public(address) is public


@pytest.mark.parametrize("url", ["http://", "https://host:port/x", "http://[::1/x"])
def test_addresses_that_are_none(url):
    with pytest.raises(VideoError):
        fetch(url)


def test_a_download_needs_the_flag():
    with pytest.raises(VideoError, match="--download fetches it first") as caught:
        fetch("https://example.org/x.mp4", allowed=False)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/a/talk.mp4?x=1", "talk.mp4"),
        ("https://example.org/my%20talk.mp4", "my_talk.mp4"),
        ("https://example.org/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "_.._etc_passwd"),
        ("https://example.org/..%00", "_"),
        ("https://example.org/", "video"),
        ("https://example.org/..", "video"),
        ("http://[::1/x.mp4", "x.mp4"),
        (f"https://example.org/{'x' * 300}.mp4", f"{'x' * 96}.mp4"),
    ],
)
def test_a_copy_is_named_after_the_address(url, name):
    assert download.file_name(url) == name
