"""A prompt file of NeVA is answered by the embedded model, on a drawn clip and an image, and judged."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from tests.conftest import ROOT
from tests.scripted_server import ScriptedServer, says, texts

pytestmark = pytest.mark.network
SCRIPT = ROOT / "examples" / "neva_batch.py"
RULES = ROOT / "tests" / "evaluation" / "judge" / "files" / "rule.json"
PROMPTS = (
    {"video": "shop.mp4", "text": 'Does the text "OPEN" appear?', "category": "conv", "question_id": 0},
    {"video": "shop.mp4", "text": 'Does the text "SALE" appear?<video>', "category": "detail", "question_id": 1},
    {"video": "shop.mp4", "text": 'Does the text "SALE" appear?', "category": "conv", "question_id": 2,
     "splice_single_frame": "last"},
    {"image": "sign.png", "text": '<image>\nDoes the text "EXIT" appear?', "category": "complex",
     "question_id": 3, "media_type": "image"},
)  # fmt: skip
OPEN, SALE = range(15), range(38, 50)
FRAMES = 50


def picture(text=None):
    drawn = np.full((180, 320, 3), (70, 84, 96), np.uint8)
    if text is not None:
        cv2.putText(drawn, text, (60, 100), cv2.FONT_HERSHEY_DUPLEX, 1.4, (250, 250, 250), 2)
    return drawn


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """Return a folder with a clip that shows OPEN first and SALE last, an image, and prompts about both."""
    folder = tmp_path_factory.mktemp("media")
    with av.open(str(folder / "shop.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "superfast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(FRAMES):
            text = "OPEN" if number in OPEN else "SALE" if number in SALE else None
            frame = av.VideoFrame.from_ndarray(picture(text), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    (folder / "sign.png").write_bytes(cv2.imencode(".png", picture("EXIT"))[1].tobytes())
    (folder / "prompts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in PROMPTS))
    return folder


def run(media, out, *flags, prompts="prompts.jsonl"):
    return subprocess.run(
        [sys.executable, SCRIPT, media / prompts, media, "-o", out, *flags],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def answers(path):
    return {line["question_id"]: line for line in map(json.loads, path.read_text().splitlines())}


def scores(body):
    """Prefer the answer that is a text in capitals."""
    shown = re.findall(r"\[Assistant \d\]\n(.*?)\n", texts(body))
    first, second = (8 if one.isupper() else 3 for one in shown)
    return says(f"{first} {second}")


def test_the_file_is_answered_twice_and_judged(media, tmp_path):
    out = tmp_path / "answers"
    with ScriptedServer(scores) as server:
        done = run(media, out, "--judge-url", server.url, "--rules", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    many, one = answers(out / "8-frames.jsonl"), answers(out / "middle.jsonl")
    told = {name: [made[number]["answer"]["status"] for number in range(4)] for name, made in
            (("many", many), ("one", one))}  # fmt: skip
    assert told == {
        "many": ["answered", "answered", "answered", "answered"],
        "one": ["not_found", "not_found", "answered", "answered"],  # nothing stands in the middle frame
    }
    assert [many[number]["response"] for number in (0, 3)] == ["OPEN OPEN OPEN", "EXIT"]
    assert [many[number]["answer"]["usage"]["frames_sent"] for number in range(4)] == [8, 8, 1, 1]
    assert [one[number]["answer"]["usage"]["frames_sent"] for number in range(4)] == [1, 1, 1, 1]
    assert many[3]["media_type"] == "image"
    table = done.stdout.splitlines()[-4:]
    assert table == [
        "all 80.0 55.0",
        "llava_bench_complex 80.0 80.0",
        "llava_bench_conv 80.0 55.0",
        "llava_bench_detail 80.0 30.0",
    ]
    assert len(server.bodies) == 8  # each pair in both orders
    shown = re.search(r'0  Does the text "OPEN" appear\?\n +8-frames +(.*)\n +middle +(.*)\n', done.stdout)
    assert shown is not None
    assert shown.groups() == (many[0]["response"], one[0]["response"])


def test_a_line_that_fails_is_told_and_nothing_is_judged(media, tmp_path):
    (media / "gone.jsonl").write_text(json.dumps({**PROMPTS[0], "video": "gone.mp4"}) + "\n")
    with ScriptedServer(scores) as server:
        flags = ("--splice-single-frame", "first", "--judge-url", server.url)
        done = run(media, tmp_path / "answers", *flags, prompts="gone.jsonl")
    assert done.returncode == 3
    assert done.stdout.count("gone.mp4: no such file") == 2
    assert server.bodies == []
