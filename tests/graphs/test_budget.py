"""The meter by itself: promises, waiting for one another, and what is refused."""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from vidagent.agents.client.limits import CallNeed, CallUsage
from vidagent.errors import BudgetSpent
from vidagent.graphs.budget import Meter, StepMeter
from vidagent.types import Budget

NEED = CallNeed(frames=0, prompt_tokens=100, completion_tokens=50)
USED = CallUsage(prompt_tokens=100, completion_tokens=10)


async def test_a_request_that_would_fit_alone_waits_for_the_others():
    meter = Meter(Budget(completion_tokens=70))
    first, second = StepMeter(meter, "look"), StepMeter(meter, "look")
    assert (await first.admit("look", NEED)).completion_tokens == 50
    waiting = asyncio.create_task(second.admit("look", NEED))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    first.record("look", USED)
    assert (await waiting).completion_tokens == 50
    second.record("look", USED)
    assert meter.left("completion_tokens") == 50


async def test_the_last_tokens_are_given_to_whoever_is_alone():
    meter = Meter(Budget(completion_tokens=30))
    step = StepMeter(meter, "look")
    assert (await step.admit("look", NEED)).completion_tokens == 30
    step.record("look", CallUsage(completion_tokens=30))
    with pytest.raises(BudgetSpent) as spent:
        await step.admit("look", NEED)
    assert spent.value.name == "completion_tokens"


async def test_many_at_once_never_exceed_anything():
    meter = Meter(Budget(model_calls=7, prompt_tokens=1000, completion_tokens=200))
    running, most = 0, 0

    async def request() -> str:
        nonlocal running, most
        step = StepMeter(meter, "look")
        try:
            limits = await step.admit("look", NEED)
        except BudgetSpent as spent:
            return spent.name
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        step.record("look", CallUsage(prompt_tokens=100, completion_tokens=limits.completion_tokens or 0))
        step.close()
        return "done"

    done = await asyncio.gather(*(request() for _ in range(12)))
    assert done.count("done") == 4
    assert set(done) == {"done", "completion_tokens"}
    assert most == 4
    assert (meter.left("completion_tokens"), meter.left("model_calls")) == (0, 3)


async def test_a_prompt_that_does_not_fit_is_refused_before_it_is_sent():
    with pytest.raises(BudgetSpent, match="prompt_tokens"):
        await StepMeter(Meter(Budget(prompt_tokens=99)), "look").admit("look", NEED)


async def test_prompts_are_estimated_longer_once_the_server_counted_more():
    meter = Meter(Budget(prompt_tokens=390))
    step = StepMeter(meter, "look")
    await step.admit("look", NEED)
    step.record("look", CallUsage(prompt_tokens=200))
    with pytest.raises(BudgetSpent, match="prompt_tokens"):
        await step.admit("look", NEED)


async def test_thinking_is_shared_and_not_waited_for():
    meter = Meter(Budget(thinking_tokens=60))
    first, second = StepMeter(meter, "plan"), StepMeter(meter, "look")
    assert (await first.admit("plan", NEED)).thinking_tokens == 60
    assert (await second.admit("look", NEED)).thinking_tokens == 0
    first.record("plan", CallUsage(thinking_tokens=20))
    second.record("look", CallUsage())
    assert (await first.admit("plan", NEED)).thinking_tokens == 40
    first.record("plan", CallUsage(thinking_tokens=41))
    with pytest.raises(BudgetSpent, match="thinking_tokens"):
        await first.admit("plan", NEED)


async def test_a_step_may_think_as_much_as_it_is_allotted_and_what_earlier_ones_left():
    meter = Meter(Budget(), thinking={"plan": 100, "verify": 40})
    plan, verify = StepMeter(meter, "plan"), StepMeter(meter, "verify")
    assert (await plan.admit("plan", NEED)).thinking_tokens == 100
    plan.record("plan", CallUsage(completion_tokens=50, thinking_tokens=30))
    assert (await verify.admit("verify", NEED)).thinking_tokens == 110
    verify.record("verify", CallUsage(completion_tokens=120, thinking_tokens=110))
    assert (await verify.admit("verify", NEED)).thinking_tokens == 40


async def test_steps_that_are_allotted_nothing_leave_nothing():
    meter = Meter(Budget(thinking_tokens=1000), thinking={"plan": 100})
    look, plan = StepMeter(meter, "look"), StepMeter(meter, "plan")
    await look.admit("look", NEED)
    look.record("look", CallUsage(completion_tokens=50))
    assert (await plan.admit("plan", NEED)).thinking_tokens == 100


async def test_a_request_that_failed_leaves_only_what_it_was_left():
    meter = Meter(Budget(), thinking={"plan": 100})
    step = StepMeter(meter, "plan")
    for _ in range(3):
        assert (await step.admit("plan", NEED)).thinking_tokens == 100
        step.record("plan", CallUsage())


