"""The record of a run: written as it goes, without secrets, and enough to run it again without a model."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading

import pytest

import vidagent
from tests.graphs.scripts import Script, answer, clip_look, observation
from tests.runs.test_resume import QUESTION, kill_after, runs, usual
from tests.scripted_server import Raw, ScriptedServer, refusal, step_of
from vidagent import api
from vidagent.errors import ModelError, UsageError
from vidagent.graphs.events import Event
from vidagent.graphs.evidence.claim_frames import claim_frames
from vidagent.runs import recorder
from vidagent.runs.folder import read_lines
from vidagent.runs.recorder import Trace
from vidagent.types import Budget

pytestmark = pytest.mark.network


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch):
    """Return a function after whose call every connection fails."""

    def refuse(*args):
        raise AssertionError(f"a connection to {args[1:]}")

    def shut() -> None:
        for name in ("connect", "connect_ex"):
            monkeypatch.setattr(socket.socket, name, refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)

    return shut


def told(found) -> str:
    return json.dumps(found.to_dict())


def lines(run_id: str) -> list[dict]:
    [folder] = [run for run in runs() if run.name == run_id]
    return list(read_lines(folder / "trace.jsonl"))


def ran_again(trace: list[dict]) -> list[dict]:
    """Return the lines of steps that were done and kept before them."""
    kept, again = set(), []
    for line in trace:
        if line["task"] in kept and line["kind"] != "kept":
            again.append(line)
        if line["kind"] == "kept":
            kept.add(line["task"])
    return again


def test_a_replay_gives_the_same_answer_without_the_network(ask, no_network):
    found, _ = ask(usual(), budget=Budget(model_calls=30, frames=500))
    no_network()
    again, differ = api.replay_run(found.run_id)
    assert differ == []
    assert told(again) == told(found)
    assert again.answer == "Something is to be seen."


def test_a_replay_of_the_embedded_model(clip, no_network):
    options = {"model": "signals", "budget": Budget(frames=60)}
    earlier = vidagent.analyze_video(clip("h264").path, "Which texts are shown?", **options)
    found = vidagent.analyze_video(clip("h264").path, "How many shots are there?", **options)
    no_network()
    for one in (found, earlier):
        again, differ = api.replay_run(one.run_id)
        assert (differ, told(again)) == ([], told(one))


def test_looks_side_by_side_replies_in_any_order_and_refused_features(ask, no_network):
    script, first = usual(), threading.Event()

    def moody(body):
        if "response_format" in body:
            return refusal(400, "response_format is not supported")
        if step_of(body) == "look" and not first.is_set():
            first.set()
            return Raw("busy", status=503)
        return script(body)

    found, server = ask(moody, on_event=lambda event: None, stream=True)
    assert found.status == "answered"
    assert len(server.bodies) > 9
    no_network()
    again, differ = api.replay_run(found.run_id)
    assert (differ, told(again)) == ([], told(found))


def test_a_run_that_its_seconds_ended_is_replayed_to_the_same_end(ask, no_network):
    script = usual()

    def slow(body):
        return Raw(hang=True) if step_of(body) == "verify" else script(body)

    found, _ = ask(slow, budget=Budget(seconds=8))
    assert (found.status, found.budget.ended_by) == ("partial", "seconds")
    no_network()
    again, differ = api.replay_run(found.run_id)
    assert (differ, told(again)) == ([], told(found))


def test_what_was_asked_is_kept_without_the_key(ask, clip):
    key = "sk-of-nobody-else-77"
    script = Script([clip_look(1, 3)], [answer(answer=f"The key is {key}.", choice=1)])
    with ScriptedServer(script) as server:
        url = server.url.replace("http://", "http://user:pass-word@")
        found = vidagent.analyze_video(
            clip("h264").path, QUESTION, options=["a", "b"], base_url=url, model="scripted", api_key=key
        )
    [run] = runs()
    kept = json.loads((run / "run.json").read_text())
    assert (kept["question"], kept["options"], kept["status"]) == (QUESTION, ["a", "b"], "answered")
    assert kept["video"]["sha256"] == found.video.sha256
    assert (kept["model"], kept["base_url"]) == ("scripted", server.url)
    assert kept["started"] < kept["ended"]
    assert kept["versions"]["vidagent"]
    for name in ("run.json", "trace.jsonl", "index.json"):
        assert key not in (run / name).read_text()
        assert "pass-word" not in (run / name).read_text()


def test_each_request_and_event_is_a_line(ask):
    found, server = ask(usual())
    trace = lines(found.run_id)
    requests = [line for line in trace if line["kind"] == "request"]
    assert sorted(line["step"] for line in requests) == sorted(server.steps)
    assert sum(line["frames"] for line in requests) == found.usage.frames_sent
    assert all(
        line["reply"] and line["seconds"] >= 0 and line["usage"]["input_tokens"] == 100 for line in requests
    )
    shown = [part["image"] for part in requests[1]["request"]["messages"][1]["content"] if "image" in part]
    [run] = runs()
    assert shown
    assert all((run / "frames" / ref[:2] / f"{ref}.jpg").is_file() for ref in shown)
    assert "base64" not in (run / "trace.jsonl").read_text()
    events = [line["event"] for line in trace if line["kind"] == "event"]
    assert events[0] == "model"
    assert {"step", "look", "observation", "claim", "verdict"} <= set(events)
    assert json.loads((run / "answer.json").read_text()) == found.to_dict()
    assert ran_again(trace) == []


def test_a_killed_run_has_its_record_up_to_there_and_is_replayed_once_it_went_on(ask, clip, no_network):
    run_id, before = kill_after(6, clip("h264").path)
    trace = lines(run_id)
    assert [line["step"] for line in trace if line["kind"] == "request"][:3] == before[:3]
    assert api.find_run(run_id).metadata["status"] == "running"
    with pytest.raises(UsageError, match="no answer to replay: it is running; `vidagent runs resume"):
        api.replay_run(run_id)
    script = usual()
    script.planned = 2
    found, _ = ask(script, resume=run_id)
    assert ran_again(lines(run_id)) == []
    assert {line["part"] for line in lines(run_id)} == {1, 2}
    no_network()
    again, differ = api.replay_run("last")
    assert (differ, told(again)) == ([], told(found))


def test_the_replay_of_other_code_or_another_video_is_refused(ask, clip, monkeypatch):
    found, _ = ask(usual())
    with pytest.raises(UsageError, match="was about a video with sha256"):
        api.replay_run(found.run_id, video=clip("vfr_mp4").path)
    monkeypatch.setattr("vidagent.graphs.nodes.verify.claim_frames", lambda *given: claim_frames(*given)[:1])
    with pytest.raises(ModelError, match="no reply to this request of step 'verify'"):
        api.replay_run(found.run_id)


def test_a_run_that_failed_says_why(ask):
    script = usual()
    with pytest.raises(ModelError):
        ask(lambda body: {"error": "gone"} if step_of(body) == "verify" else script(body))
    past = api.find_run("last")
    assert past.metadata["status"] == "failed"
    assert "replied with an error: gone" in past.metadata["error"]
    first = past.metadata["parts"][0]["budget"]
    ask(usual(), resume=past.run_id, budget=Budget(model_calls=77))
    assert first["model_calls"] is None
    with pytest.raises(UsageError, match="under another budget"):
        api.replay_run("last")


def test_an_unknown_run_is_told_what_there_is(ask):
    with pytest.raises(UsageError, match="there is no run 'last'; there is none"):
        api.find_run("last")
    found, _ = ask(Script([clip_look(0, 1)], [answer()], look=observation(times=[0.0])))
    with pytest.raises(UsageError, match=f"there is no run 'x'; there are {found.run_id}"):
        api.find_run("x")
    assert [past.run_id for past in api.list_runs()] == [found.run_id]


async def test_lines_of_many_threads_stay_whole_and_a_torn_one_harms_no_other(tmp_path):
    path = tmp_path / "trace.jsonl"
    path.write_text('{"kind": "event", "torn')
    trace = Trace(path, 2, "a secret \N{SNOWMAN}")
    write = trace.write
    await asyncio.gather(
        *(asyncio.to_thread(write, {"n": n, "text": "a secret \N{SNOWMAN}" + "x" * 9000}) for n in range(40))
    )
    trace.close()
    trace.write({"n": 99})
    told = list(read_lines(path))
    assert sorted(line["n"] for line in told) == list(range(40))
    assert {line["text"][:4] for line in told} == {"***x"}


def test_a_trace_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "MAX_BODIES_BYTES", 2000)
    monkeypatch.setattr(recorder, "MAX_BYTES", 4000)
    trace = Trace(tmp_path / "trace.jsonl", 1, None)
    for n in range(100):
        trace.write({"n": n, "request": "x" * 500})
        trace.write_event(Event("token", "words"))
    trace.close()
    assert (tmp_path / "trace.jsonl").stat().st_size <= 4000
    told = list(read_lines(tmp_path / "trace.jsonl"))
    assert "request" in told[0]
    assert "request" not in told[-1]
    assert all("n" in line for line in told)


def test_a_disk_that_is_full_does_not_end_the_run(ask, monkeypatch, caplog):
    real = os.write

    def full(file, data):
        if bytes(data[:5]) == b'{"at"':
            raise OSError(28, "No space left on device")
        return real(file, data)

    monkeypatch.setattr(recorder.os, "write", full)
    found, _ = ask(usual())
    assert found.status == "answered"
    assert "no longer recorded" in caplog.text
