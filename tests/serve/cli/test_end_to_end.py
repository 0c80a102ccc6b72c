"""The command line with everything behind it: a real video, the real graph, real processes and servers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import psutil
import pytest

from tests.agents.servers.families import FAMILIES, serve
from tests.scripted_server import PAGE, Raw, ScriptedServer

FPS, SECONDS = 5, 3
SHOWN_S = (1.2, 1.8)
QUESTION = "When does the text 'PIER 9' appear?"
KEYS = {
    "status", "answer", "choice", "confidence", "spans", "parts", "count", "evidence", "coverage", "usage", "budget",
    "video", "model", "run_id",
}  # fmt: skip
USAGE_KEYS = {
    "seconds", "steps", "model_calls", "prompt_tokens", "completion_tokens", "thinking_tokens", "cached_tokens",
    "computed_tokens", "frames_decoded", "frames_sent", "rounds", "by_step",
}  # fmt: skip


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Draw a video of 3 s with one text in it from 1.2 s to 1.8 s."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for number in range(FPS * SECONDS):
            picture = np.full((360, 640, 3), 70, np.uint8)
            cv2.circle(picture, (20 + 30 * number, 300), 20, (200, 120, 40), -1)
            if SHOWN_S[0] <= number / FPS < SHOWN_S[1]:
                cv2.putText(picture, "PIER 9", (180, 170), cv2.FONT_HERSHEY_DUPLEX, 2.5, (255, 255, 255), 5)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    return path


def vidagent(*arguments: object, **rest) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vidagent", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **rest)


@pytest.mark.parametrize(
    ("flags", "frames"),
    [
        (("--fps", "2"), 6),
        pytest.param(("--num-frames", "6"), 6, marks=pytest.mark.slow),
        pytest.param(("--fps", "99"), 15, marks=pytest.mark.slow),
    ],
)
def test_the_first_look_is_as_fine_as_asked_for(clip, flags, frames):
    done = vidagent("ask", clip, "Is the picture ever all green?", "--model", "signals", "-v", *flags)
    assert done.returncode == 0, done.stderr
    assert f"overview 0.000-3.000 s, {frames} frames" in done.stderr
    assert ("15 frames at 5 fps" in done.stderr) == (flags == ("--fps", "99"))


def test_a_rate_and_a_number_exclude_each_other(clip):
    done = vidagent("ask", clip, QUESTION, "--fps", "2", "--num-frames", "8")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "vidagent: give either fps or num_frames, not both; got fps 2 and num_frames 8\n"


def test_ask_answers_to_the_frame(clip, tmp_path):
    done = vidagent(
        "ask", clip, QUESTION, "--model", "signals", "--json", "--save-frames", tmp_path / "frames"
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer) == KEYS
    assert answer["status"] == "answered"
    assert answer["spans"][0]["start_s"] == pytest.approx(SHOWN_S[0], abs=1e-6)
    assert answer["video"]["path"] == str(clip)
    assert answer["parts"] == []  # the answer to "when" has no parts
    assert set(answer["usage"]) == USAGE_KEYS
    assert 0 < answer["usage"]["rounds"] <= answer["usage"]["model_calls"]
    assert answer["usage"]["frames_sent"] <= 200
    (frame, *_) = [Path(item["frame"]) for item in answer["evidence"] if item["frame"]]
    assert frame.parent == tmp_path / "frames"
    assert cv2.imread(str(frame)).shape[:2] == (360, 640)
    lines = done.stderr.splitlines()
    assert lines[0].startswith("model     signals, embedded")
    assert any(line.startswith("looked    ") for line in lines)
    assert lines[-1].startswith("cost      ")


def test_a_spent_budget_is_exit_5(clip, command):
    done = command("ask", str(clip), QUESTION, "--model", "signals", "--json", "--budget-model-calls", "1")
    assert done.code == 5, done.err
    answer = done.json()
    assert (answer["status"], answer["budget"]["ended_by"]) == ("partial", "model_calls")
    assert answer["usage"]["model_calls"] == 1


def test_a_run_is_resumed(clip, command):
    first = command("ask", str(clip), QUESTION, "--model", "signals", "--json").json()
    resume = ("--model", "signals", "--json", "--resume", first["run_id"])
    again = command("ask", str(clip), QUESTION, *resume)
    assert again.code == 0, again.err
    assert again.json()["answer"] == first["answer"]
    other = command("ask", str(clip), "How many cuts?", "-q", *resume)
    assert other.code == 2
    assert other.err.startswith("vidagent: ")


def test_a_dry_run_asks_nothing(clip, command):
    done = command("ask", str(clip), QUESTION, "--model", "signals", "--dry-run", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json()["video"]["duration_s"] == SECONDS


def test_a_dry_run_says_that_the_video_has_fewer_frames(clip, command):
    done = command("ask", str(clip), QUESTION, "--model", "signals", "--dry-run", "--fps", "99")
    assert done.out.splitlines()[-1] == "note: fps 99 asked for, but the video has 15 frames at 5 fps"


def test_ctrl_c_leaves_no_child(clip):
    command = [sys.executable, "-m", "vidagent", "ask", str(clip), QUESTION, "--model", "signals", "-v"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while "surveying" not in (line := process.stderr.readline()):
            assert line
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "")
    assert complaint.endswith("vidagent: interrupted\n")
    assert "Traceback" not in complaint
    assert psutil.wait_procs(children, timeout=5)[1] == []


SERVERS = {
    "a page instead of JSON": PAGE,
    "wrong key": Raw('{"error": {"message": "no such key"}}', status=401),
    "wrong model": Raw('{"error": {"message": "The model `m` does not exist."}}', status=404),
    "no choices": {"choices": []},
    "cut off": Raw('{"choices": [{"mess'),
}


@pytest.mark.network
@pytest.mark.parametrize("kind", SERVERS)
def test_bad_servers_are_one_line_and_exit_4(clip, command, monkeypatch, kind):
    monkeypatch.setenv("VIDAGENT_API_KEY", "sk-secret")
    with ScriptedServer([SERVERS[kind]], models=["m"]) as server:
        done = command("ask", str(clip), QUESTION, "-q", "--base-url", server.url, "--model", "m")
    assert (done.code, done.out) == (4, ""), done.err
    assert done.err.count("\n") == 1
    assert server.url in done.err
    assert "sk-secret" not in done.err


@pytest.mark.network
def test_no_server_is_one_line_and_exit_4(clip, command):
    done = command("ask", str(clip), QUESTION, "-q", "--base-url", "http://127.0.0.1:1/v1", "--model", "m")
    assert (done.code, done.out) == (4, ""), done.err
    assert done.err.count("\n") == 1


@pytest.mark.network
@pytest.mark.parametrize(("flags", "lines"), [((), 0), (("-v",), 1)])
def test_what_a_server_turns_out_to_refuse_is_one_line_with_v(clip, command, flags, lines):
    with serve(FAMILIES["no schema"]) as server:
        done = command("ask", str(clip), "What lies there?", "--base-url", server.url, *flags)
    assert done.code == 0, done.err
    said = [
        line for line in done.err.splitlines() if "the server refuses schema (response_format is not" in line
    ]
    assert len(said) == lines
