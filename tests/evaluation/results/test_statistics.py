"""Intervals and tests against values from the literature, or computed by hand."""

from __future__ import annotations

import pytest

from vidagent.evaluation.results.statistics import bootstrap, mcnemar, wilson


def test_wilson():
    eight = wilson(8, 10)  # 0.4902 to 0.9433: Wilson's interval of 8 of 10 as statistics packages give it
    assert (eight.value, eight.low, eight.high) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10).low == 0.0
    assert wilson(10, 10).high == pytest.approx(1.0)
    with pytest.raises(ValueError, match="at least 1"):
        wilson(0, 0)


def test_mcnemar():
    assert mcnemar(1, 8) == pytest.approx(2 * (1 + 9) / 2**9)
    assert mcnemar(8, 1) == mcnemar(1, 8)
    assert mcnemar(0, 0) == mcnemar(3, 3) == 1.0


def test_bootstrap():
    mean = bootstrap([0.0, 1.0] * 50)  # of 100 coins: 0.5 ± 1.96 · 0.05
    assert (mean.value, mean.low, mean.high) == pytest.approx((0.5, 0.402, 0.598), abs=0.02)
    assert bootstrap([0.0, 1.0] * 50) == mean
    assert bootstrap([0.25]).low == bootstrap([0.25]).high == 0.25
    with pytest.raises(ValueError, match="at least 1"):
        bootstrap([])
