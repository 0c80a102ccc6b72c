"""`vidagent watch` over a growing file and over HTTP: what is told, when, and what is left behind."""

from __future__ import annotations

import dataclasses
import functools
import http.server
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from tests.serve.answers import ANSWER
from tests.serve.running import PATIENCE
from tests.serve.watch.rtsp_server import RtspServer
from vidagent.serve.watch import alerts, intake
from vidagent.serve.watch.alerts import ClipFolder, Outlet
from vidagent.serve.watch.intake import Intake
from vidagent.serve.watch.spool import Spool
from vidagent.serve.watch.watcher import Watcher, found_in
from vidagent.types import Evidence, Span
from vidagent.video.stream.cutter import Piece

QUESTION = "When does the text 'PIER 9' appear?"
FPS = 10
SHOWN_S = [(2.6, 3.5), (7.2, 7.8)]
"""The first one goes on across the cut at 3 s."""


@pytest.fixture(scope="module")
def stream(tmp_path_factory) -> bytes:
    """Draw 9 s of MPEG-TS with a keyframe a second."""
    path = tmp_path_factory.mktemp("drawn") / "stream.ts"
    with av.open(str(path), "w") as container:
        video = container.add_stream(
            "libx264", rate=FPS, options={"g": str(FPS), "bf": "0", "sc_threshold": "0"}
        )
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        for number in range(9 * FPS):
            picture = np.full((180, 320, 3), 70, np.uint8)
            cv2.circle(picture, (10 + 3 * number, 150), 10, (200, 120, 40), -1)
            if any(start <= number / FPS < end for start, end in SHOWN_S):
                cv2.putText(picture, "PIER 9", (60, 90), cv2.FONT_HERSHEY_DUPLEX, 1.5, (255, 255, 255), 2)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(video.encode())
    return path.read_bytes()


@pytest.fixture
def watch(command, tmp_path, monkeypatch):
    """Return a function that watches a source with the embedded model: its exit code, its lines, its stderr."""
    monkeypatch.chdir(tmp_path)

    def run(source, *flags):
        done = command("watch", str(source), QUESTION, "--model", "signals", "--every", "3", *flags)
        return done.code, [json.loads(line) for line in done.out.splitlines()], done.err

    return run


def times_of(line):
    return line["start_s"], line["end_s"]


def test_a_growing_file_tells_events_once_with_clip_and_verdict(watch, stream, tmp_path):
    path = tmp_path / "growing.ts"
    half = len(stream) // 2
    path.write_bytes(stream[:half])

    def grow():
        time.sleep(2)
        with path.open("ab") as file:
            file.write(stream[half:])

    threading.Thread(target=grow).start()
    code, lines, err = watch(path, "--idle", "4")
    assert code == 0, err
    first, end, second, summary = lines
    assert [line["kind"] for line in lines] == ["alert", "end", "alert", "summary"]
    assert (times_of(first), first["goes_on"], end["alert"]) == ((2.6, 3.1), True, first["alert"])
    assert end["end_s"] == 3.5
    assert (times_of(second), second["goes_on"]) == (SHOWN_S[1], False)
    assert (second["verdict"], second["clip_start_s"], second["source"]) == ("supported", 6.0, str(path))
    assert {item["verdict"] for item in second["evidence"]} == {"supported"}
    assert second["evidence"][0]["time_s"] == 6.0 + second["evidence"][0]["clip_time_s"]
    assert cv2.imread(second["evidence"][0]["frame"]).shape == (180, 320, 3)
    with av.open(second["clip"]) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 3 * FPS
    assert (summary["alerts"], summary["segments"], summary["skipped_s"]) == (2, 3, 0.0)
    assert "alert     0:07.200 to 0:07.800, " in err
    assert sorted(path.suffix for path in (tmp_path / "watch").iterdir()) == [".jpg"] * 4 + [".mkv"] * 2
    assert not list(Path(os.environ["VIDAGENT_CACHE_DIR"]).glob("runs/*"))


