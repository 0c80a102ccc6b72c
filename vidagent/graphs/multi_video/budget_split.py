"""Split one budget across several videos; each gets a share of what the earlier ones left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from vidagent.errors import BudgetSpent
from vidagent.graphs.budget import LIMITED, Meter
from vidagent.graphs.policy import LEAST_CALLS
from vidagent.types import Budget, BudgetName

_LEAST: dict[BudgetName, int] = {"model_calls": LEAST_CALLS, "steps": 2, "thinking_tokens": 0}
"""Minimum for a run to look at all; if shares would be smaller, the first videos get it and the last ones nothing."""
_RESERVED: dict[BudgetName, int] = {"model_calls": 1}
"""Reserved for combining the answers."""


def steps_in(steps: Iterable[Mapping[str, Any]]) -> int:
    """Return how many of these steps are planner turns."""
    return sum(step["step"] == "plan" and step["model_calls"] > 0 for step in steps)


def share_of(
    meter: Meter, steps_taken: int, sharers: int, earlier: Iterable[Mapping[str, Any]], earlier_s: float
) -> Budget:
    """Return the budget of the run about one video, including what it has already spent.

    Args:
        meter: What all videos have cost, this one's earlier steps included.
        steps_taken: The planner turns among that.
        sharers: How many videos are left, this one included.
        earlier: The steps of this run before it was stopped.
        earlier_s: Its seconds before it was stopped.

    Raises:
        BudgetSpent: If a budget is used up.
    """
    done = list(earlier)
    spent: dict[BudgetName, float] = {
        name: sum(step[field] for step in done) for field, name in LIMITED.items()
    }
    spent |= {"steps": steps_in(done), "seconds": earlier_s}
    given = {name: _share(name, _left(meter, name, steps_taken), sharers) for name in get_args(BudgetName)}
    limits = {name: None if part is None else part + spent[name] for name, part in given.items()}
    return Budget(**limits)  # type: ignore[arg-type]  # whole numbers except the seconds


def _left(meter: Meter, name: BudgetName, steps_taken: int) -> float | None:
    if name != "steps":
        return meter.left(name)
    return None if meter.budget.steps is None else max(0, meter.budget.steps - steps_taken)


def _share(name: BudgetName, left: float | None, sharers: int) -> float | int | None:
    if left is None:
        return None
    free = max(0.0, left - _RESERVED.get(name, 0))
    part = max(free / sharers, min(free, _LEAST.get(name, 1)))
    if name == "seconds":
        part = free / sharers
    elif part < 1 and name != "thinking_tokens":
        part = 0
    if part <= 0 and name != "thinking_tokens":
        raise BudgetSpent(name)
    return part if name == "seconds" else int(part)
