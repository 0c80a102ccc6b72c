"""A whole evaluation: both ways at equal frames, resuming, errors, missing videos, and what it prints and writes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser

import pytest

from tests.evaluation.conftest import FILES, answering
from tests.scripted_server import Raw, ScriptedServer, block_of, labelled_images, says

pytestmark = pytest.mark.network

NINE = {"number": {"choice": 2}, "colour": {"choice": 0}}


def arguments(folder, server, out, *flags, mode="direct", file="videomme.json"):
    return (
        "eval", "videomme", str(FILES / file), "--videos", str(folder), "--mode", mode,
        "--frames", "4", "--base-url", server if isinstance(server, str) else server.url, "-o", str(out), *flags,
    )  # fmt: skip


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_embedded_model_runs_a_whole_evaluation(command, shelf, tmp_path):
    out, page = tmp_path / "out.jsonl", tmp_path / "out.html"
    some = tmp_path / "items.jsonl"
    wanted = [line for line in lines_of(FILES / "items.jsonl") if line["id"] in {"when", "what", "absent"}]
    some.write_text("".join(json.dumps(line) + "\n" for line in wanted))
    flags = ("--videos", str(shelf("clip.mp4")), "--model", "signals", "--frames", "60", "-o", str(out))
    done = command("eval", "items", str(some), *flags, "--html", str(page))
    assert done.code == 0, done.err
    lines = lines_of(out)
    assert [(line["id"], line["mode"]) for line in lines] == [
        (name, mode) for name in ("when", "what", "absent") for mode in ("direct", "agent")
    ]
    assert {line["mark"] for line in lines} == {"right"}
    assert all(
        line["cost"]["frames_sent"] == 15 for line in lines if line["mode"] == "direct"
    )  # all there are
    assert all(0 < line["cost"]["frames_sent"] <= 60 for line in lines if line["mode"] == "agent")
    assert done.out.splitlines()[0] == "items: model signals, 60 frames a question"
    assert re.search(r"^accuracy +3  100.0% \[43.9, 100.0\]  100.0% \[43.9, 100.0\]$", done.out, re.MULTILINE)
    assert "right alone: agent 0, direct 0 (McNemar p = 1)" in done.out
    assert "\x1b" not in done.out + done.err
    _check_page(page.read_text())


def test_another_stream_of_the_videos(command, shelf, tmp_path):
    out = tmp_path / "out.jsonl"
    flags = ("--videos", str(shelf("clip.mp4")), "--model", "signals", "--frames", "60", "-o", str(out))
    command("eval", "items", str(FILES / "items.jsonl"), *flags, "--limit", "1", "--stream", "5")
    assert [(line["mode"], "stream 5" in line["error"]["message"]) for line in lines_of(out)] == [
        ("direct", True),
        ("agent", True),
    ]


def _check_page(page):
    tags, sources = [], []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            tags.append(tag)
            sources.extend(value for name, value in attributes if name in {"src", "href"})

    Reader().feed(page)
    assert sources == []
    assert "script" not in tags
    assert tags.count("svg") >= 12
    assert "PIER 9" in page


def test_what_is_done_is_never_asked_again(command, shelf, tmp_path):
    out = tmp_path / "out.jsonl"
    with ScriptedServer(answering(NINE)) as server:
        first = arguments(shelf("aB-3_x.mp4"), server, out, "--limit", "1", "--seed", "1")
        rest = arguments(shelf("aB-3_x.mp4"), server, out, "--json")
        drawn = [command(*first).code, len(server.bodies)]
        done = command(*rest)
        asked = [block_of(body, "question") for body in server.bodies]
        assert command(*rest).json() == done.json()
        assert len(server.bodies) == 2
    assert drawn == [0, 1]
    assert sorted(asked) == ["Which colour does the disc have?", "Which number does the pier have?"]
    assert done.json()["modes"]["direct"]["all"]["accuracy"]["value"] == 1.0
    assert "resumed   1 of 2 answers are there already" in done.err


def test_a_killed_run_goes_on(command, shelf, tmp_path):
    """The process is killed amid its second question, and a half line stands at the end of its file."""
    out, folder = tmp_path / "out.jsonl", shelf("aB-3_x.mp4")

    def script(body):
        reply = answering(NINE)(body)
        return Raw(hang=True) if "colour" in block_of(body, "question") and not released else reply

    released = []
    with ScriptedServer(script) as server:
        run = subprocess.Popen([sys.executable, "-m", "vidagent", *arguments(folder, server, out, "-q")])
        deadline = time.monotonic() + 120
        while len(server.bodies) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        run.send_signal(signal.SIGKILL)
        run.wait(30)
        with out.open("a") as file:
            file.write('{"id": "001-2", "mode": "dir')
        released.append(True)
        done = command(*arguments(folder, server, out, "--json"))
    assert done.json()["modes"]["direct"]["all"]["questions"] == 2
    assert [line["id"] for line in lines_of(out)] == ["001-1", "001-2"]
    assert [block_of(body, "question").split()[1] for body in server.bodies] == ["number", "colour", "colour"]


def test_errors_are_lines_and_can_be_asked_again(command, shelf, tmp_path):
    out, folder = tmp_path / "out.jsonl", shelf("aB-3_x.mp4")
    with ScriptedServer(answering({**NINE, "colour": None})) as server:
        done = command(*arguments(folder, server, out, "--json"))
    assert done.code == 0
    told = done.json()["modes"]["direct"]["all"]
    assert (told["errors"], told["accuracy"]["value"]) == (1, 0.5)
    assert lines_of(out)[1]["error"]["type"] == "ServerError"
    with ScriptedServer(answering(NINE)) as server:
        again = command(*arguments(folder, server, out, "--json", "--retry-errors"))
        assert len(server.bodies) == 1
    told = again.json()["modes"]["direct"]["all"]
    assert (told["questions"], told["errors"], told["accuracy"]["value"]) == (2, 0, 1.0)


def test_a_broken_video_is_a_line(command, shelf, tmp_path):
    out, folder = tmp_path / "out.jsonl", shelf("aB-3_x.mp4")
    (folder / "aB-3_x.mp4").write_bytes(b"no video")
    with ScriptedServer(answering(NINE)) as server:
        assert command(*arguments(folder, server, out)).code == 0
    assert {line["error"]["type"] for line in lines_of(out)} == {"VideoError"}


def test_no_server_ends_the_run_and_keeps_nothing_wrong(command, shelf, tmp_path):
    out = tmp_path / "out.jsonl"
    done = command(*arguments(shelf("aB-3_x.mp4"), "http://127.0.0.1:1/v1", out, "--model", "m"))
    assert (done.code, done.out) == (4, "")
    assert "no model server answers" in done.err
    assert out.read_text() == ""


def test_no_video_at_all_is_exit_3(command, tmp_path):
    done = command(*arguments(tmp_path, "http://127.0.0.1:1/v1", tmp_path / "out.jsonl"))
    assert (done.code, done.out) == (3, "")
    assert "none of the 2 videos is in" in done.err


def test_scores_of_other_frames_are_not_mixed(command, shelf, tmp_path):
    out, folder = tmp_path / "out.jsonl", shelf("aB-3_x.mp4")
    with ScriptedServer(answering(NINE)) as server:
        assert command(*arguments(folder, server, out)).code == 0
        done = command(*arguments(folder, server, out, "--frames", "5"))
    assert done.code == 2
    assert "the results were made with frames 4, and now it is 5" in done.err


def test_equal_frames_whatever_the_video_has(command, shelf, tmp_path):
    """The clip has 15 frames: of 40 asked for, these are sent, each once."""
    with ScriptedServer(answering(NINE)) as server:
        flags = arguments(shelf("aB-3_x.mp4"), server, tmp_path / "out.jsonl", "--frames", "40")
        assert command(*flags).code == 0
    times = [time_s for time_s, _ in labelled_images(server.bodies[0])]
    assert times == pytest.approx([number / 5 for number in range(15)])


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--frames", "0"), "--frames must be 1 or more, got 0"),
        (("--limit", "0"), "--limit must be 1 or more, got 0"),
        (("--concurrency", "0"), "--concurrency must be 1 or more, got 0"),
        (("--budget-frames", "9"), "--frames is the agent's budget of frames, too"),
        (("--videos", "nowhere"), "nowhere: no such folder of videos"),
        (("--frames", "some"), "--frames must be a whole number, more than 0; got 'some'"),
    ],
)
def test_flags_out_of_range_are_exit_2(command, tmp_path, flags, words):
    done = command(*arguments(tmp_path, "http://127.0.0.1:1/v1", tmp_path / "out.jsonl", *flags))
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_a_name_leads_to_no_file_outside_the_folder(command, shelf, tmp_path, clip):
    away = [
        {**json.loads((FILES / "videomme.json").read_text())[0], "videoID": f"../../{clip.parent.name}/clip"}
    ]
    (tmp_path / "away.json").write_text(json.dumps(away))
    folder = shelf("other.mp4")
    flags = arguments(
        folder, "http://127.0.0.1:1/v1", tmp_path / "out.jsonl", file=str(tmp_path / "away.json")
    )
    assert command(*flags).code == 3


def test_a_page_of_hostile_words_stays_a_page(command, shelf, tmp_path):
    page = tmp_path / "out.html"
    with ScriptedServer([says('{"answer": "<script>alert(1)</script>", "choice": 0}')]) as server:
        assert (
            command(*arguments(shelf("aB-3_x.mp4"), server, tmp_path / "o.jsonl", "--html", str(page))).code
            == 0
        )
    assert "<script" not in page.read_text()
    assert "&lt;script&gt;" in page.read_text()
