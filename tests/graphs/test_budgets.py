"""Budgets over whole runs: none is exceeded, each ends the run with what is known, and says so."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from tests.graphs.scripts import Counted, Script, answer, clip_look, observation
from tests.scripted_server import HANG, frames_shown, labelled_images, must_call, step_of, texts
from vidagent.types import Budget
from vidagent.video.video import Video

pytestmark = pytest.mark.network

CLAIMS = [{"text": f"It is seen at {t} s.", "ledger": ["L1"], "time_s": t} for t in (1.0, 2.0, 3.0)]
VERIFIED = 6
"""Frames of the claims: that of each time, and its one neighbour in the look that shows it, at whose edge it is."""
FOUR_LOOKS = [clip_look(2 * n, 2 * n + 2) for n in range(4)]
SEEN = observation(times=[2.0], what="A red bar.")


def more(*values: int) -> list[Any]:
    """Mark further values as slow: they are tried less often."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


def usual() -> Script:
    """Look at four ranges at once, then once more, then answer with three claims: 11 requests."""
    return Script(FOUR_LOOKS, [clip_look(1, 3)], [answer(claims=CLAIMS)], look=SEEN)


def frames_of(server) -> int:
    return sum(frames_shown(body) for body in server.bodies)


def test_without_a_budget_nothing_ends_the_run(ask):
    found, server = ask(usual())
    assert (found.status, found.budget.ended_by) == ("answered", None)
    assert found.usage.model_calls == len(server.bodies) == 10
    assert found.usage.frames_sent == frames_of(server) == 3 * 32 + 5 * 32 + VERIFIED


@pytest.mark.parametrize("frames", [1, 4, 33, 150, *more(2, 3, 5, 8, 20, 70, 100)])
def test_frames_are_never_exceeded(ask, frames):
    found, server = ask(usual(), budget=Budget(frames=frames))
    assert found.usage.frames_sent == frames_of(server) <= frames
    assert (found.status, found.budget.ended_by) == ("partial", "frames")
    assert frames_of(server) > frames // 2
    assert "frames budget" in found.answer


def test_enough_frames_do_not_end_the_run(ask):
    found, server = ask(usual(), budget=Budget(frames=400))
    assert (found.status, found.budget.ended_by) == ("answered", None)
    assert frames_of(server) <= 400


def test_looks_leave_frames_to_verify_with(ask):
    found, server = ask(usual(), budget=Budget(frames=40))
    plans, looks, verdicts = (
        [len(labelled_images(body)) for body in server.bodies if step_of(body) == step]
        for step in ("plan", "look", "verify")
    )
    assert sorted(looks) == [6, 7, 7, 7]  # side by side, they share what is left
    assert verdicts == [3]
    assert plans == [10, 0, 0]  # an overview of a quarter of the budget, shown while it is a small part of it
    assert [item.verdict for item in found.evidence] == ["supported"] * 3
    assert found.answer.startswith(
        "The frames budget ended the search. Supported so far: Something is to be seen."
    )
    assert [(span.start_s, span.end_s) for span in found.spans] == [(2.0, 3.0)]


def test_the_planner_is_told_that_no_frame_is_left(ask):
    _, server = ask(usual(), budget=Budget(frames=40))
    last = [body for body in server.bodies if step_of(body) == "plan"][-1]
    assert must_call(last) == "answer"
    assert "the last one: call `answer`" in texts(last)
    assert "the frames budget is spent" in texts(last)


@pytest.mark.parametrize("calls", [1, 4, 9, *more(2, 3, 5, 6, 7, 8, 10, 11)])
def test_model_calls_are_never_exceeded(ask, calls):
    found, server = ask(usual(), budget=Budget(model_calls=calls))
    assert found.usage.model_calls == len(server.bodies) <= calls
    assert found.status == "answered" or found.budget.ended_by == "model_calls"


def test_requests_are_left_to_answer_with(ask):
    found, server = ask(usual(), budget=Budget(model_calls=9))
    assert server.steps == ["route", "plan", *["look"] * 4, "plan", "verify"]
    assert [item.claim for item in found.evidence] == [f"It is seen at {n}.0 s." for n in (1, 2, 3)]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_last_step_must_answer(ask, steps):
    gives_up = answer(found="cannot_judge", answer="Not seen yet", claims=[], spans=[])
    script = Script(*[[clip_look(n, n + 1)] for n in range(steps - 1)], [gives_up], look=SEEN)
    found, server = ask(script, budget=Budget(steps=steps))
    plans = [body for body in server.bodies if step_of(body) == "plan"]
    assert len(plans) == found.usage.steps == steps
    assert [must_call(body) for body in plans] == [None] * (steps - 1) + ["answer"]
    assert f"step {steps} of {steps}, the last one" in texts(plans[-1])
    assert plans[-1]["tool_choice"] == {"type": "function", "function": {"name": "answer"}}
    assert (found.status, found.budget.ended_by) == ("partial", "steps")


