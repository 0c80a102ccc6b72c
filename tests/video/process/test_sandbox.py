from __future__ import annotations

import ctypes
import json
import logging
import os
import socket
import subprocess
import sys

import pytest

from tests.media.make import encode
from tests.video.process.attempts import ATTEMPTS
from vidagent.video.process import starter
from vidagent.video.process.client import Limits, Process
from vidagent.video.video import Video

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux has the sandbox's system calls")
MOST_POSSIBLE = 25
BUFFER = ctypes.create_string_buffer(b"12345678")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Return the outcomes without and with the sandbox, and the protections that this kernel lacks."""
    return run(tmp_path_factory.mktemp("before"), protected=False), run(
        tmp_path_factory.mktemp("after"), protected=True
    )


def run(folder, *, protected: bool) -> tuple[dict[str, str], list[str]]:
    """Start the decoding process with a decoder that was taken over, and return what it says."""
    listed = folder / "listed"
    listed.mkdir()
    (listed / "doomed").write_text("x")
    (folder / "secret").write_text("key=1")
    inherited = os.open(folder / "secret", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    with (
        pytest.MonkeyPatch.context() as patch,
        socket.create_server(("127.0.0.1", 0)) as server,
        subprocess.Popen(["sleep", "60"]) as victim,
    ):
        patch.setenv("VIDAGENT_API_KEY", "secret")
        patch.setattr(starter, "WORKER", "tests.video.process.attempts")
        if not protected:
            patch.setenv("UNPROTECTED", "1")
            patch.setattr(
                starter, "child_environment", lambda: {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            )
        fields = {
            "secret": str(folder / "secret"),
            "folder": str(listed),
            "port": server.getsockname()[1],
            "victim": victim.pid,
            "parent": os.getpid(),
            "address": ctypes.addressof(BUFFER),
            "inherited": [inherited, os.fstat(inherited).st_ino],
        }
        (folder / "video.mp4").write_text(json.dumps(fields))
        process = Process(folder / "video.mp4", "video.mp4", "pyav", Limits())
        try:
            process.send("open")
            header = process.wait(limit_s=60)[0]
        finally:
            process.kill()
            victim.kill()
            os.close(inherited)
    return header["info"], header["missing"]


@pytest.mark.network
@pytest.mark.parametrize("name", list(ATTEMPTS))
def test_a_decoder_that_was_taken_over_can_do_nothing(name, outcomes):
    after, missing = outcomes[1]
    if missing:
        pytest.skip(f"this kernel lacks {', '.join(missing)}")
    assert after[name]


@pytest.mark.network
def test_without_the_sandbox_the_same_attempts_succeed(outcomes):
    before = outcomes[0][0]
    assert len([name for name in before if not before[name]]) >= MOST_POSSIBLE, before


def test_the_open_file_is_read_and_its_neighbour_is_not(tmp_path):
    encode(tmp_path / "a.mp4", times_ms=tuple(range(0, 400, 40)))
    (tmp_path / "a.mp4").chmod(0o400)
    with Video.open(tmp_path / "a.mp4") as video:
        assert len(video.frames_between(0, 1)) == 10
        assert video.sound(0, 0.1).size == 1600


def test_what_a_system_lacks_is_told_and_logged_once(tmp_path, monkeypatch, caplog):
    encode(tmp_path / "a.mp4", times_ms=(0, 40))
    monkeypatch.setattr(starter, "WORKER", "tests.video.process.older_kernel")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with Video.open(tmp_path / "a.mp4") as video:
                assert video.unprotected == ("Landlock", "seccomp")
                assert len(video.frames_between(0, 1)) == 2
    said = [record for record in caplog.records if "vidagent doctor" in record.getMessage()]
    assert [record.getMessage() for record in said] == [
        "videos are decoded without Landlock and seccomp, which this system lacks; see `vidagent doctor`"
    ]