class Live(http.server.BaseHTTPRequestHandler):
    """Sends a half of the stream, without a length, and breaks; refuses once; sends the rest. Takes what is posted."""

    def do_GET(self):
        if self.path != "/live.ts":
            self.send_error(404)
            return
        self.server.times += 1
        if self.server.times == 2:
            self.send_error(503)
            return
        self.send_response(200)
        self.end_headers()
        half = len(self.server.stream) // 188 // 2 * 188
        self.wfile.write(self.server.stream[:half] if self.server.times == 1 else self.server.stream[half:])
        if self.server.times > 1:
            self.wfile.flush()
            self.server.over.wait(20 * PATIENCE)

    def do_POST(self):
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(500 if len(self.server.posted) == 1 else 204)
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder."""

    def log_message(self, *arguments):
        pass


@contextmanager
def live(stream: bytes) -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Live)
    server.stream, server.times, server.posted, server.over = stream, 0, [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        try:
            yield server
        finally:
            server.over.set()


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[socketserver.TCPServer]:
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.network
def test_a_stream_that_breaks_is_connected_to_again_and_posted(watch, stream):
    with live(stream) as server:
        code, lines, err = watch(
            f"{server.url}/live.ts", "--idle", str(4 * PATIENCE), "--webhook", f"{server.url}/hook"
        )
        assert code == 0, err
        assert server.posted[1:] == lines
        assert server.posted[0] == lines[0]
    alerts = [line for line in lines if line["kind"] == "alert"]
    (gap,) = [line for line in lines if line["kind"] == "skipped"]
    assert times_of(alerts[0]) == (2.6, 3.1)
    assert len(alerts) == 2
    assert (gap["why"], gap["start_s"] >= 4.0) == ("no signal", True)
    assert gap["end_s"] - gap["start_s"] > 3.0, "both pauses, of 1 and 2 s, count"
    assert alerts[1]["start_s"] > gap["end_s"]
    assert alerts[1]["end_s"] - alerts[1]["start_s"] == pytest.approx(0.6, abs=0.001)
    assert lines[-1]["skipped_s"] == pytest.approx(gap["end_s"] - gap["start_s"], abs=0.002)
    assert "lost      the server ended the stream; reading again in 1 s" in err


@pytest.mark.network
def test_a_playlist_is_read_to_its_end(watch, stream, tmp_path):
    (tmp_path / "stream.ts").write_bytes(stream)
    playlist = str(tmp_path / "live.m3u8")
    with av.open(str(tmp_path / "stream.ts")) as drawn, av.open(playlist, "w", format="hls") as hls:
        video = hls.add_stream_from_template(drawn.streams.video[0])
        for packet in drawn.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                hls.mux(packet)
    folder = functools.partial(Files, directory=str(tmp_path))
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), folder)) as server:
        code, lines, err = watch(f"http://127.0.0.1:{server.server_port}/live.m3u8")
    assert code == 0, err
    assert [times_of(line) for line in lines if line["kind"] == "alert"] == [(2.6, 3.1), SHOWN_S[1]]
    assert lines[-1]["watched_s"] == pytest.approx(9.2, abs=0.01)


@pytest.mark.network
def test_an_address_without_a_stream_is_an_error_at_once(watch, stream):
    with live(stream) as server:
        code, lines, err = watch(f"{server.url}/none.ts")
    assert (code, [line["kind"] for line in lines], Path("watch").exists()) == (3, ["summary"], False)
    assert "the server answered 404" in err


@contextmanager
def answering(data: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Serve an address that answers with some bytes and no end, and what was asked of it."""
    asked, over = [], threading.Event()

    class Answer(socketserver.BaseRequestHandler):
        def handle(self):
            asked.append(self.request.recv(10_000))
            self.request.sendall(data)
            over.wait(60 if data[-4:] != b"END\n" else 0)

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer)) as server:
        try:
            yield f"127.0.0.1:{server.server_address[1]}", asked
        finally:
            over.set()


@pytest.mark.network
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("text/html; charset=utf-8", "this is no video: the server sends text/html"),
        ("video/mp2t", "it is no video, or none that can be read as it comes"),
    ],
)
def test_a_page_is_no_stream(watch, kind, told):
    page = f"HTTP/1.0 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode() + b"<p>Hello</p>\n" * 1000 + b"END\n"
    with answering(page) as (host, _):
        code, lines, err = watch(f"http://{host}/")
    assert (code, [line["kind"] for line in lines]) == (3, ["summary"])
    assert f"vidagent: http://{host}/: {told}" in err
    assert "the server ended" not in err


