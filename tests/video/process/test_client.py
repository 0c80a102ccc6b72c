from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time

import av
import numpy as np
import psutil
import pytest

from tests.media.code import read_code
from tests.media.make import FRAME, encode
from vidagent.errors import UsageError, VideoError
from vidagent.video.process import starter as starter_module
from vidagent.video.process.client import Limits, _has_ended
from vidagent.video.process.pipe import ProtocolError, receive
from vidagent.video.process.pipe import encode as message
from vidagent.video.process.starter import Starter, child_environment, starter
from vidagent.video.video import Video


def child_of(video: Video) -> int:
    return video._process.pid


def gone(pid: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_a_killed_child_is_an_error_and_the_next_call_works(clip_path):
    with Video.open(clip_path("h264")) as video:
        first = child_of(video)
        os.kill(first, signal.SIGSTOP)
        threading.Timer(0.3, os.kill, [first, signal.SIGKILL]).start()
        with pytest.raises(VideoError, match=r"h264\.mp4: the decoder was ended by SIGKILL"):
            video.frames_at([1.0])
        assert read_code(video.frames_at([1.0])[0].rgb).number == 25
        assert child_of(video) != first


def test_a_child_that_died_between_calls_is_replaced(clip_path):
    with Video.open(clip_path("h264")) as video:
        os.kill(child_of(video), signal.SIGSEGV)
        assert _has_ended(video._process._ended, 5)
        assert read_code(video.frames_at([2.0])[0].rgb).number == 50


def test_a_crash_names_the_signal(clip_path):
    with Video.open(clip_path("h264")) as video:
        os.kill(child_of(video), signal.SIGSTOP)
        threading.Timer(0.3, os.kill, [child_of(video), signal.SIGSEGV]).start()
        threading.Timer(0.4, os.kill, [child_of(video), signal.SIGCONT]).start()
        with pytest.raises(VideoError, match="the decoder crashed: SIGSEGV"):
            video.frames_at([1.0])


def test_a_hang_past_the_limit_is_an_error_and_the_child_is_killed(clip_path):
    with Video.open(clip_path("h264"), limits=Limits(call_s=0.6)) as video:
        hung = child_of(video)
        os.kill(hung, signal.SIGSTOP)
        start = time.monotonic()
        with pytest.raises(VideoError, match=r"the decoder hung: no progress in 0\.6 s"):
            video.frames_at([1.0])
        assert 0.5 < time.monotonic() - start < 3
        assert gone(hung)
        assert read_code(video.frames_at([1.0])[0].rgb).number == 25


def test_more_memory_than_the_limit_is_an_error(tmp_path):
    path = tmp_path / "large.mov"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 3000, 3000, "gray"
        black = av.VideoFrame.from_ndarray(np.zeros((3000, 3000), np.uint8), format="gray")
        (coded,) = [*stream.encode(black), *stream.encode()]
        for number in range(16):
            packet = av.Packet(bytes(coded))
            packet.stream, packet.time_base, packet.is_keyframe = stream, FRAME, True
            packet.pts = packet.dts = number
            out.mux(packet)
    tight = Limits(memory_bytes=800 << 20, reply_bytes=1 << 30)
    with Video.open(path, limits=tight) as video:
        with pytest.raises(VideoError, match=r"large\.mov: decoding it needs more than 0\.781 GiB of memory"):
            video.frames_between(0, 1)
        assert len(video.frames_between(0, 0.16, max_side_px=300)) == 4


def test_the_end_of_the_parent_leaves_no_child(clip_path):
    script = """
        import sys, time
        from vidagent.video.video import Video
        video = Video.open(sys.argv[1])
        print(video._process.pid, flush=True)
        while True:
            video.frames_at([7.0, 1.0])
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(clip_path("h264"))], stdout=subprocess.PIPE
    )
    with parent:
        child = int(parent.stdout.readline())
        time.sleep(0.2)
        parent.kill()
    assert gone(child)


def test_an_interrupt_reaches_the_parent_and_ends_the_child(clip_path):
    script = """
        import sys
        from vidagent.video.video import Video
        video = Video.open(sys.argv[1])
        print(video._process.pid, flush=True)
        try:
            while True:
                video.frames_at([7.0, 1.0])
        except KeyboardInterrupt:
            sys.exit(130)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(clip_path("h264"))],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with parent:
        child = int(parent.stdout.readline())
        time.sleep(0.3)
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.wait(10) == 130
    assert gone(child)


def test_a_child_shares_its_parents_session_in_a_group_of_its_own(clip_path):
    with Video.open(clip_path("h264")) as video:
        child = child_of(video)
        assert os.getpgid(child) == child
        assert os.getsid(child) == os.getsid(
            0
        )  # the processor is shared out by sessions first, then by niceness


def test_a_call_ends_with_its_video_though_the_next_one_gets_the_same_descriptors(clip_path):
    video = Video.open(clip_path("h264"))
    os.kill(child_of(video), signal.SIGSTOP)

    def look() -> None:
        with pytest.raises(VideoError):
            video.frames_at([1.0])

    call = threading.Thread(target=look)
    call.start()
    time.sleep(0.3)
    video.close()
    pipes = [os.pipe() for _ in range(4)]
    call.join(5)
    waiting = call.is_alive()
    for one in (end for pipe in pipes for end in pipe):
        os.close(one)
    assert not waiting


def test_closing_from_another_thread_ends_a_running_call(clip_path):
    video = Video.open(clip_path("h264"))
    os.kill(child_of(video), signal.SIGSTOP)
    threading.Timer(0.3, video.close).start()
    with pytest.raises(VideoError, match=r"closed|ended by SIGKILL"):
        video.frames_at([1.0])
    with pytest.raises(VideoError, match="the video was closed"):
        video.frames_at([1.0])