def test_a_supported_answer_in_the_last_step_is_an_answer(ask):
    found, _ = ask(Script([clip_look(0, 3)], [answer()]), budget=Budget(steps=2))
    assert (found.status, found.budget.ended_by, found.usage.steps) == ("answered", None, 2)


def test_a_planner_that_will_not_answer_ends_partial(ask):
    found, server = ask(Script([clip_look(0, 3)], [clip_look(3, 4)], look=SEEN), budget=Budget(steps=2))
    assert (found.status, found.budget.ended_by) == ("partial", "steps")
    assert "Not verified: A red bar." in found.answer
    assert server.steps == ["route", "plan", "look", "plan", "plan", "plan"]


def test_a_veto_in_the_last_step_ends_partial(ask):
    script = Script([clip_look(0, 3)], [answer()], verdicts=["unsupported"])
    found, _ = ask(script, budget=Budget(steps=2))
    assert (found.status, found.budget.ended_by, found.usage.steps) == ("partial", "steps", 2)
    assert (found.evidence, found.spans, found.confidence) == ((), (), 0.0)


@pytest.mark.parametrize("tokens", [500, 3_000, 20_000, 60_000])
@pytest.mark.parametrize("frame_tokens", [256, *more(100)])
def test_prompt_tokens_are_never_exceeded(ask, tokens, frame_tokens):
    script = Counted(usual(), frame_tokens=frame_tokens)
    found, _ = ask(script, budget=Budget(prompt_tokens=tokens))
    assert found.usage.prompt_tokens == script.total("prompt") <= tokens
    assert found.status == "answered" or found.budget.ended_by == "prompt_tokens"


def test_prompts_that_cost_more_than_estimated_are_estimated_longer(ask):
    script = Counted(usual(), frame_tokens=400)
    found, _ = ask(script, budget=Budget(prompt_tokens=60_000))
    assert found.usage.prompt_tokens == script.total("prompt") <= 60_000
    assert (found.status, found.budget.ended_by) == ("partial", "prompt_tokens")


@pytest.mark.parametrize("tokens", [1, 3_000, 15_000, *more(50, 9_000)])
def test_completion_tokens_are_never_exceeded(ask, tokens):
    script = Counted(usual(), reply_tokens=None)
    found, _ = ask(script, budget=Budget(completion_tokens=tokens))
    assert found.usage.completion_tokens == script.total("completion") <= tokens
    assert (found.status, found.budget.ended_by) == ("partial", "completion_tokens")


def test_short_replies_leave_tokens_for_all_looks(ask):
    """Each look may take all that is left, so they take turns instead of being refused."""
    script = Counted(usual(), reply_tokens=20)
    found, server = ask(script, budget=Budget(completion_tokens=300))
    assert (found.status, found.budget.ended_by) == ("answered", None)
    assert server.steps == ["plan", *["look"] * 4, "plan", "look", "plan", "verify"]


PROFILE = """
[thinking]
can = true
on_body = { think = true }
off_body = { think = false }
"""


@pytest.fixture
def thinker(monkeypatch, tmp_path):
    """Let the scripted model think, with or without a budget of the server's own."""

    def use(more: str = "") -> None:
        (tmp_path / "thinker.toml").write_text(PROFILE + more)
        monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "thinker.toml"))

    return use


def test_spent_thinking_ends_thinking_not_the_run(ask, thinker):
    """Four plans of a usual run share 100 tokens: 25 each, of which the first leaves 5 to the second."""
    thinker('budget_field = "thinking_token_budget"\nsteps = ["plan"]')
    script = Counted(usual(), reply_tokens=700, thoughts=20)
    found, server = ask(_obedient(script, 20, 30, 90), budget=Budget(thinking_tokens=100))
    thought = [(body["think"], body["thinking_token_budget"]) for body in server.bodies]
    plans = [each for body, each in zip(server.bodies, thought, strict=True) if step_of(body) == "plan"]
    assert plans == [(True, 25), (True, 30), (True, 25)]
    assert {each for body, each in zip(server.bodies, thought, strict=True) if step_of(body) != "plan"} == {
        (False, 0)
    }
    assert found.usage.thinking_tokens == 75
    assert [step.thinking_tokens for step in found.usage.by_step if step.step == "plan"] == [20, 30, 25]
    assert (found.status, found.budget.ended_by) == ("answered", None)


