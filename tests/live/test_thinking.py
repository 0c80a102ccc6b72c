"""Thinking budgets against the real server, with a model that never closes a thought."""

from __future__ import annotations

import pytest

from benchmarks.thinking_budgets import STEPS, Bench, profile_for

pytestmark = [pytest.mark.vllm, pytest.mark.network]


@pytest.fixture
def bench(tiny_server):
    return Bench(tiny_server.url, tiny_server.model, repeats=2)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("native", [True, False], ids=["native", "two-phase"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("budget", [0, 16, 64])
async def test_a_thought_stays_inside_its_budget(bench, budget, step, native, streamed):
    row = await bench.row(profile_for("tiny", native=native), step, budget, stream=streamed)
    assert row.broke < row.asked
    assert row.kept, row
    assert (row.generated > 0) == (row.counted > 0) == (budget > 0)


@pytest.mark.parametrize("step", ["plan", "verify"])
async def test_pictures_stay_in_the_second_phase(bench, step):
    row = await bench.row(profile_for("tiny", native=False), step, 64, stream=False)
    first, second = row.prompts
    assert second > first