def test_a_forgotten_video_ends_its_child(clip_path):
    video = Video.open(clip_path("h264"))
    pid = child_of(video)
    del video
    assert gone(pid)


def template() -> psutil.Process:
    return psutil.Process(starter()._template.pid)


def processor_s() -> float:
    """Return the processor seconds of all decoding processes that have ended."""
    spent = template().cpu_times()
    return spent.children_user + spent.children_system


def test_decoding_processes_are_forks_of_one_template_and_outlive_none(clip_path):
    with Video.open(clip_path("h264")) as one, Video.open(clip_path("h264")) as other:
        before = template()
        children = [child_of(one), child_of(other)]
        assert {child.pid for child in before.children()} >= set(children)
        before.kill()
        assert all(map(gone, children))
        assert read_code(one.frames_at([1.0])[0].rgb).number == 25
        assert read_code(other.frames_at([2.0])[0].rgb).number == 50
        assert template().pid != before.pid
        assert {child.pid for child in template().children()} >= {child_of(one), child_of(other)}
        assert "vidagent.video.process.template" in template().cmdline()
        assert not any(name in template().environ() for name in os.environ if "KEY" in name)


def test_a_fork_of_the_program_neither_ends_the_template_nor_holds_up_its_end(monkeypatch):
    own = Starter("vidagent.video.process.template", child_environment())
    channel, process = own._open(), own._template
    held = os.dup(channel.fileno())  # as a fork has it
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 1)
        own.close()
    assert process.poll() is None
    closing = threading.Thread(target=own.close, daemon=True)
    closing.start()
    closing.join(20)
    assert process.poll() == 0
    os.close(held)


def test_what_cannot_be_started_is_an_error(clip_path, monkeypatch):
    monkeypatch.setattr(starter_module, "WORKER", "vidagent.no_such_module")
    with pytest.raises(
        VideoError, match="no process can be started to decode a video; see `vidagent doctor`"
    ):
        Video.open(clip_path("h264"))


def test_opening_is_quick_and_the_child_loads_only_what_it_needs(clip_path):
    path = clip_path("h264")
    Video.open(path).close()
    taken = []
    for _ in range(3):
        start = processor_s()
        with Video.open(path) as video:
            video.frames_at([1.0])
        assert gone(child_of(video))
        taken.append(processor_s() - start)
    assert 0 < sum(taken) < 0.5
    code = (
        "import sys, vidagent.video.process.worker, vidagent.video.container.probe, vidagent.video.decoders.pyav;"
        "heavy = ('langchain_core', 'langgraph', 'pydantic', 'rapidocr', 'onnxruntime', 'vidagent.types');"
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "name", ["memory_bytes", "open_s", "call_s", "max_pixels", "reply_bytes", "call_bytes"]
)
def test_limits_must_be_positive(name):
    with pytest.raises(UsageError, match=f"limit {name} must be more than 0, got 0"):
        Limits(**{name: 0})


def feed(data: bytes):
    rest = memoryview(data)

    def fill(buffer: memoryview) -> None:
        nonlocal rest
        buffer[:] = rest[: len(buffer)]
        rest = rest[len(buffer) :]

    return fill


def test_messages_come_back_as_they_were_sent():
    arrays = [np.arange(12, dtype=np.uint8).reshape(2, 2, 3), np.array([0.1, 2.5]), np.empty(0, np.int32)]
    data = b"".join(bytes(part) for part in message({"a": 1, "name": "\udcff ü"}, arrays))
    header, got = receive(feed(data), max_bytes=1000)
    assert header == {"a": 1, "name": "\udcff ü"}
    for one, other in zip(arrays, got, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)


@pytest.mark.parametrize(
    "header",
    [
        b"[1]",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps({"arrays": [["|O8", [1]]]}).encode(),
        json.dumps({"arrays": [["|u1", [-1]]]}).encode(),
        json.dumps({"arrays": [["|u1", [10**12, 10**12]]]}).encode(),
        json.dumps({"arrays": [["|u1", [True]]]}).encode(),
        json.dumps({"arrays": [["|u1", [10**6]]]}).encode(),
        json.dumps({"arrays": "x"}).encode(),
        json.dumps({"arrays": [["|u1", [1, 1, 1, 1, 1]]]}).encode(),
    ],
)
def test_a_hostile_message_is_refused(header):
    with pytest.raises(ProtocolError):
        receive(feed(struct.pack(">I", len(header)) + header), max_bytes=1000)


def test_a_header_without_end_is_refused():
    with pytest.raises(ProtocolError, match="4294967295"):
        receive(feed(b"\xff\xff\xff\xff"), max_bytes=1000)


def test_many_threads_take_turns(clip_path):
    wrong = []
    with Video.open(clip_path("h264")) as video:

        def ask(number: int) -> None:
            frame = video.frames_at([number * 0.04])[0]
            if read_code(frame.rgb).number != number:
                wrong.append(number)

        threads = [threading.Thread(target=ask, args=(n * 12,)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_file_taken_away_while_open_is_still_read(tmp_path):
    path = tmp_path / "taken.mp4"
    encode(path, times_ms=tuple(range(0, 2000, 40)))
    with Video.open(path) as video:
        path.unlink()
        assert read_code(video.frames_at([1.0])[0].rgb).number == 25
        os.kill(child_of(video), signal.SIGKILL)
        assert _has_ended(video._process._ended, 5)
        with pytest.raises(VideoError, match=r"taken\.mp4: cannot be read as a video: no such file"):
            video.frames_at([1.0])
