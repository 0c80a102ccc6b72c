"""Videos of sites: yt-dlp over a local server, in a process that connects to nothing else."""

from __future__ import annotations

import functools
import http.server
import sys
import threading
import time

import pytest

from tests.media.make import encode
from vidagent.errors import VideoError
from vidagent.serve.core import download
from vidagent.serve.core.sites import client
from vidagent.video.index.subtitles import sidecar_cues

pytestmark = pytest.mark.network

PAGE = """<html><head><title>A talk, at length</title></head><body>
<video src="{media}" width="320" height="180"><track kind="subtitles" srclang="en" src="/talk.vtt"></video>
</body></html>"""
LOOPBACK_IS_PUBLIC = """import sys
from vidagent.serve.core import download
from vidagent.serve.core.sites import process
judge = download.is_public
download.is_public = lambda address: address == "127.0.0.1" or judge(address)
process.main()
"""


class Site(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; `/slow.mp4` never ends."""

    def do_GET(self):
        if self.path != "/slow.mp4":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.end_headers()
        for _ in range(2000):
            self.wfile.write(b"\0" * 100_000)
            time.sleep(0.01)
        return None

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *arguments):
        pass  # a client that left is what some tests are about


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    encode(folder / "media.mp4", range(0, 2000, 40))
    (folder / "talk.vtt").write_text("WEBVTT\n\n00:00.500 --> 00:01.000\nGood morning.\n")
    (folder / "talk.html").write_text(PAGE.format(media="/media.mp4"))
    (folder / "inwards.html").write_text(PAGE.format(media="http://192.168.0.1/secret.mp4"))
    (folder / "slow.html").write_text(PAGE.format(media="/slow.mp4"))
    (folder / "text.html").write_text("<html><title>Words</title><p>Nothing to be seen.</p></html>")
    with Server(("127.0.0.1", 0), functools.partial(Site, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def _loopback_is_public(monkeypatch):
    """Let the test server's address pass for a public one, here and in the process; others are judged as always."""
    judge = download.is_public
    monkeypatch.setattr(download, "is_public", lambda address: address == "127.0.0.1" or judge(address))
    monkeypatch.setattr(client, "COMMAND", (sys.executable, "-c", LOOPBACK_IS_PUBLIC))


def fetch(url, folder, *, max_bytes=10_000_000, max_seconds=30.0):
    said = []
    return client.fetch(url, folder, max_bytes=max_bytes, max_seconds=max_seconds, tell=said.append), said


@pytest.mark.usefixtures("_loopback_is_public")
class TestSites:
    def test_a_page_is_asked_about_with_its_subtitles(self, site, command):
        done = command(
            "ask",
            f"{site}/talk.html",
            "How many shots are there?",
            "--download",
            "--json",
            "--model",
            "signals",
        )
        assert done.code == 0, done.err
        assert 'found     "A talk, at length (1)", subtitles en' in done.err
        assert f"MB from {site}/talk.html" in done.err
        video = done.json()["video"]
        assert (video["path"], video["duration_s"]) == (f"{site}/talk.html", 2.0)

    def test_its_subtitles_lie_beside_it(self, site, tmp_path):
        path, said = fetch(f"{site}/talk.html", tmp_path)
        assert [(cue.start_s, cue.text) for cue in sidecar_cues(path)] == [(0.5, "Good morning.")]
        assert said == ['found     "A talk, at length (1)", subtitles en']

    def test_what_a_page_leads_to_is_checked_too(self, site, tmp_path):
        with pytest.raises(VideoError, match=r"192\.168\.0\.1 is not a public address"):
            fetch(f"{site}/inwards.html", tmp_path)

    def test_the_size_is_limited_while_it_comes(self, site, tmp_path):
        with pytest.raises(VideoError, match=r"larger than 0\.5 MB \(--max-download-mb\)"):
            fetch(f"{site}/slow.html", tmp_path, max_bytes=500_000)

    def test_the_time_is_limited(self, site, tmp_path):
        began = time.monotonic()
        with pytest.raises(VideoError, match="not done after 3 s"):
            fetch(f"{site}/slow.html", tmp_path, max_seconds=3, max_bytes=1 << 40)
        assert time.monotonic() - began < 6

    def test_a_page_without_a_video(self, site, tmp_path):
        with pytest.raises(VideoError, match=r"cannot download .*text\.html: Unsupported URL"):
            fetch(f"{site}/text.html", tmp_path)

    def test_without_the_extra_it_is_named(self, site, monkeypatch):
        monkeypatch.setattr(download, "find_spec", lambda _: None)
        said = []
        with (
            pytest.raises(VideoError, match=r"is a page or a playlist.* pip install 'vidagent\[web\]'"),
            download.local(f"{site}/talk.html", allowed=True, max_mb=1, tell=said.append),
        ):
            pass


def test_the_process_itself_refuses_the_loopback(site, tmp_path):
    with pytest.raises(VideoError, match=r"127\.0\.0\.1 is not a public address"):
        fetch(f"{site}/talk.html", tmp_path)


@pytest.mark.parametrize("does", ["sys.stdin.read()", "sys.stdin.close()"])
def test_a_process_that_dies_is_an_error(tmp_path, monkeypatch, does):
    monkeypatch.setattr(client, "COMMAND", (sys.executable, "-c", f"import sys; {does}"))
    with pytest.raises(VideoError, match="the process that ran yt-dlp has ended"):
        fetch(f"http://example.org/{'x' * 200_000}", tmp_path)
