"""What runs leave: from the command line with the embedded model, and from Python with a scripted one."""

from __future__ import annotations

import csv
import errno
import json
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import vidagent
from tests.graphs.scripts import Script, answer, clip_look
from tests.media.code import read_code
from tests.media.truth import full_decode
from tests.reports.conftest import Page
from tests.scripted_server import HANG, ScriptedServer, routes, step_of
from vidagent.errors import UsageError
from vidagent.images import jpeg
from vidagent.serve.cli import app
from vidagent.serve.terminal import console
from vidagent.types import Budget
from vidagent.video.index.subtitles import parse_srt
from vidagent.video.video import Video

FPS, SECONDS = 5, 3
SHOWN = range(6, 9)
QUESTION = "When does the text 'PIER 9' appear?"
CLAIMS = [
    {"text": "It is seen first.", "ledger": ["L1"], "time_s": 2.0},
    {"text": "It is seen again.", "ledger": ["L2"], "time_s": 5.0},
]


@pytest.fixture(scope="module")
def pier(tmp_path_factory) -> Path:
    """Draw a video of 3 s with one text in three frames of it."""
    path = tmp_path_factory.mktemp("pier") / "pier.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for number in range(FPS * SECONDS):
            picture = np.full((360, 640, 3), 70, np.uint8)
            cv2.circle(picture, (20 + 30 * number, 300), 20, (200, 120, 40), -1)
            if number in SHOWN:
                cv2.putText(picture, "PIER 9", (180, 170), cv2.FONT_HERSHEY_DUPLEX, 2.5, (255, 255, 255), 5)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    return path


def usual() -> Script:
    """Look at two places and claim that it is seen at both."""
    spans = [{"start_s": 2.0, "end_s": 2.4}, {"start_s": 5.0, "end_s": 5.2}]
    looks = [clip_look(2.0, 2.4), clip_look(5.0, 5.2)]
    return Script(looks, [answer(claims=CLAIMS, spans=spans)])


