"""Checkpoints: a run that was killed goes on where it stopped; what is kept is small and holds no pixels."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.graphs.scripts import Script, answer, clip_look, observation
from tests.scripted_server import ScriptedServer, frames_shown, labelled_images, step_of, tool_results
from vidagent import api
from vidagent.errors import ModelError, UsageError
from vidagent.types import Budget

pytestmark = pytest.mark.network

SLOW = pytest.mark.slow
QUESTION = "When is it seen?"
ASK = "import sys, vidagent; vidagent.analyze_video(sys.argv[1], sys.argv[2], base_url=sys.argv[3], model='scripted')"
LOOKS = [clip_look(0, 2), clip_look(2, 4), clip_look(4, 6)]


def usual() -> Script:
    """Look once, then at three ranges at once, then answer: 10 requests."""
    return Script([clip_look(1, 3)], LOOKS, [answer()], look=observation(times=[2.0]))


class Paused:
    """Plays a script up to the nth request, and then waits for a long time."""

    def __init__(self, script: Script, requests: int) -> None:
        self.script, self.requests = script, requests
        self.seen, self.paused, self.over = 0, threading.Event(), threading.Event()
        self._lock = threading.Lock()

    def __call__(self, body):
        with self._lock:
            self.seen += 1
            stop = self.seen >= self.requests
        if stop:
            self.paused.set()
            self.over.wait(30)
        return self.script(body)


def kill_after(requests: int, path: Path) -> tuple[str, list[str | None], list[str | None]]:
    """Run in a process of its own and kill it while a request is under way.

    Returns:
        The run's id, the steps of the requests before, and those of the resumed run.
    """
    script = Paused(usual(), requests)
    with ScriptedServer(script) as server:
        command = [sys.executable, "-c", ASK, str(path), QUESTION, server.url]
        with subprocess.Popen(command, env=os.environ) as process:
            try:
                assert script.paused.wait(60)
            finally:
                process.send_signal(signal.SIGKILL)
        script.over.set()
    assert process.returncode == -signal.SIGKILL
    [run] = runs()
    return run.name, server.steps


def runs() -> list[Path]:
    return sorted((Path(os.environ["VIDAGENT_CACHE_DIR"]) / "runs").iterdir())


def essence(found) -> dict:
    """Return an answer without what differs from run to run: times, ids and where frames lie."""
    told = dataclasses.asdict(found)
    for name in ("run_id", "usage"):
        del told[name]
    for evidence in told["evidence"]:
        evidence["frame"] = Path(evidence["frame"]).name
    return told


@pytest.mark.parametrize(
    ("requests", "again"),
    [
        (1, ["route", "plan", "look", "plan", "look", "look", "look", "plan", "verify"]),
        pytest.param(2, ["plan", "look", "plan", "look", "look", "look", "plan", "verify"], marks=SLOW),
        (3, ["look", "plan", "look", "look", "look", "plan", "verify"]),
        pytest.param(4, ["plan", "look", "look", "look", "plan", "verify"], marks=SLOW),
        (8, ["plan", "verify"]),
        pytest.param(9, ["verify"], marks=SLOW),
    ],
)
def test_a_killed_run_goes_on_where_it_stopped(ask, clip, requests, again):
    path = clip("h264").path
    run_id, before = kill_after(requests, path)
    assert len(before) == requests
    script = usual()
    script.planned = sum(step == "plan" for step in before[:-1])
    found, server = ask(script, path=path, resume=run_id)
    assert server.steps == again
    assert found.run_id == run_id
    assert found.usage.model_calls == len(before) - 1 + len(again) == 9
    assert 7 <= found.usage.rounds <= 9  # three looks at once, or those of them that were killed once more
    whole, _ = ask(usual(), path=path)
    assert essence(found) == essence(whole)


def test_looks_that_were_done_beside_a_killed_one_are_not_done_again(ask, clip):
    script = usual()
    held, release = threading.Event(), threading.Event()
    done: list[float] = []

    def hold_the_last(body):
        if step_of(body) == "look" and labelled_images(body)[0][0] == 4.0:
            held.set()
            release.wait(30)
        if step_of(body) == "look":
            done.append(labelled_images(body)[0][0])
        return script(body)

    with ScriptedServer(hold_the_last) as server:
        command = [sys.executable, "-c", ASK, str(clip("h264").path), QUESTION, server.url]
        with subprocess.Popen(command, env=os.environ) as process:
            assert held.wait(30)
            while sorted(done) != [0.0, 1.0, 2.0]:
                release.wait(0.05)
            release.wait(0.7)  # until their results are kept
            process.kill()
        release.set()
    [run] = runs()
    rest = usual()
    rest.planned = 2
    found, server = ask(rest, resume=run.name)
    assert server.steps == ["look", "plan", "verify"]
    assert labelled_images(server.bodies[0])[0][0] == 4.0
    assert len(tool_results(server.bodies[1])) == 4
    assert found.status == "answered"


def test_a_finished_run_is_told_again_without_a_request(ask):
    first, _ = ask(usual())
    found, server = ask(usual(), resume=first.run_id)
    assert server.bodies == []
    assert dataclasses.replace(found, usage=first.usage) == first


def test_a_run_goes_on_after_its_server_failed(ask):
    script = usual()
    with pytest.raises(ModelError):
        ask(lambda body: {"error": "gone"} if step_of(body) == "verify" else script(body))
    [run] = runs()
    found, server = ask(usual(), resume=run.name)
    assert server.steps == ["verify"]
    assert found.status == "answered"


@pytest.mark.parametrize(
    ("budget", "again"),
    [
        (Budget(model_calls=1), ["route", "plan", "look"]),
        (Budget(model_calls=2), ["verify", "look"]),
        (Budget(frames=40), ["plan"]),  # its claim was checked over these pictures
        (Budget(completion_tokens=70), ["verify", "look"]),
    ],
)
def test_a_run_that_a_budget_ended_goes_on_under_a_larger_one(ask, budget, again):
    script = usual()
    first, _ = ask(script, budget=budget)
    assert first.status == "partial"
    same, server = ask(script, resume=first.run_id)
    assert (server.bodies, same.status, same.answer) == ([], "partial", first.answer)
    found, server = ask(script, resume=first.run_id, budget=Budget(model_calls=50))
    assert server.steps[: len(again)] == again
    assert (found.status, found.budget.ended_by) == ("answered", None)
    assert found.budget.limit == Budget(model_calls=50)
    assert found.usage.model_calls == first.usage.model_calls + len(server.bodies)


def test_three_calls_are_enough_to_look_at_the_overview_and_answer(ask):
    found, server = ask(usual(), budget=Budget(model_calls=3))
    assert server.steps == ["plan", "plan", "verify"]
    assert (found.status, found.answer, found.budget.ended_by) == (
        "answered",
        "Something is to be seen.",
        None,
    )


def test_a_look_that_a_budget_cut_off_may_be_asked_for_again(ask):
    first, _ = ask(usual(), budget=Budget(model_calls=1))
    found, server = ask(usual(), resume=first.run_id, budget=Budget(model_calls=50))
    assert server.steps[:3] == ["route", "plan", "look"]
    assert found.status == "answered"


def test_a_resumed_run_keeps_its_budget(ask, clip):
    run_id, _ = kill_after(4, clip("h264").path)
    found, server = ask(usual(), resume=run_id, budget=Budget(model_calls=4))
    assert len(server.bodies) == 1
    assert (found.status, found.budget.ended_by, found.usage.model_calls) == ("partial", "model_calls", 4)


def test_what_cannot_be_resumed(ask, clip):
    first, _ = ask(usual(), options=["a", "b"])
    run_id = first.run_id
    with pytest.raises(UsageError, match="asked 'When is it seen\\?', not 'Who is it\\?'"):
        ask(usual(), "Who is it?", options=["a", "b"], resume=run_id)
    with pytest.raises(UsageError, match="had other options"):
        ask(usual(), options=["a", "c"], resume=run_id)
    with pytest.raises(UsageError, match="was about another video"):
        ask(usual(), options=["a", "b"], path=clip("vfr_mp4").path, resume=run_id)
    for unknown in ("20260101-000000-abcdef", "../../etc", ""):
        with pytest.raises(UsageError, match="there is no run"):
            ask(usual(), resume=unknown)


def test_what_is_kept_is_small_and_holds_no_pixels(ask):
    found, server = ask(usual())
    [run] = runs()
    frames = list((run / "frames").rglob("*.jpg"))
    assert len(frames) > 100
    kept = b"".join(path.read_bytes() for path in run.glob("checkpoint.sqlite*"))
    assert len(kept) < 500_000
    for sign in (b"\xff\xd8\xff", b"data:image", b"base64", b"/9j/"):
        assert sign not in kept
    assert found.usage.frames_sent == sum(frames_shown(body) for body in server.bodies)


def test_checkpoints_hold_plain_types_only(clip):
    """LangGraph warns, or under this setting refuses, where a checkpoint holds types it does not know."""
    code = (
        "import sys, warnings; warnings.simplefilter('error');"
        "from tests.runs.test_resume import usual, QUESTION;"
        "from tests.scripted_server import ScriptedServer; import vidagent\n"
        "with ScriptedServer(usual()) as server:\n"
        "    ask = dict(base_url=server.url, model='scripted')\n"
        "    first = vidagent.analyze_video(sys.argv[1], QUESTION, **ask)\n"
        "    again = vidagent.analyze_video(sys.argv[1], QUESTION, resume=first.run_id, **ask)\n"
        "assert first.status == again.status == 'answered', again\n"
    )
    env = {**os.environ, "LANGGRAPH_STRICT_MSGPACK": "true", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, str(clip("h264").path)],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_runs_are_kept_for_a_week(ask):
    ask(usual())
    [old] = runs()
    os.utime(old, (0, 0))
    (old.parent / "notes").mkdir()
    found, _ = ask(usual())
    assert [run.name for run in runs()] == [found.run_id, "notes"]


def test_the_run_is_named_as_soon_as_it_begins(ask):
    events = []
    found, _ = ask(usual(), on_event=events.append)
    assert [event.data["run_id"] for event in events if event.kind == "model"] == [found.run_id]
    assert api.find_run(found.run_id).metadata["run_id"] == found.run_id
