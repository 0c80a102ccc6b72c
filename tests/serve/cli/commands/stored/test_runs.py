"""`vidagent runs`: what was done is found again, shown, replayed byte for byte, and gone on with."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import vidagent
from benchmarks.kills import run_kills
from tests.media.make import CLIPS
from tests.runs.test_resume import kill_after, usual
from tests.scripted_server import ScriptedServer
from vidagent.serve.cli.commands import ask as asking

pytestmark = pytest.mark.network
QUESTION = "When is it seen?"


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    return CLIPS["h264"](tmp_path_factory.mktemp("clip")).path


@pytest.fixture
def asked(command, video):
    """Return what `ask --json` printed for a run over a scripted model, whose server is gone now."""
    with ScriptedServer(usual()) as server:
        done = command(
            "ask", str(video), QUESTION, "--json", "-q", "--base-url", server.url, "--model", "scripted"
        )
    assert (done.code, done.err) == (0, "")
    return done


def test_a_replay_prints_the_same_bytes(command, asked, video):
    run_id = asked.json()["run_id"]
    again = command("runs", "replay", run_id, "--json")
    assert (again.code, again.out) == (0, asked.out)
    assert again.err == "replayed  the answer is the recorded one\n"
    answer = Path(os.environ["VIDAGENT_CACHE_DIR"]) / "runs" / run_id / "answer.json"
    assert json.loads(answer.read_text()) == again.json()
    last = command("runs", "replay", "--last", "-q")
    assert last.out.startswith("Something is to be seen.\n")
    assert last.err == ""


def test_a_video_that_was_moved_is_named_and_another_one_refused(command, asked, video, tmp_path):
    moved = tmp_path / "moved.mp4"
    moved.write_bytes(video.read_bytes())
    assert command("runs", "replay", "--last", "--json", "--video", str(moved)).out == asked.out
    moved.write_bytes(video.read_bytes() + b"\0")
    done = command("runs", "replay", "--last", "--video", str(moved))
    assert (done.code, done.out) == (2, "")
    assert "was about a video with sha256" in done.err


def test_an_answer_that_differs_is_printed_and_complained_of(command, asked):
    path = Path(os.environ["VIDAGENT_CACHE_DIR"]) / "runs" / asked.json()["run_id"] / "answer.json"
    path.write_text(path.read_text().replace('"answer": "Something is to be seen."', '"answer": "Made up."'))
    done = command("runs", "replay", "--last", "--json", "-q")
    assert (done.code, done.out) == (4, asked.out)
    assert "the replay's answer is not the recorded one: answer differ" in done.err


def test_the_list_is_newest_first(command, asked, video):
    assert command("ask", str(video), "How many dogs bark?\n" * 9, "--model", "signals", "-q").code == 0
    listed = command("runs", "list", "--json").json()["runs"]
    assert [(run["model"], run["status"]) for run in listed] == [
        ("signals", "cannot_judge"),
        ("scripted", "answered"),
    ]
    assert listed[1]["run_id"] == asked.json()["run_id"]
    assert listed[1]["seconds"] == asked.json()["usage"]["seconds"]
    assert listed[1]["frames"] == asked.json()["usage"]["frames_sent"]
    newest, oldest = command("runs", "list").out.splitlines()
    assert newest.startswith(listed[0]["run_id"])
    assert "How many dogs bark? How many" in newest
    assert "…  h264.mp4  signals" in newest
    assert QUESTION in oldest


def test_a_run_is_shown_step_by_step(command, asked):
    usage = asked.json()["usage"]
    shown = command("runs", "show", "--last", "--json").json()
    assert shown["answer"] == asked.json()
    steps = shown["steps"]
    assert [step["step"] for step in steps] == [step["step"] for step in usage["by_step"][:-1]]
    assert sum(step["requests"] for step in steps) == usage["model_calls"]
    assert sum(step["frames"] for step in steps) == usage["frames_sent"]
    assert sum(step["prompt_tokens"] for step in steps) == usage["prompt_tokens"]
    text = command("runs", "show", asked.json()["run_id"]).out
    assert "answer    Something is to be seen.\n" in text
    assert "look: clip 1.000-3.000 s, " in text
    assert "verdict: supported: because" in text


def test_no_run_and_two_runs_are_usage_errors(command, asked):
    for words in ((), ("x", "--last")):
        done = command("runs", "show", *words)
        assert (done.code, done.out) == (2, "")
        assert "name one run: give RUN" in done.err
    done = command("runs", "replay", "20260101-000000-abcdef")
    assert done.code == 2
    assert f"there are {asked.json()['run_id']}" in done.err


def test_without_runs(command):
    assert command("runs", "list").out == "no runs in the last week\n"
    assert command("runs", "list", "--json").json() == {"runs": []}
    done = command("runs", "resume", "--last")
    assert (done.code, done.err) == (2, done.err)
    assert "there is no run 'last'; there is none" in done.err


def test_a_killed_run_is_gone_on_with_by_its_name_alone(command, video):
    run_id, before = kill_after(8, video)
    [listed] = command("runs", "list", "--json").json()["runs"]
    assert (listed["status"], listed["seconds"]) == ("unfinished", None)
    script = usual()
    script.planned = sum(step == "plan" for step in before[:-1])
    with ScriptedServer(script) as server:
        done = command("runs", "resume", "--last", "--base-url", server.url, "--json", "-q")
    assert done.code == 0, done.err
    assert (done.json()["run_id"], done.json()["status"]) == (run_id, "answered")
    assert len(server.bodies) + len(before) - 1 == 9
    assert command("runs", "replay", run_id, "--json", "-q").out == done.out


SERVER = "http://127.0.0.1:1/v1"


RESUMED = [
    (("scripted", None, "vllm"), "", "scripted", None, "vllm"),
    (("scripted", None, "vllm"), "--engine vllm", "scripted", None, "vllm"),
    (("scripted", None, "vllm"), "--engine transformers", "scripted", None, "transformers"),
    (("scripted", None, "vllm"), f"--base-url {SERVER}", "scripted", SERVER, None),
    (("scripted", None, "vllm"), "--model other", "other", None, "vllm"),
    (("scripted", None, "vllm"), "--model signals", "signals", None, "server"),
    (("scripted", SERVER, "server"), "--model other", "other", SERVER, "server"),
    (("scripted", SERVER, "server"), "--model signals", "signals", None, "server"),
    (("scripted", SERVER, "server"), "--engine vllm --model m", "m", None, "vllm"),
    (("signals", None, "server"), "", "signals", None, "server"),
    (("signals", None, "server"), f"--base-url {SERVER}", None, SERVER, None),
    (("signals", None, "server"), "--model other", "other", None, "server"),
]
"""The model, server and engine that a run had, flags, and those that it goes on with."""


def test_a_run_goes_on_with_its_model_and_engine_unless_told_otherwise(command, asked, monkeypatch):
    path = Path(os.environ["VIDAGENT_CACHE_DIR"]) / "runs" / asked.json()["run_id"] / "run.json"
    kept = json.loads(path.read_text())
    assert kept["engine"] == "server"
    got = {}
    monkeypatch.setattr(asking, "ask", lambda *_, **wanted: got.update(wanted))
    for told, flags, *whom in RESUMED:
        path.write_text(json.dumps(kept | dict(zip(("model", "base_url", "engine"), told, strict=True))))
        assert command("runs", "resume", "--last", *flags.split()).code == 0
        assert [got["model"], got["base_url"], got["engine"], got["decoder"]] == [*whom, "pyav"], (
            told,
            flags,
        )


def test_a_killed_run_is_gone_on_with_by_another_model_on_its_server(command, video):
    """The server that the run had is gone; the other one is told apart by its address and model."""
    run_id, before = kill_after(8, video)
    script = usual()
    script.planned = sum(step == "plan" for step in before[:-1])
    with ScriptedServer(script, models=("other",)) as server:
        flags = ("--base-url", server.url, "--model", "other", "--decoder", "pyav")
        done = command("runs", "resume", run_id, *flags, "--json", "-q")
    assert (done.code, done.json()["run_id"], done.json()["status"]) == (0, run_id, "answered")
    assert {body["model"] for body in server.bodies} == {"other"}
    told = command("runs", "list", "--json").json()["runs"][0]
    assert (told["model"], told["status"]) == ("other", "answered")


def test_bad_values_of_a_resumption_are_usage_errors(command, asked):
    for flags, words in (
        (("--model", ""), "setting model"),
        (("--base-url", "ftp://x"), "setting base_url"),
        (("--engine", "llama"), "--engine"),
        (("--decoder", "vlc"), "--decoder"),
        (("--engine", "vllm", "--base-url", SERVER), "give it no base URL"),
        (("--max-download-mb", "much"), "--max-download-mb must be a whole number"),
    ):
        done = command("runs", "resume", "--last", *flags)
        assert (done.code, done.out) == (2, ""), flags
        assert words in done.err


@pytest.mark.slow
def test_runs_killed_at_random_moments_give_the_same_answer(video):
    done, _ = run_kills(video, "scripted", "command", 3, seed=1)
    assert [(kill.same, kill.again, kill.replayed) for kill in done] == [(True, 0, True)] * 3
    assert all(kill.requests >= 9 for kill in done)


def test_a_run_that_had_kept_nothing_begins_anew(video):
    found = vidagent.analyze_video(video, "How many shots?", model="signals")
    folder = Path(os.environ["VIDAGENT_CACHE_DIR"]) / "runs" / found.run_id
    (folder / "checkpoint.sqlite").write_bytes(b"")
    with pytest.raises(vidagent.UsageError, match="asked 'How many shots\\?'"):
        vidagent.analyze_video(video, "Who is it?", model="signals", resume=found.run_id)
    again = vidagent.analyze_video(video, "How many shots?", model="signals", resume="last")
    assert (again.run_id, again.answer) == (found.run_id, found.answer)


def test_an_export_has_each_request_with_its_reply_pictures_and_verdicts(command, asked, tmp_path):
    told = command("runs", "export", "last", "-o", str(tmp_path / "rows"), "--json").json()
    rows = [json.loads(line) for line in Path(told["path"]).read_text().splitlines()]
    assert told["rows"] == len(rows) == asked.json()["usage"]["model_calls"]
    assert told["left_out"] == 0
    assert {row["run_id"] for row in rows} == {asked.json()["run_id"]}
    looks = [row for row in rows if row["step"] == "look"]
    shown = [
        part["image"]
        for message in looks[0]["messages"]
        for part in message["content"]
        if part["type"] == "image"
    ]
    assert shown == looks[0]["images"] != []
    assert all(
        (tmp_path / "rows" / path).read_bytes()[:3] == b"\xff\xd8\xff"
        for row in rows
        for path in row["images"]
    )
    assert all(row["messages"][-1]["role"] == "assistant" for row in rows)
    plans = [row for row in rows if row["step"] == "plan"]
    assert {"clip", "answer"} <= {tool["function"]["name"] for tool in plans[0]["tools"]}
    (call,) = plans[0]["messages"][-1]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])["start_s"]) == ("clip", 1)
    assert (
        plans[1]["messages"][3]["tool_call_id"] == plans[1]["messages"][2]["tool_calls"][0]["id"] == "call-0"
    )
    judged = [(item["claim"], item["verdict"]) for item in rows[0]["verdicts"]]
    assert judged == [("It is seen.", "supported"), ("Something is to be seen.", "supported")]


def test_an_export_names_its_runs_and_overwrites_nothing(command, asked, tmp_path):
    assert command("runs", "export", "--all", "-o", str(tmp_path / "rows")).out.startswith("9 rows and ")
    done = command("runs", "export", "--all", "-o", str(tmp_path / "rows"))
    assert (done.code, done.out) == (2, "")
    assert "rows.jsonl exists: name another folder" in done.err
    done = command("runs", "export", "-o", str(tmp_path / "other"))
    assert done.code == 2
    assert "or --all" in done.err
    assert not (tmp_path / "other").exists()