@pytest.mark.network
@pytest.mark.parametrize("head", [b"", b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n"])
def test_a_silent_server_does_not_hold_up_its_end(watch, head):
    with answering(head) as (host, _):
        began_s = time.monotonic()
        code, lines, err = watch(f"http://{host}/live.ts", "--for", "1")
        took_s = time.monotonic() - began_s
    assert (code, lines[-1]["segments"]) == (3, 0)
    assert "no picture came within its time" in err
    assert took_s < 5 * PATIENCE


@pytest.mark.network
def test_a_silent_server_is_given_up_after_idle(watch):
    with answering(b"") as (host, _):
        code, _, err = watch(f"http://{host}/live.ts", "--idle", "1")
    assert (code, "nothing came for 1 s" in err) == (3, True)


@pytest.mark.network
def test_a_password_is_sent_and_never_told(watch, stream):
    head = b"HTTP/1.0 200 OK\r\n\r\n"
    with answering(head + stream + b"END\n") as (host, asked), live(stream) as hook:
        code, lines, err = watch(
            f"http://me:geheim@{host}/live.ts?n=2", "--for", "6", "--webhook", f"{hook.url}/hook"
        )
    assert b"Authorization: Basic bWU6Z2VoZWlt" in asked[0]
    assert f"watching  http://{host}/live.ts?n=2; Ctrl-C" in err
    assert code in {0, 3}
    assert {line["source"] for line in lines} == {f"http://{host}/live.ts?n=2"}
    assert "geheim" not in err + json.dumps([lines, hook.posted])


@pytest.mark.network
def test_a_camera_is_received_by_rtsp_and_again_after_a_break(watch, stream):
    """The camera sends faster than its clock, so a short break may leave no gap on it."""
    with serving(RtspServer(stream, connections=2, login="me:geheim")) as server:
        host = f"127.0.0.1:{server.server_address[1]}"
        code, lines, err = watch(f"rtsp://me:geheim@{host}/cam", "--for", str(8 * PATIENCE))
    assert code == 0, err
    alerts = [line for line in lines if line["kind"] == "alert"]
    gaps = [line for line in lines if line["kind"] == "skipped"]
    assert [times_of(alerts[0]), *{gap["why"] for gap in gaps}] in ([(2.6, 3.1)], [(2.6, 3.1), "no signal"])
    assert len(gaps) <= 1
    assert alerts[-1]["start_s"] >= max((gap["end_s"] for gap in gaps), default=3.5)
    assert "lost      the stream ended; reading again" in err
    assert alerts[-1]["end_s"] - alerts[-1]["start_s"] == pytest.approx(0.6, abs=0.001)
    assert lines[-1]["watched_s"] == pytest.approx(8.2, abs=0.3), "but for a segment that silence leaves open"
    assert "geheim" not in err + json.dumps(lines)
    assert f"watching  rtsp://{host}/cam; " in err
    assert sum(request.startswith("PLAY") for request in server.requests) == 2


@pytest.mark.network
def test_a_camera_that_refuses_is_an_error_at_once(watch, stream):
    with serving(RtspServer(stream, login="me:geheim")) as server:
        code, _, err = watch(f"rtsp://me:falsch@127.0.0.1:{server.server_address[1]}/cam")
    assert (code, "401 Unauthorized" in err, "falsch" in err) == (3, True, False)
    with serving(RtspServer(stream, connections=2)) as server:
        server.pictures.clear()
        code, _, err = watch(f"rtsp://127.0.0.1:{server.server_address[1]}/cam")
    assert (code, err.endswith("/cam: the stream ended\n")) == (3, True), err


def test_an_end_that_comes_while_a_connection_begins_ends_it(monkeypatch, tmp_path):
    begun, ended = threading.Event(), []

    class Endless:
        def __init__(self, *_):
            begun.set()
            time.sleep(0.3)

        def end(self):
            ended.append(self)

        def kill(self):
            pass

        close = kill

        def __iter__(self):
            while self not in ended:
                time.sleep(0.01)
            return iter(())

    monkeypatch.setattr(intake, "StreamProcess", Endless)
    spool = Spool(tmp_path, 25, print)
    reading = Intake("rtsp://127.0.0.1/x", 3.0, None, spool, print, print)
    reading.start()
    assert begun.wait(5)
    reading.end()
    assert spool.take() is None
    assert (len(ended), str(reading.error)) == (1, "no picture came within its time")


def test_a_folder_that_was_there_before_stays(watch, tmp_path):
    (tmp_path / "text.ts").write_text("no video " * 1000)
    (tmp_path / "mine").mkdir()
    watch("text.ts", "--idle", "0.3", "--output", "mine")
    assert list((tmp_path / "mine").iterdir()) == []


def test_its_time_ends_it_with_all_that_was_read(watch, stream, tmp_path):
    (tmp_path / "stream.ts").write_bytes(stream)
    code, lines, _ = watch("stream.ts", "--for", "2")
    assert (code, lines[-1]["segments"], lines[-1]["watched_s"]) == (0, 3, pytest.approx(9.2, abs=0.01))


def test_a_question_that_the_embedded_model_cannot_judge_ends_it(command, stream, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stream.ts").write_bytes(stream)
    done = command(
        "watch", "stream.ts", "Does somebody climb the fence?", "--model", "signals", "--every", "3"
    )
    assert (done.code, json.loads(done.out.splitlines()[-1])["alerts"]) == (4, 0)
    assert "cannot judge this" in done.err


def test_ctrl_c_ends_it_cleanly(stream, tmp_path):
    path = tmp_path / "growing.ts"
    path.write_bytes(stream)
    command = [
        sys.executable,
        "-m",
        "vidagent",
        "watch",
        str(path),
        QUESTION,
        "--model",
        "signals",
        "--every",
        "3",
    ]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        first = json.loads(watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        out, err = watching.communicate(timeout=30 * PATIENCE)
    assert first["kind"] == "alert"
    lines = [json.loads(line) for line in out.splitlines()]
    assert (watching.returncode, lines[-1]["kind"], lines[-1]["alerts"]) == (130, "summary", 1)
    assert err.endswith("vidagent: interrupted\n")
    assert "Traceback" not in err
    skipped = [line for line in lines if line["kind"] == "skipped"]
    assert [line["why"] for line in skipped] == ["stopped before it was asked about"] * len(skipped)
    assert not list((tmp_path / "watch").glob(".segments-*"))


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("nowhere.ts",), 3, "nowhere.ts: no such file"),
        ((".",), 3, "'.' is no regular file"),
        (("ftp://example.org/x",), 3, "begin with http, https, rtmp"),
        (("drawn.mp4",), 3, "has its index at the end"),
        (("text.ts", "--idle", "0.3"), 3, "text.ts: it is no video, or none that can be read as it comes: "),
        (("ftp://me:pw@example.org/x",), 3, "ftp://example.org/x: addresses that can be watched begin with"),
        (("text.ts", "--webhook", "ftp://me:pw@h/?key=5&n=1"), 2, "a host, got 'ftp://h/?key=***&n=1'"),
        (("http://me:pw@",), 2, "'http://' is no http or https URL with a host"),
        (("text.ts", "--every", "0"), 2, "--every must be more than 0 seconds, and finite, got 0"),
        (("text.ts", "--for", "inf"), 2, "--for must be more than 0 seconds, and finite, got inf"),
        (("text.ts", "--keep-mb", "0"), 2, "--keep-mb must be 1 or more, got 0"),
        (
            ("text.ts", "--webhook", "example.org"),
            2,
            "--webhook must be an http or https URL with a host, got 'example.org'",
        ),
        (("text.ts", "--webhook", "http://"), 2, "URL with a host, got 'http://'"),
        (("text.ts", "--webhook", "http://example.org:70000/"), 2, "got 'http://example.org:70000/'"),
        (("http://",), 2, "'http://' is no http or https URL with a host"),
        (("http://[::1",), 2, "'http://[::1' is no http or https URL with a host"),
    ],
)
def test_what_cannot_be_watched_is_named(watch, tmp_path, arguments, code, told):
    (tmp_path / "text.ts").write_text("no video " * 1000)
    (tmp_path / "drawn.mp4").write_bytes(b"\0\0\0\x10ftypisom\0\0\0\0\0\0\1\0mdat")
    ended, _, err = watch(*arguments)
    assert (ended, told in err, "pw" in err) == (code, True, False), err


def test_what_waits_takes_a_bounded_room_and_what_is_dropped_is_told(tmp_path):
    dropped = []
    spool = Spool(tmp_path, 25, lambda *told: dropped.append(told))
    for number in range(4):
        spool.add(Piece(b"0123456789", float(number), number + 1.0, jumped=False), 10.0 + number)
    assert [told[:2] for told in dropped] == [(10.0, 11.0), (11.0, 12.0)]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 20
    spool.close()
    taken = [spool.take(), spool.take()]
    assert [segment.start_s for segment in taken] == [12.0, 13.0]
    for segment in taken:
        spool.done(segment)
    assert (spool.take(), list(tmp_path.iterdir())) == (None, [])


def test_the_oldest_clips_make_room_and_other_files_stay(tmp_path):
    told = []
    (tmp_path / "mine.mkv").write_bytes(b"x" * 100)
    (tmp_path / "clip").write_bytes(b"0123456789")
    clips = ClipFolder(tmp_path, 25, told.append)
    for number in range(3):
        clips.keep(f"alert-{number}", tmp_path / "clip", {})
    assert sorted(path.name for path in tmp_path.glob("*.mkv")) == ["alert-1.mkv", "alert-2.mkv", "mine.mkv"]
    assert told == ["deleted   the clips of 1 older alert, to make room"]


def test_watches_of_one_second_keep_their_clips_apart(tmp_path):
    kept = []
    for data in (b"one", b"two", b"three"):
        (tmp_path / "clip").write_bytes(data)
        kept.append(
            ClipFolder(tmp_path, 25, print).keep("alert", tmp_path / "clip", {"f": tmp_path / "clip"})
        )
    assert [clip.read_bytes() for clip, _ in kept] == [b"one", b"two", b"three"]
    assert [frames["f"].read_bytes() for _, frames in kept] == [b"one", b"two", b"three"]


def test_a_disk_that_takes_nothing_ends_the_watch_and_loses_no_alert(watch, stream, tmp_path, monkeypatch):
    (tmp_path / "stream.ts").write_bytes(stream)
    told = []
    (tmp_path / "file").write_text("no folder")
    assert ClipFolder(tmp_path / "file", 25, told.append).keep("one", tmp_path / "stream.ts", {}) == (
        None,
        {},
    )
    assert told[0].startswith("lost      the clip of an alert: ")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "add", full)
    code, lines, err = watch("stream.ts", "--idle", "1")
    assert (code, [line["kind"] for line in lines]) == (3, ["summary"])
    assert "stream.ts: its segments cannot be written: [Errno 28] No space left on device" in err