def pictures(path: Path) -> list[np.ndarray]:
    with Video.open(path) as video:
        return [frame.rgb.astype(int) for frame in video.walk(0, 1e6)]


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_everything_at_once_from_the_command_line(pier, tmp_path):
    files = ["out.html", "clip.mp4", "a.json", "a.csv", "a.srt", "a.edl"]
    exports = [
        argument for name in [*files[1:], "frames/"] for argument in ("--export", f"{tmp_path}/{name}")
    ]
    asked = [pier, QUESTION, "--model", "signals", "--json", "--report", tmp_path / "out.html", *exports]
    command = [sys.executable, "-m", "vidagent", "ask", *map(str, asked)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert names(tmp_path) == sorted([*files, "frames"])
    saved = [line.split()[1].rstrip(",") for line in done.stderr.splitlines() if line.startswith("saved ")]
    frames = [str(file) for file in sorted((tmp_path / "frames").iterdir())]
    assert saved == [*(str(tmp_path / name) for name in files), *frames]

    assert json.loads((tmp_path / "a.json").read_text()) == said
    (span,) = said["spans"]
    assert (span["start_s"], span["end_s"]) == pytest.approx((1.2, 1.8), abs=1e-6)
    source, clip = pictures(pier), pictures(tmp_path / "clip.mp4")
    assert len(clip) == len(SHOWN)
    assert all(np.abs(source[number] - clip[at]).mean() < 2 for at, number in enumerate(SHOWN))

    with (tmp_path / "a.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["kind"] for row in rows] == ["span", *["evidence"] * len(said["evidence"])]
    assert (rows[0]["start_s"], rows[0]["text"]) == ("1.2", said["answer"])
    cues = parse_srt((tmp_path / "a.srt").read_text())
    assert cues[0].start_s == 1.2
    assert [cue for cue in cues if said["answer"] in cue.text][-1].end_s == 1.8
    assert "001  AX       V     C        00:00:01:01 00:00:01:04 " in (tmp_path / "a.edl").read_text()
    assert len(frames) == len(said["evidence"]) > 0
    read = Page(tmp_path / "out.html")
    assert said["answer"] in read.words
    assert read.told("Video") == "pier.mp4"
    assert len((tmp_path / "out.html").read_bytes()) < 200_000

    assert app.run(["runs", "resume", said["run_id"], "--report", str(tmp_path / "again.html"), "-q"]) == 0
    assert Page(tmp_path / "again.html").words.split("Made")[0] == read.words.split("Made")[0]


@pytest.mark.parametrize(
    ("flag", "name", "complaint"),
    [
        (
            "--export",
            "clip.avi",
            "an export is a file ending in .csv, .edl, .ffmetadata, .jpg, .json, .md, .mp4, .png, .srt or .txt, or",
        ),
        ("--export", "no/clip.mp4", "cannot be written: No such file or directory"),
        ("--export", "taken/frames/", "cannot be written: Not a directory"),
        ("--report", "out.pdf", "a report is a file ending in .html, got "),
        ("--report", "no/out.html", "cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_is_told_before_the_run(pier, tmp_path, monkeypatch, capfd, flag, name, complaint):
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path / "cache"))
    console.stderr.cache_clear()
    code = app.run(["ask", str(pier), QUESTION, "--model", "signals", flag, f"{tmp_path}/{name}"])
    said, complained = capfd.readouterr()
    assert (code, said) == (2, "")
    assert complained.startswith("vidagent: ")
    assert complaint in complained
    assert complained.count("\n") == 1
    assert names(tmp_path) == ["taken"]


@pytest.mark.network
def test_several_spans_and_frames_are_numbered(ask, clip, tmp_path):
    heard = []
    found = ask(
        usual(), export=[tmp_path / "clip.mp4", tmp_path / "shot.png", tmp_path / "f"], on_event=heard.append
    )
    assert names(tmp_path) == ["clip-1.mp4", "clip-2.mp4", "f", "few.toml", "shot-1.png", "shot-2.png"]
    truth = full_decode(clip("h264"))
    assert full_decode(tmp_path / "clip-1.mp4").codes == truth.codes[50:60]
    assert full_decode(tmp_path / "clip-2.mp4").codes == truth.codes[125:130]
    for number, item in enumerate(found.evidence, 1):
        for name in (f"shot-{number}.png", f"f/evidence-{number}-{item.time_s:.3f}s.jpg"):
            assert read_code(jpeg.decode((tmp_path / name).read_bytes())).millis == 1000 * item.time_s
    saved = [event.data["path"] for event in heard if event.kind == "saved"]
    assert [Path(path).name for path in saved[:4]] == ["clip-1.mp4", "clip-2.mp4", "shot-1.png", "shot-2.png"]
    assert [event.kind for event in heard][-7:] == ["saved"] * 6 + ["answer"]


@pytest.mark.network
def test_an_answer_that_found_nothing_leaves_what_it_can(ask, tmp_path):
    heard = []
    nothing = answer(found="no", answer="No bar is shown.", claims=[], spans=[])
    wanted = [tmp_path / name for name in ("clip.mp4", "a.csv", "a.srt", "a.edl", "a.json", "shot.jpg", "f")]
    refused = Script([clip_look(2.0, 4.0)], [nothing], verdicts=["unsupported"])
    ask(refused, export=wanted, on_event=heard.append)
    assert names(tmp_path) == ["a.csv", "a.edl", "a.json", "a.srt", "few.toml"]
    notes = [event.text for event in heard if event.kind == "note"]
    assert notes == [
        f"{tmp_path / 'clip.mp4'} is not written: the answer has no place in the video",
        f"{tmp_path / 'shot.jpg'} is not written: no claim of the answer has a frame",
        f"{tmp_path / 'f'} is not written: no claim of the answer has a frame",
    ]
    assert (tmp_path / "a.srt").read_bytes() == b""


@pytest.mark.network
def test_a_no_leaves_the_frames_that_its_sentences_were_checked_on(ask, tmp_path):
    heard = []
    nothing = answer(found="no", answer="No bar is shown.", claims=[], spans=[])
    wanted = [tmp_path / name for name in ("clip.mp4", "shot.jpg", "f")]
    found = ask(Script([clip_look(2.0, 4.0)], [nothing]), export=wanted, on_event=heard.append)
    (item,) = found.evidence
    assert (found.status, item.claim, item.verdict) == ("not_found", "No bar is shown.", "supported")
    assert names(tmp_path) == ["f", "few.toml", "shot.jpg"]
    for name in ("shot.jpg", f"f/evidence-1-{item.time_s:.3f}s.jpg"):
        assert read_code(jpeg.decode((tmp_path / name).read_bytes())).millis == 1000 * item.time_s
    notes = [event.text for event in heard if event.kind == "note"]
    assert notes == [f"{tmp_path / 'clip.mp4'} is not written: the answer has no place in the video"]


@pytest.mark.network
def test_frames_that_are_saved_are_named_in_the_json(ask, tmp_path):
    found = ask(usual(), export=tmp_path / "a.json", save_frames=tmp_path / "kept")
    assert json.loads((tmp_path / "a.json").read_text()) == found.to_dict()
    assert {Path(item.frame).parent for item in found.evidence} == {tmp_path / "kept"}


@pytest.mark.network
def test_a_full_disk_costs_no_answer(clip, tmp_path, monkeypatch):
    def full(path: Path, data: bytes) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    with ScriptedServer(usual()) as server:
        asked = {"base_url": server.url, "model": "scripted", "export": tmp_path / "a.csv"}
        with monkeypatch.context() as patch:
            patch.setattr("vidagent.reports.export.export.write", full)
            with pytest.raises(
                UsageError, match=r"a\.csv cannot be written: No space left.*--resume"
            ) as failed:
                vidagent.analyze_video(clip("h264"), "When?", **asked)
        run_id = str(failed.value).split("--resume ")[1].split()[0]
        requests = len(server.bodies)
        found = vidagent.analyze_video(clip("h264"), "When?", resume=run_id, **asked)
        assert len(server.bodies) == requests
    assert (found.run_id, found.status) == (run_id, "answered")
    assert (tmp_path / "a.csv").is_file()


@pytest.mark.network
def test_where_the_seconds_are_spent_nothing_is_decoded_for_frames(ask, tmp_path, monkeypatch):
    script, checked = usual(), []
    script.route = routes("locate")

    def slow(body):
        if step_of(body) == "verify":
            checked.append(True)
        return HANG if checked and step_of(body) == "look" else script(body)

    wanted = {"report": tmp_path / "out.html", "export": tmp_path / "f"}
    done: list[str] = []
    used = Video.frames_at
    monkeypatch.setattr(Video, "frames_at", lambda *args, **how: done.append("frames") or used(*args, **how))
    found = ask(slow, budget=Budget(seconds=4), on_event=lambda event: done.append(event.kind), **wanted)
    assert "frames" in done
    assert "frames" not in done[len(done) - done[::-1].index("look") :]
    assert (found.status, found.budget.ended_by) == ("partial", "seconds")
    frames = sorted((tmp_path / "f").iterdir())
    assert [read_code(jpeg.decode(frame.read_bytes())).millis for frame in frames] == [2000, 5000]
    assert any("(supported)" in alt for alt, _ in Page(tmp_path / "out.html").pictures())
