"""Uncertainty of scores: intervals of proportions and means, and paired tests of two modes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_Z = 1.959964
"""Quantile of the normal distribution for 95%."""
_RESAMPLES = 2000
_SEED = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and its 95% confidence interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Return JSON values."""
        return {"value": round(self.value, 4), "low": round(self.low, 4), "high": round(self.high, 4)}


def wilson(right: int, asked: int) -> Interval:
    """Return a share with its score interval (Wilson 1927), which holds for few questions and near 0 and 1.

    Raises:
        ValueError: If nothing was asked.
    """
    if asked < 1:
        raise ValueError(f"a share needs at least 1 question, got {asked}")
    share, scale = right / asked, 1 + _Z**2 / asked
    middle = (share + _Z**2 / (2 * asked)) / scale
    half = _Z / scale * math.sqrt(share * (1 - share) / asked + _Z**2 / (4 * asked**2))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def bootstrap(values: Sequence[float]) -> Interval:
    """Return a mean with its percentile interval over resamples (Efron 1979); the same values give the same one.

    Raises:
        ValueError: If there is no value.
    """
    if not values:
        raise ValueError("a mean needs at least 1 value, got none")
    known = np.asarray(values, float)
    draw = np.random.default_rng(_SEED)
    means = [known[draw.integers(0, len(known), len(known))].mean() for _ in range(_RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(known.mean()), float(low), float(high))


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the p-value of the split of questions that only one mode got right, exact and two-sided.

    McNemar 1947, by the binomial distribution: right for few questions, too.
    """
    count = only_first + only_second
    tail = sum(math.comb(count, k) for k in range(min(only_first, only_second) + 1))
    return float(min(1.0, 2 * tail / 2**count))
