"""Budgets kept by code: what is spent, what is left, and the gate before every request to the model."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from vidagent.agents.client import CallLimits, CallUsage
from vidagent.errors import BudgetSpent
from vidagent.types import Budget, BudgetName, Step, StepUsage

__all__ = ["Meter", "StepMeter"]

_COUNTED: tuple[BudgetName, ...] = (
    "model_calls",
    "prompt_tokens",
    "completion_tokens",
    "thinking_tokens",
)


@dataclass
class Meter:
    """Adds up what a run has cost and refuses what its budget does not allow.

    Args:
        budget: The limits.
        spent: Steps done before, when a run is resumed.
        earlier_s: Wall-clock seconds of the run before it was resumed.
    """

    budget: Budget
    spent: dict[str, int] = field(default_factory=dict)
    earlier_s: float = 0.0
    _began: float = field(default_factory=time.monotonic)
    _promised: int = 0

    @classmethod
    def after(cls, budget: Budget, steps: Iterable[StepUsage], earlier_s: float) -> Meter:
        """Go on where an interrupted run stopped."""
        meter = cls(budget, earlier_s=earlier_s)
        for step in steps:
            for name, value in dataclasses.asdict(step).items():
                if name not in {"step", "seconds"}:
                    meter.add(name, value)
        return meter

    def add(self, name: str, value: int) -> None:
        """Count something as spent."""
        self.spent[name] = self.spent.get(name, 0) + value

    def left(self, name: BudgetName) -> float | None:
        """Return what is left of one budget, or None where it is unlimited; never below 0."""
        limit: float | None = getattr(self.budget, name)
        if limit is None:
            return None
        if name == "seconds":
            return max(0.0, limit - self.elapsed_s)
        spent = self.spent.get("frames_sent" if name == "frames" else name, 0)
        return max(0, limit - spent - (self._promised if name == "frames" else 0))

    @property
    def elapsed_s(self) -> float:
        """Wall-clock seconds of the run so far."""
        return self.earlier_s + time.monotonic() - self._began

    def check(self) -> None:
        """Refuse to go on when something is spent.

        Raises:
            BudgetSpent: With the name of the budget. Spent thinking only ends thinking.
        """
        for name in ("seconds", *_COUNTED):
            if name != "thinking_tokens" and self.left(name) == 0:
                raise BudgetSpent(name)

    def grant_frames(self, wanted: int) -> int:
        """Promise up to `wanted` frames to a look.

        Raises:
            BudgetSpent: If none is left.
        """
        left = self.left("frames")
        if left == 0 and wanted:
            raise BudgetSpent("frames")
        granted = wanted if left is None else min(wanted, int(left))
        self._promised += granted
        return granted

    def return_frames(self, promised: int) -> None:
        """Take back a promise, once its frames were counted as sent or not sent."""
        self._promised -= promised


@dataclass
class StepMeter:
    """The gate of one step: it counts for the step and for the run at once.

    Args:
        meter: The run's meter.
        step: The step.
    """

    meter: Meter
    step: Step
    usage: dict[str, int] = field(default_factory=dict)
    promised: int = 0
    _began: float = field(default_factory=time.monotonic)

    def grant(self, wanted: int) -> int:
        """Promise frames to this step; see `Meter.grant_frames`."""
        granted = self.meter.grant_frames(wanted)
        self.promised += granted
        return granted

    def admit(self, step: Step, frames: int) -> CallLimits:
        """Allow one request with this many frames, within what is left.

        Raises:
            BudgetSpent: If a budget is gone, or the frames do not fit.
        """
        self.meter.check()
        left = self.meter.left("frames")
        if left is not None and frames > left + self.promised:
            raise BudgetSpent("frames")
        seconds, completion = self.meter.left("seconds"), self.meter.left("completion_tokens")
        thinking = self.meter.left("thinking_tokens")
        return CallLimits(
            timeout_s=seconds,
            completion_tokens=None if completion is None else int(completion),
            thinking_tokens=None if thinking is None else int(thinking),
        )

    def record(self, step: Step, usage: CallUsage) -> None:
        """Count one request."""
        self._count("model_calls", 1)
        for name in ("prompt_tokens", "completion_tokens", "thinking_tokens", "cached_tokens"):
            self._count(name, getattr(usage, name))
        self._count("frames_sent", usage.frames_sent)
        if usage.frames_sent:
            self._settle()

    def decoded(self, frames: int) -> None:
        """Count decoded frames."""
        self._count("frames_decoded", frames)

    def close(self) -> StepUsage:
        """End the step and return what it cost."""
        self._settle()
        return StepUsage(step=self.step, seconds=time.monotonic() - self._began, **self.usage)

    def _count(self, name: str, value: int) -> None:
        self.usage[name] = self.usage.get(name, 0) + value
        self.meter.add(name, value)

    def _settle(self) -> None:
        self.meter.return_frames(self.promised)
        self.promised = 0