def _obedient(script: Counted, *thoughts: int):
    """Think as long as it is scripted, but never longer than the server's cap allows."""
    wanted = iter(thoughts)

    def reply(body):
        script.thoughts = min(next(wanted), body["thinking_token_budget"]) if body["think"] else 0
        return script(body)

    return reply


def test_a_model_whose_thoughts_nobody_caps_does_not_think_beyond_its_budget(ask, thinker):
    thinker("two_phase = false")
    found, server = ask(Counted(usual(), thoughts=0), budget=Budget(thinking_tokens=500))
    assert not any(body["think"] for body in server.bodies)
    assert found.status == "answered"
    _, server = ask(Counted(usual(), thoughts=0), budget=Budget(thinking_tokens=5000))
    assert [body["think"] for body in server.bodies if step_of(body) == "plan"] == [True] * 3


def test_a_model_that_thinks_against_orders_ends_the_run(ask, thinker):
    thinker('budget_field = "thinking_token_budget"')
    found, server = ask(Counted(usual(), reply_tokens=900, thoughts=400), budget=Budget(thinking_tokens=300))
    assert (found.status, found.budget.ended_by) == ("partial", "thinking_tokens")
    assert server.steps == ["route", "plan"]


class Slow:
    """Plays a script, and hangs from the nth request on."""

    def __init__(self, script, hangs_at: int) -> None:
        self.script, self.hangs_at, self.seen = script, hangs_at, 0

    def __call__(self, body):
        self.seen += 1
        return HANG if self.seen >= self.hangs_at else self.script(body)


@pytest.mark.parametrize("hangs_at", [1, 10, *more(2, 3, 7, 9)])
def test_a_hanging_server_does_not_exceed_the_seconds(ask, hangs_at, tmp_path):
    began = time.monotonic()
    found, _ = ask(Slow(usual(), hangs_at), budget=Budget(seconds=3), save_frames=tmp_path / "kept")
    assert time.monotonic() - began < 4
    assert (found.status, found.budget.ended_by) == ("partial", "seconds")
    assert found.usage.seconds < 4


def test_frames_that_were_sent_and_not_answered_are_told_as_such(ask):
    """Two looks side by side, one of which hangs: what the other saw stays, and the frames of the one are unseen."""
    first, second = clip_look(1, 3), clip_look(5, 7)
    script = Script([first, second], [answer()])

    def half(body):
        hangs = step_of(body) == "look" and labelled_images(body)[0][0] >= 4
        return HANG if hangs else script(body)

    found, _ = ask(half, budget=Budget(seconds=15))
    assert (found.status, found.budget.ended_by) == ("partial", "seconds")
    assert "Not verified: seen" in found.answer
    assert found.answer.endswith(
        " 32 frames at 0:05.000 to 0:07.000 were sent to the model, which had not answered by then."
    )


def test_an_overview_that_was_sent_and_not_answered_is_not_looked_at(ask):
    found, _ = ask(
        lambda body: HANG if step_of(body) == "plan" else Script()(body), budget=Budget(seconds=15)
    )
    assert "No frame was looked at. 32 frames " in found.answer
    assert found.usage.frames_sent == 32


@pytest.mark.parametrize("method", ["frames_at", "frame_times"])
def test_a_hanging_decoder_does_not_exceed_the_seconds(ask, method, monkeypatch):
    used = getattr(Video, method)

    def stop(self, *args, **kwargs):
        os.kill(self._process.pid, signal.SIGSTOP)
        return used(self, *args, **kwargs)

    monkeypatch.setattr(Video, method, stop)
    began = time.monotonic()
    found, server = ask(usual(), budget=Budget(seconds=2))
    assert time.monotonic() - began < 3
    assert (found.status, found.budget.ended_by) == ("partial", "seconds")
    assert server.bodies == []
    assert found.usage.by_step[0].step == "survey"


def test_budgets_hold_together(ask):
    limits = Budget(
        frames=60, model_calls=9, prompt_tokens=30_000, completion_tokens=2_000, seconds=60, steps=5
    )
    script = Counted(usual(), reply_tokens=200)
    found, server = ask(script, budget=limits)
    assert found.status == "partial"
    assert frames_of(server) <= 60
    assert len(server.bodies) <= 9
    assert script.total("prompt") <= 30_000
    assert script.total("completion") <= 2_000
    assert found.budget.limit == limits


def test_a_look_without_any_request_left_still_answers_its_call(ask):
    """The history stays whole, so that a run resumed with a larger budget can be sent to a server."""
    found, _ = ask(Script([clip_look(0, 2), clip_look(2, 4)], look=SEEN), budget=Budget(model_calls=2))
    assert found.budget.ended_by == "model_calls"
    assert found.usage.model_calls == 2
