"""What is no video: one line that says what and why, and exit code 3."""

from __future__ import annotations

import ctypes
import io
import os
import re
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.serve.conftest import Done


def draw(path: Path, frames: int = 25) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            picture = np.full((48, 64, 3), 10 * number % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())


def sound_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.rate, frame.time_base = 8000, Fraction(1, 8000)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def truncated(path: Path) -> None:
    draw(path, frames=200)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def huge(path: Path) -> None:
    """Write one picture of 16 x 16 whose header says 16000 x 16000, as a bomb would."""
    data = bytearray(cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes())
    size_at = data.index(b"\xff\xc0") + 5
    data[size_at : size_at + 4] = struct.pack(">HH", 16000, 16000)
    with av.open(str(path), "w", format="mov") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16000, 16000, "yuvj420p"
        packet = av.Packet(bytes(data))
        packet.stream, packet.pts, packet.dts, packet.duration = stream, 0, 0, 1
        packet.time_base, packet.is_keyframe = Fraction(1, 25), True
        container.mux(packet)


def unreadable(path: Path) -> None:
    draw(path)
    path.chmod(0)


MAKERS = {
    "missing": (lambda path: None, "no such file"),
    "folder": (Path.mkdir, "is a directory"),
    "empty": (Path.touch, "empty"),
    "text": (lambda path: path.write_text("not a video\n" * 100), "not a video file: it is text"),
    "sound only": (sound_only, "no video, only audio"),
    "truncated": (truncated, "cut off"),
    "playlist": (lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n"), "playlist"),
    "concat": (lambda path: path.write_text("ffconcat version 1.0\nfile /etc/passwd\n"), "ffconcat list"),
    "fifo": (os.mkfifo, "FIFO"),
    "huge picture": (huge, "16000x16000"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_no_video(kind, command, tmp_path):
    maker, why = MAKERS[kind]
    path = tmp_path / "clip.mp4"
    maker(path)
    refused(command("probe", str(path)), why)


def test_no_permission(tmp_path):
    unreadable(tmp_path / "clip.mp4")
    done = subprocess.run(
        [sys.executable, "-m", "vidagent", "probe", str(tmp_path / "clip.mp4")],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_read_only_what_is_allowed,
    )
    refused(Done(done.returncode, done.stdout, done.stderr), "permission denied")


def _read_only_what_is_allowed() -> None:
    """Drop what lets root read everything: CAP_DAC_OVERRIDE (1) and CAP_DAC_READ_SEARCH (2); see prctl(2)."""
    drop_from_bounding_set = 24
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(drop_from_bounding_set, capability, 0, 0, 0)


@pytest.mark.parametrize(
    "path", ["concat:a.mp4|b.mp4", "rtsp://127.0.0.1/x", "http://127.0.0.1/x.mp4", "\0.mp4", "", "x" * 5000]
)
def test_no_path(path, command):
    refused(command("probe", path), ".")


@pytest.mark.parametrize("flags", [[], ["--dry-run"]])
def test_no_video_on_stdin(command, monkeypatch, flags):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"no video" * 100)))
    done = command("ask", "-", "When?", "--model", "signals", *flags)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("vidagent: stdin: is not a video file")


def test_a_dry_run_names_stdin(command, monkeypatch, tmp_path):
    draw(tmp_path / "clip.mp4")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((tmp_path / "clip.mp4").read_bytes())))
    done = command("ask", "-", "How many cuts are there?", "--model", "signals", "--dry-run")
    assert done.code == 0, done.err
    assert done.out.startswith("stdin: 0:01.000, model signals\n")


def test_one_frame_is_a_video(command, tmp_path):
    draw(tmp_path / "clip.mp4", frames=1)
    done = command("probe", str(tmp_path / "clip.mp4"), "--json")
    assert done.code == 0
    assert done.json()["duration_s"] == pytest.approx(0.04)


def refused(done, why: str) -> None:
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("vidagent: ")
    assert done.err.count("\n") == 1
    assert "internal" not in done.err
    assert re.search(why, done.err, re.IGNORECASE), done.err
