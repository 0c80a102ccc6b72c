"""Pieces of a stream, against a full decode: no frame is lost, and none is shown at another time."""

from __future__ import annotations

import sys
import threading

import av
import numpy as np
import pytest

from tests.media.make import OPEN_HEVC, X264, encode
from vidagent.errors import VideoError
from vidagent.video.stream import client
from vidagent.video.stream.client import StreamProcess

FRAME_MS = 40


def frames_of(path_or_file):
    with av.open(path_or_file) as container:
        return {
            round(float(frame.pts * frame.time_base) * 1000): frame.to_ndarray(format="gray")
            for frame in container.decode(video=0)
        }


def pieces_of(data, seconds):
    process = StreamProcess(seconds)

    def feed():
        for start in range(0, len(data), 10_000):
            process.feed(data[start : start + 10_000])
        process.finish()

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        return list(process)
    finally:
        process.kill()
        feeder.join()
        process.close()


@pytest.mark.parametrize(
    ("suffix", "codec", "options", "start_ms"),
    [
        (".ts", "libx264", {**X264, "g": "20"}, 0),
        (".ts", "libx265", OPEN_HEVC, 5000),
        (".mkv", "libx265", OPEN_HEVC, 0),
    ],
    ids=["closed", "open", "matroska"],
)
def test_the_pieces_have_every_frame_at_its_time(tmp_path, suffix, codec, options, start_ms):
    path = tmp_path / f"stream{suffix}"
    encode(path, range(0, 5000, FRAME_MS), codec=codec, options=options, start_ms=start_ms, tone_s=5.0)
    whole, found = frames_of(str(path)), {}
    first_ms = min(whole)
    pieces = pieces_of(path.read_bytes(), 1.5)
    assert len(pieces) >= 2
    for number, piece in enumerate(pieces):
        (tmp_path / f"{number}.mkv").write_bytes(piece.data)
        inside = frames_of(str(tmp_path / f"{number}.mkv"))
        assert min(inside) == 0
        origin_ms = round(1000 * piece.start_s)
        assert piece.end_s == pytest.approx((origin_ms + max(inside) + FRAME_MS) / 1000, abs=0.002)
        for time_ms, picture in inside.items():
            (exact,) = [known for known in whole if abs(known - origin_ms - time_ms) <= 1]
            found[exact] = picture
    assert min(found) == first_ms
    assert sorted(found) == sorted(whole)
    assert all(np.array_equal(found[time_ms], whole[time_ms]) for time_ms in whole)


def test_neighbours_share_the_frame_of_the_cut(tmp_path):
    path = tmp_path / "stream.ts"
    encode(path, range(0, 4000, FRAME_MS), options={**X264, "g": "25"})
    first, second, *_ = pieces_of(path.read_bytes(), 1.0)
    assert first.end_s - second.start_s == pytest.approx(FRAME_MS / 1000, abs=0.002)
    assert not second.jumped


def test_a_jump_of_the_clock_begins_a_piece(tmp_path):
    data = b""
    for number, start_ms in enumerate((1000, 101_000)):
        path = tmp_path / f"{number}.ts"
        encode(path, range(0, 1000, FRAME_MS), start_ms=start_ms)
        data += path.read_bytes()
    first, second = pieces_of(data, 30.0)
    assert (first.jumped, second.jumped) == (False, True)
    assert second.start_s - first.start_s == pytest.approx(100.0, abs=0.002)


@pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's")
@pytest.mark.parametrize("attempt", ["open('/etc/passwd')", "socket.create_connection(('127.0.0.1', 9))"])
def test_a_cutter_that_was_taken_over_reaches_nothing(tmp_path, monkeypatch, attempt):
    path = tmp_path / "stream.ts"
    encode(path, range(0, 1000, FRAME_MS))
    taken_over = f"process.pieces_of = lambda *_: {attempt}; process.main()"
    code = f"import socket; from vidagent.video.stream import process; {taken_over}"
    monkeypatch.setattr(client, "COMMAND", (sys.executable, "-c", code))
    with pytest.raises(VideoError, match=r"Permission denied|Function not implemented"):
        pieces_of(path.read_bytes(), 1.0)


@pytest.mark.network
def test_an_address_with_a_password_is_no_argument():
    process = StreamProcess(1.0, "rtsp://me:secret@127.0.0.1:9/x")
    try:
        assert "secret" not in str(process._popen.args)
        with pytest.raises(VideoError, match="Connection refused"):
            list(process)
    finally:
        process.close()


def test_what_is_no_stream_is_an_error():
    with pytest.raises(VideoError, match="Invalid data"):
        pieces_of(b"no video" * 10_000, 1.0)