@pytest.mark.parametrize(
    ("verdicts", "status", "spans", "found"),
    [
        (("supported", "partial"), "answered", ((1.0, 2.0), (3.0, 4.0)), [(1.0, 2.0)]),
        (("partial", "unsupported"), "answered", ((1.0, 2.0),), []),
        (("unsupported", "supported"), "partial", (), [(3.5, 3.533)]),
        (("supported", "supported"), "not_found", ((1.0, 2.0),), []),
    ],
    ids=["one place proved", "none proved", "no place", "not found"],
)
def test_only_what_passed_the_check_raises_an_alert(verdicts, status, spans, found):
    told = dataclasses.replace(
        ANSWER,
        status=status,
        spans=tuple(Span(*span) for span in spans),
        evidence=(Evidence(1.5, "It is seen.", verdicts[0]), Evidence(3.5, "It is seen.", verdicts[1])),
    )
    assert [(place.span.start_s, round(place.span.end_s, 3)) for place in found_in(told)] == found


class SlowToTell(deque):
    """A queue that lets other threads in while one looks at its first entry."""

    def __getitem__(self, place):
        found = super().__getitem__(place)
        time.sleep(0.1)
        return found


def test_lines_of_both_threads_are_posted():
    outlet, sent = Outlet("http://127.0.0.1:9/", lambda _: None), Future()
    sent.set_result(None)
    outlet._sent = SlowToTell([sent])
    outlet._pool.shutdown()
    outlet._pool = SimpleNamespace(submit=lambda *_: Future(), shutdown=lambda **_: None)
    both = [threading.Thread(target=outlet.put, args=({"kind": "skipped"},)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(10)
    assert len(outlet._sent) == 2


class SlowToAdd(float):
    """A sum that lets other threads in while something is added to it."""

    def __add__(self, other):
        time.sleep(0.1)
        return SlowToAdd(float(self) + other)


def test_what_both_threads_skip_counts():
    outlet = SimpleNamespace(put=lambda _: None)
    watcher = Watcher("x.ts", None, None, outlet, None, lambda _: None, _skipped_s=SlowToAdd())
    both = [threading.Thread(target=watcher.skip, args=(1.0, 3.0, "no signal")) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(10)
    assert watcher._skipped_s == 4.0


@pytest.mark.network
def test_a_webhook_that_hangs_holds_up_the_end_once(monkeypatch):
    monkeypatch.setattr(alerts, "_LAST_CHANCE_S", 0.3)
    told = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outlet = Outlet(f"http://127.0.0.1:{silent.getsockname()[1]}/", told.append)
        for _ in range(20):
            outlet.put({"kind": "skipped"})
        before_s = time.monotonic()
        outlet.close()
        assert time.monotonic() - before_s < 3
    assert told == ["lost      20 lines for the webhook, not taken within 0.3 s"]