async def test_a_small_budget_is_spread_over_a_usual_run():
    """Four plans, two verdicts and a composition: 4 * 100 + 2 * 40 + 20 = 500 tokens, of which there are 50."""
    meter = Meter(Budget(thinking_tokens=50), thinking={"plan": 100, "verify": 40, "compose": 20})
    allowed = []
    for step in ("plan", "plan", "plan", "plan", "verify", "verify", "compose", "compose"):
        one = StepMeter(meter, step)
        most = (await one.admit(step, NEED)).thinking_tokens
        allowed.append(most)
        one.record(step, CallUsage(completion_tokens=most + 1, thinking_tokens=most))
    assert allowed == [10, 10, 10, 10, 4, 4, 2, 0]


def test_frames_are_promised_and_returned():
    meter = Meter(Budget(frames=20))
    first, second = StepMeter(meter, "look"), StepMeter(meter, "look")
    assert first.grant(12) == 12
    assert second.grant(12) == 5  # three stay for the verification
    first.settle(2)
    assert StepMeter(meter, "look").grant(30) == 10
    with pytest.raises(BudgetSpent, match="frames"):
        StepMeter(meter, "look").grant(1)
    assert StepMeter(meter, "verify").grant(5) == 3
    assert StepMeter(meter, "verify").grant(0) == 0


@pytest.mark.parametrize(("sharers", "granted"), [(1, 17), (2, 8), (17, 1), (40, 1)])
def test_looks_side_by_side_share_what_is_left(sharers, granted):
    assert StepMeter(Meter(Budget(frames=20)), "look").grant(32, sharers) == granted


async def test_pictures_sent_again_are_counted_again():
    meter = Meter(Budget(frames=20))
    step = StepMeter(meter, "look")
    step.grant(8)
    need = CallNeed(frames=8)
    await step.admit("look", need)
    step.record("look", CallUsage(frames_sent=8))
    await step.admit("look", need)
    step.record("look", CallUsage(frames_sent=8))
    with pytest.raises(BudgetSpent, match="frames"):
        await step.admit("look", need)
    assert step.close().frames_sent == 16


def test_pictures_take_half_of_the_prompt_tokens_at_most():
    meter = Meter(Budget(prompt_tokens=1000), frame_tokens=100)
    assert meter.grant(32) == 5
    assert meter.share(32) == 2
    meter.add("prompt_tokens", 900)
    with pytest.raises(BudgetSpent, match="prompt_tokens"):
        meter.grant(32)


def test_without_limits_everything_is_granted():
    meter = Meter(Budget())
    assert (meter.grant(500), meter.share(500), meter.left("seconds")) == (500, 500, None)


async def test_a_resumed_run_goes_on_counting():
    meter = Meter(Budget(seconds=10, model_calls=3, frames=10))
    spent = {
        "model_calls": 1,
        "prompt_tokens": 9,
        "completion_tokens": 1,
        "thinking_tokens": 0,
        "frames_sent": 4,
    }
    meter.resume({"spent": [spent, spent], "elapsed_s": 7.0}, time.monotonic() - 1)
    assert (meter.left("model_calls"), meter.left("frames")) == (1, 2)
    assert meter.left("seconds") == pytest.approx(2, abs=0.1)
    meter.resume({"elapsed_s": 11.0}, time.monotonic())
    with pytest.raises(BudgetSpent, match="seconds"):
        await StepMeter(meter, "plan").admit("plan", NEED)


def test_an_allowance_is_a_share_of_what_is_left_after_what_is_kept():
    meter = Meter(Budget(frames=43, prompt_tokens=8000))
    meter.add("prompt_tokens", 4000)
    allowance = meter.allowance(4, {"frames": 3})
    assert allowance.amounts["frames"] == 10
    assert allowance.most_frames(250) == 4
    assert allowance.most_frames(0) == 10
    assert allowance.most_looks(100) == math.inf
    assert allowance.covers({"frames": 10, "model_calls": 99})
    assert not allowance.less({"frames": 6}).covers({"frames": 5})
    assert meter.allowance(keep={"frames": 99}).amounts["frames"] == 0


async def test_rounds_are_the_longest_chain_of_calls():
    meter = Meter(Budget())
    one, other, last = (StepMeter(meter, "look") for _ in range(3))
    await one.admit("look", NEED)
    await other.admit("look", NEED)
    one.record("look", USED)
    assert meter.rounds == 1
    await last.admit("look", NEED)
    other.record("look", USED)
    assert meter.rounds == 1
    last.record("look", CallUsage(requests=2))  # a thought, and the reply after it
    assert meter.rounds == 3
    again = Meter(Budget())
    again.resume(meter.clock, time.monotonic())
    assert again.rounds == 3


async def test_cached_tokens_are_no_computed_ones():
    meter = Meter(Budget(computed_tokens=250))
    step = StepMeter(meter, "plan")
    await step.admit("plan", NEED)
    step.record("plan", CallUsage(prompt_tokens=100, cached_tokens=64))
    assert meter.left("computed_tokens") == 214
    usage = step.close()
    assert (usage.prompt_tokens, usage.cached_tokens, usage.computed_tokens) == (100, 64, 36)
    with pytest.raises(BudgetSpent, match="computed_tokens"):
        await StepMeter(meter, "plan").admit("plan", CallNeed(prompt_tokens=300))
