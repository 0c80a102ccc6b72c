"""Sessions: what a follow-up knows of the questions before it, and what is kept of them whatever happens."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import vidagent
from tests.graphs.scripts import Script, answer, clip_look, observation
from tests.runs.test_resume import Paused, usual
from tests.scripted_server import ScriptedServer, block_of, says, step_of, tool_results
from vidagent import api
from vidagent.errors import ModelError, UsageError
from vidagent.runs.session_store import Sessions
from vidagent.types import Budget

pytestmark = pytest.mark.network

ASK = (
    "import sys, vidagent; "
    "vidagent.analyze_video(sys.argv[1], sys.argv[2], base_url=sys.argv[3], model='scripted', session='talk')"
)
AGAIN = Script([answer(claims=[{"text": "It is seen.", "ledger": ["L1"], "time_s": 2.0}])])


def sessions() -> Sessions:
    return Sessions(Path(os.environ["VIDAGENT_CACHE_DIR"]))


def folder(run_id: str) -> Path:
    return Path(os.environ["VIDAGENT_CACHE_DIR"]) / "runs" / run_id


def plans(server: ScriptedServer) -> list[dict]:
    return [body for body in server.bodies if step_of(body) == "plan"]


def followed(script: Script, meant: str):
    """Return a script that also says what a follow-up means."""

    def reply(body):
        if step_of(body) == "route":
            return says(json.dumps({"question": meant, "kind": "read", "thing": "it"}))
        return script(body)

    return reply


@pytest.mark.usefixtures("few_frames")
def test_a_follow_up_sees_the_turn_and_the_looks_before_it_and_costs_a_fifth_of_the_frames(ask):
    first, _ = ask(usual(), "When is the ball seen?", session="talk")
    script = Script([answer(answer="It is seen.")])
    found, server = ask(
        followed(script, "When is the ball seen after 3 s?"), "and after that?", session="talk"
    )
    assert (first.status, found.status) == ("answered", "answered")
    [planned] = plans(server)
    earlier = block_of(planned, "earlier")
    assert "asked: When is the ball seen?" in earlier
    assert f"answer (answered): {first.answer}" in earlier
    assert "seen at 2.000-3.000 s" in earlier
    assert block_of(planned, "question") == "When is the ball seen after 3 s?"
    assert "L1 clip 1.000-3.000 s" in block_of(planned, "ledger")
    settled = json.loads(tool_results(planned)[-1])
    assert (settled["question"], settled["status"]) == ("When is the ball seen?", "answered")
    assert settled["claims"] == [{"claim": "It is seen.", "verdict": "supported"}]
    assert found.usage.frames_sent < 0.2 * first.usage.frames_sent
    assert found.coverage == first.coverage
    assert found.run_id != first.run_id
    assert all(Path(item.frame).is_file() and found.run_id in item.frame for item in found.evidence)


def test_the_turns_are_kept_in_order(ask):
    first, _ = ask(usual(), "When is the ball seen?", session="talk")
    second, _ = ask(
        followed(AGAIN, "Where is the ball?"), "and where?", options=["here", "there"], session="talk"
    )
    kept = api.find_session("talk")
    assert [turn.run_id for turn in kept.turns] == [first.run_id, second.run_id]
    assert [(turn.question, turn.meant) for turn in kept.turns] == [
        ("When is the ball seen?", "When is the ball seen?"),
        ("and where?", "Where is the ball?"),
    ]
    assert [turn.options for turn in kept.turns] == [None, ("here", "there")]
    assert [turn.answer for turn in kept.turns] == [first.to_dict(), second.to_dict()]
    assert (kept.video_sha256, kept.video_path) == (first.video.sha256, first.video.path)
    assert [one.name for one in api.list_sessions()] == ["talk"]


def test_a_repeated_look_is_refused_with_what_is_known(ask):
    ask(usual(), session="talk")
    script = Script([clip_look(1, 3)], [answer()])
    found, server = ask(script, "Is it seen?", session="talk")
    assert "look" not in server.steps
    told = tool_results(plans(server)[-1])[-1]
    assert "this repeats L1; known already" in told
    assert "overview" not in found.answer


@pytest.mark.parametrize(
    ("again", "looks"),
    [
        (("resample", {"start_s": 1.2, "end_s": 2.8, "fps": 2, "question": "What happens?"}), 0),
        (("resample", {"start_s": 1.2, "end_s": 2.8, "fps": 2, "question": "What happens below?"}), 1),
        (("resample", {"start_s": 1.2, "end_s": 1.6, "fps": 20, "question": "What happens?"}), 1),
        (clip_look(2, 6), 1),
    ],
)
def test_a_known_time_is_not_looked_at_again_for_the_same_thing_unless_finer(ask, few_frames, again, looks):
    ask(usual(), session="talk")
    found, server = ask(Script([again], [answer()]), "Is it seen?", session="talk")
    assert server.steps.count("look") == looks
    if not looks:
        assert "looked there for this, no coarser" in tool_results(plans(server)[-1])[-1]
    assert found.status == "answered"


def test_the_ids_of_looks_go_on(ask):
    ask(usual(), session="talk")
    _, server = ask(Script([clip_look(6, 7)], [answer()]), "And at 6 s?", session="talk")
    ledger = block_of(plans(server)[-1], "ledger")
    assert "L5 clip 6.000-7.000 s" in ledger
    assert len({line.split()[0] for line in ledger.splitlines()}) == len(ledger.splitlines())


def test_what_a_budget_did_to_an_earlier_question_does_not_reach_the_next(ask):
    first, _ = ask(usual(), session="talk", budget=Budget(frames=12))
    assert first.budget.ended_by == "frames"
    found, server = ask(AGAIN, "and then?", session="talk")
    assert not any("error" in json.loads(told) for told in tool_results(plans(server)[0]))
    assert (found.budget.limit, found.budget.ended_by) == (Budget(), None)


def test_a_budget_that_ends_a_follow_up_does_not_answer_with_the_last_answer(ask):
    ask(usual(), session="talk")
    nothing = Script([clip_look(5, 6)], look=observation(found=False, what="Nothing of it."))
    found, _ = ask(nothing, "When is the other one seen?", session="talk", budget=Budget(model_calls=3))
    assert (found.status, found.spans) == ("partial", ())
    assert "Nothing was found so far" in found.answer


def test_without_the_pictures_the_answers_are_still_known(ask):
    first, _ = ask(usual(), "When is the ball seen?", session="talk")
    shutil.rmtree(folder(first.run_id))
    told: list[str] = []
    found, server = ask(
        usual(), "and then?", session="talk", on_event=lambda event: told.append(f"{event.kind} {event.text}")
    )
    assert found.status == "answered"
    assert block_of(plans(server)[0], "ledger").count("\n") == 0
    assert "asked: When is the ball seen?" in block_of(plans(server)[0], "earlier")
    assert "note the looks of earlier questions are no longer available; their answers are" in told
    assert len(api.find_session("talk").turns) == 2


def test_a_follow_up_is_replayed_from_its_own_record_alone(ask, monkeypatch):
    first, _ = ask(usual(), "When is the ball seen?", session="talk")
    found, _ = ask(
        followed(Script([clip_look(6, 7)], [answer()]), "And at 6 s?"), "and then?", session="talk"
    )
    shutil.rmtree(folder(first.run_id))
    api.delete_session("talk")
    again, differ = api.replay_run(found.run_id)
    assert (differ, again.to_dict()) == ([], found.to_dict())


def test_a_follow_up_that_was_killed_is_gone_on_with_and_then_is_a_turn(ask, clip):
    path = clip("h264").path
    first, _ = ask(usual(), "When is it seen?", path=path, session="talk")
    paused = Paused(Script([clip_look(6, 7)], [answer()]), 4)
    with ScriptedServer(paused) as server:
        command = [sys.executable, "-c", ASK, str(path), "And at 6 s?", server.url]
        with subprocess.Popen(command, env=os.environ) as process:
            assert paused.paused.wait(60)
            process.send_signal(signal.SIGKILL)
        paused.over.set()
    assert [turn.run_id for turn in api.find_session("talk").turns] == [first.run_id]
    script = Script([clip_look(6, 7)], [answer()])
    script.planned = sum(step == "plan" for step in server.steps[:-1])
    found, _ = ask(script, "And at 6 s?", path=path, resume="last")
    assert found.status == "answered"
    assert [turn.run_id for turn in api.find_session("talk").turns] == [first.run_id, found.run_id]
    again, differ = api.replay_run(found.run_id)
    assert (differ, again.to_dict()) == ([], found.to_dict())


def test_a_run_that_went_on_after_others_were_asked_stays_out(ask):
    ask(usual(), session="talk")
    with pytest.raises(ModelError):
        ask(lambda body: {"error": "gone"}, "Is it red?", session="talk")
    failed = api.find_run("last").run_id
    later, _ = ask(AGAIN, "Is it blue?", session="talk")
    told: list[str] = []
    ask(AGAIN, "Is it red?", resume=failed, on_event=lambda event: told.append(event.text))
    assert [turn.question for turn in api.find_session("talk").turns] == ["When is it seen?", "Is it blue?"]
    assert any("session 'talk' has moved on" in line for line in told)
    with pytest.raises(UsageError, match=f"run {later.run_id} was asked in session 'talk', not in 'other'"):
        ask(AGAIN, "Is it blue?", resume=later.run_id, session="other")


def test_a_larger_budget_changes_the_answer_of_the_turn(ask):
    short, _ = ask(usual(), session="talk", budget=Budget(frames=12))
    assert short.status == "partial"
    script = usual()
    found, _ = ask(script, session="talk", resume=short.run_id, budget=Budget(frames=500))
    [turn] = api.find_session("talk").turns
    assert (turn.run_id, turn.answer) == (found.run_id, found.to_dict())


def test_a_session_is_about_one_video(ask, clip, tmp_path):
    first, _ = ask(usual(), session="talk")
    other = clip("vfr_mp4").path
    with pytest.raises(UsageError) as refused:
        ask(usual(), session="talk", path=other)
    assert all(name in str(refused.value) for name in ("'talk'", str(first.video.path), str(other)))
    moved = tmp_path / "moved.mp4"
    shutil.copyfile(first.video.path, moved)
    found, _ = ask(AGAIN, "and then?", session="talk", path=moved)
    assert found.status == "answered"
    assert api.find_session("talk").video_path == str(moved)


@pytest.mark.parametrize("name", ["", " ", "a/b", "../a", "ä", "a" * 65, "a\nb", "a b"])
def test_names_that_are_none(ask, name):
    with pytest.raises(UsageError, match="1 to 64 letters"):
        ask(usual(), session=name)
    with pytest.raises(UsageError, match="1 to 64 letters"):
        api.find_session(name)


@pytest.mark.parametrize("name", [".", "..", "-", "a" * 64, "A.b-c_9"])
def test_names_that_are_legal(ask, name):
    ask(usual(), session=name)
    assert api.find_session(name).name == name
    api.delete_session(name)
    assert api.list_sessions() == []


def test_there_is_no_such_session(ask):
    with pytest.raises(UsageError, match="there is no session 'talk'; there is none"):
        api.find_session("talk")
    ask(usual(), session="other")
    with pytest.raises(UsageError, match="there is no session 'talk'; there are other"):
        api.delete_session("talk")


def test_a_second_question_at_once_is_refused_and_nothing_is_lost(ask, clip):
    path = clip("h264").path
    paused = Paused(usual(), 3)
    with ScriptedServer(paused) as server:
        command = [sys.executable, "-c", ASK, str(path), "When is it seen?", server.url]
        with subprocess.Popen(command, env=os.environ) as process:
            assert paused.paused.wait(60)
            with pytest.raises(UsageError, match="session 'talk' is busy"):
                ask(AGAIN, "and then?", path=path, session="talk")
            with pytest.raises(UsageError, match="session 'talk' is busy"):
                api.delete_session("talk")
            paused.over.set()
            assert process.wait(60) == 0
    assert len(api.find_session("talk").turns) == 1
    ask(AGAIN, "and then?", path=path, session="talk")
    assert len(api.find_session("talk").turns) == 2


def test_many_sessions_at_once_lose_no_turn(ask, clip):
    path, failed = clip("h264").path, list[BaseException]()

    def talk(name: str) -> None:
        try:
            for question in ("When is it seen?", "and then?"):
                ask(Script([clip_look(1, 3)], [answer()]), question, path=path, session=name)
        except BaseException as error:  # noqa: BLE001 - a thread would swallow it; it is asserted below
            failed.append(error)

    threads = [threading.Thread(target=talk, args=(f"talk-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sorted((one.name, len(one.turns)) for one in api.list_sessions()) == [
        (f"talk-{number}", 2) for number in range(4)
    ]


def test_a_kill_amid_a_write_leaves_the_last_turn(ask):
    first, _ = ask(usual(), session="talk")
    database = Path(os.environ["VIDAGENT_CACHE_DIR"]) / "sessions" / "sessions.sqlite3"
    code = (
        "import os, signal, sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('BEGIN IMMEDIATE')\n"
        "db.execute('DELETE FROM turns')\n"
        "db.execute('DELETE FROM sessions')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(database)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [turn.run_id for turn in api.find_session("talk").turns] == [first.run_id]
    with contextlib.closing(sqlite3.connect(database)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_asked(clip):
    cache = Path(os.environ["VIDAGENT_CACHE_DIR"])
    (cache / "sessions").write_text("in the way")
    with ScriptedServer(usual()) as server, pytest.raises(UsageError, match="cannot be used"):
        vidagent.analyze_video(
            clip("h264").path, "When?", base_url=server.url, model="scripted", session="talk"
        )
    assert server.bodies == []


@pytest.mark.usefixtures("few_frames")
def test_a_long_session_keeps_its_prompts_within_the_context(ask, monkeypatch, tmp_path):
    profile = tmp_path / "small.toml"
    profile.write_text("frames_per_call = 2\noverview_frames = 2\ncontext_tokens = 3000\n")
    monkeypatch.setenv("VIDAGENT_PROFILE", str(profile))
    for number in range(8):
        looks = [clip_look(number % 8, number % 8 + 0.5, f"Is there a thing called {number}? " * 3)]
        claims = [{"text": "It is.", "ledger": [f"L{number + 1}"], "time_s": None}]
        script = Script(looks, [answer(claims=claims)], look=observation(what="it is one of many " * 20))
        found, server = ask(script, f"Where is thing {number}?", session="talk")
        assert found.status == "answered"
    ledger = block_of(plans(server)[-1], "ledger").splitlines()
    assert ledger[-1].startswith("L8 ")
    assert ledger[0].startswith("L0 ")
    assert 2 < len(ledger) < 9
