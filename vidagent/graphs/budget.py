"""Budget accounting: what is spent, what is reserved, and admission control for every model request.

A request is admitted only if its maximum cost still fits beside the reservations of requests in flight, so no budget
is exceeded however many looks run at once. A request that would fit without the others waits for them; one that cannot
fit ends the run.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vidagent.agents.client.limits import CallLimits, CallNeed, CallUsage
from vidagent.errors import BudgetSpent, ModelError
from vidagent.types import Budget, BudgetName, Step, StepUsage

CHECK_FRAMES = 3
"""Frames that looks leave for the verification, if the budget has them."""

_QUARTER = 4
_USUAL: dict[Step, int] = {
    "survey": 0,
    "route": 1,
    "propose": 0,
    "plan": 4,
    "look": 4,
    "verify": 2,
    "compose": 1,
}
"""Calls of each step in a usual run, over which a thinking budget is spread."""
LIMITED: dict[str, BudgetName] = {
    "model_calls": "model_calls",
    "prompt_tokens": "prompt_tokens",
    "computed_tokens": "computed_tokens",
    "completion_tokens": "completion_tokens",
    "thinking_tokens": "thinking_tokens",
    "frames_sent": "frames",
}
"""Limited fields of a step's usage, and their budgets."""
_TOKENS = ("prompt_tokens", "cached_tokens", "computed_tokens", "completion_tokens", "thinking_tokens")


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much one part of a run may spend of each budget; infinite where unlimited."""

    amounts: Mapping[BudgetName, float]

    def most_frames(self, tokens_each: float) -> float:
        """Return how many frames of this many prompt tokens each it allows."""
        tokens = min(self.amounts["prompt_tokens"], self.amounts["computed_tokens"])
        return min(self.amounts["frames"], tokens / tokens_each if tokens_each else math.inf)

    def most_looks(self, reply_tokens: int) -> float:
        """Return how many looks it allows with replies of at most this many tokens."""
        tokens = self.amounts["completion_tokens"] / reply_tokens if reply_tokens else math.inf
        return min(self.amounts["model_calls"], tokens)

    def covers(self, needs: Mapping[BudgetName, float]) -> bool:
        """Return whether it covers all of these needs."""
        return all(amount <= self.amounts[name] for name, amount in needs.items())

    def less(self, needs: Mapping[BudgetName, float]) -> Allowance:
        """Return the allowance that remains after these needs."""
        return Allowance({name: amount - needs.get(name, 0) for name, amount in self.amounts.items()})


@dataclass
class Meter:
    """Adds up the cost of a run and refuses what its budget does not allow.

    Args:
        budget: The limits.
        frame_tokens: Approximate prompt tokens of one picture.
        thinking: Reasoning tokens of one call, by step; scaled down if the budget is too small for a usual run.
        earlier_s: Wall-clock seconds of the run before it was resumed.
        began: `time.monotonic` when the run began.
        rounds: Longest chain of calls so far of which each began after the one before it had ended.
    """

    budget: Budget
    frame_tokens: int = 0
    thinking: Mapping[Step, int] = field(default_factory=dict)
    earlier_s: float = 0.0
    began: float = field(default_factory=time.monotonic)
    rounds: int = 0
    _unspent_thinking: int = 0
    _spent: dict[BudgetName, int] = field(default_factory=dict)
    _held: dict[BudgetName, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _freed: asyncio.Event = field(default_factory=asyncio.Event)
    _longer: float = 1.0

    def resume(self, state: Mapping[str, Any], began: float) -> None:
        """Restore what a run's state says of its cost so far, and start the clock of this part of it."""
        self.earlier_s, self.began = state.get("elapsed_s", 0.0), began
        self.rounds = state.get("rounds", 0)
        self.count(state.get("spent", []))

    @property
    def clock(self) -> dict[str, Any]:
        """What `resume` needs besides the steps, for the run's state."""
        return {"elapsed_s": self.elapsed_s, "rounds": self.rounds}

    def count(self, steps: Iterable[Mapping[str, Any]]) -> None:
        """Count the cost of steps done earlier, or under a budget of their own."""
        for step in steps:
            for name, budget in LIMITED.items():
                self.add(budget, step.get(name, 0))

    @property
    def elapsed_s(self) -> float:
        """Wall-clock seconds of the run so far."""
        return self.earlier_s + time.monotonic() - self.began

    def left(self, name: BudgetName) -> float | None:
        """Return the unspent part of one budget, at least 0; None where it is unlimited."""
        limit: float | None = getattr(self.budget, name)
        if limit is None:
            return None
        return max(0.0, limit - (self.elapsed_s if name == "seconds" else self._spent.get(name, 0)))

    def allowance(self, share: int = 1, keep: Mapping[BudgetName, int] | None = None) -> Allowance:
        """Return `1 / share` of what is left after reserving `keep`."""
        reserves: Mapping[BudgetName, int] = keep or {}
        left = {name: self.left(name) for name in LIMITED.values()}
        return Allowance(
            {
                name: math.inf if amount is None else max(0.0, amount - reserves.get(name, 0)) / share
                for name, amount in left.items()
            }
        )

    def share(self, wanted: int) -> int:
        """Return how many of the wanted pictures fit in a quarter of the remaining frames and prompt tokens."""
        return int(min(wanted, self.allowance(_QUARTER).most_frames(self.frame_tokens)))

    def grant(self, wanted: int, reserved: int = 0, sharers: int = 1) -> int:
        """Reserve up to `wanted` frames, using at most half of the remaining prompt tokens.

        Args:
            wanted: Frames requested.
            reserved: Frames left for the verification.
            sharers: How many looks share the free frames, this one included.

        Raises:
            BudgetSpent: If none is left.
        """
        with self._lock:
            left = self.left("frames")
            free = None if left is None else max(0.0, left - reserved - self._held.get("frames", 0))
            if free:
                free = max(1.0, free // sharers)
            half = self.allowance(2).amounts
            names: tuple[BudgetName, ...] = ("prompt_tokens", "computed_tokens")
            name = min(names, key=lambda name: half[name])
            most = half[name] / self.frame_tokens if self.frame_tokens else math.inf
            granted = int(min(wanted, most, math.inf if free is None else free))
            if wanted and not granted:
                raise BudgetSpent("frames" if free == 0 else name)
            self._hold({"frames": granted})
        return granted

    async def admit(self, step: Step, wanted: Mapping[BudgetName, float]) -> dict[BudgetName, int]:
        """Reserve a request's maximum cost, waiting until it is free; the reservation is smaller where less is left.

        A request may think for its step's allotment plus what earlier requests left unused.

        Raises:
            BudgetSpent: If it cannot fit, whatever the others return.
        """
        while True:
            with self._lock:
                takes = self._afford(wanted)
                if all(takes[name] <= self._free(name) for name in takes):
                    thought = min(self._allotted(step), self._free("thinking_tokens"))
                    if thought < math.inf:
                        takes["thinking_tokens"] = int(min(thought, takes.get("completion_tokens", thought)))
                    if step in self.thinking:
                        self._unspent_thinking = 0
                    self._hold(takes)
                    return takes
                self._freed.clear()
            await self._freed.wait()

    def add(self, name: BudgetName, value: int) -> None:
        """Record spending."""
        with self._lock:
            self._spent[name] = self._spent.get(name, 0) + value

    def give_back(self, held: Mapping[BudgetName, int]) -> None:
        """Release a reservation, after what was used of it has been counted."""
        with self._lock:
            self._hold({name: -value for name, value in held.items()})
        self._freed.set()

    def leave(self, step: Step, granted: int, usage: CallUsage) -> None:
        """Carry over thinking tokens that a request did not use; a failed request had no allotment."""
        if step not in self.thinking:
            return
        left = granted - usage.thinking_tokens - (0 if usage.completion_tokens else self._share(step))
        with self._lock:
            self._unspent_thinking += max(0, left)

    def learn(self, estimated: int, counted: int) -> None:
        """Raise later prompt estimates if the server counts more tokens than estimated."""
        if estimated and counted:
            self._longer = max(self._longer, counted / (estimated / self._longer))

    def _afford(self, wanted: Mapping[BudgetName, float]) -> dict[BudgetName, int]:
        """Return what a request takes of the limited budgets.

        Raises:
            BudgetSpent: If a budget is too small even with no other request in flight.
        """
        if self.left("seconds") == 0:
            raise BudgetSpent("seconds")
        limit, thought = self.budget.thinking_tokens, self._spent.get("thinking_tokens", 0)
        if limit is not None and thought > limit:
            raise BudgetSpent("thinking_tokens")
        takes: dict[BudgetName, int] = {}
        for name, amount in wanted.items():
            left = self.left(name)
            if left is None:
                continue
            if name in {"prompt_tokens", "computed_tokens"}:
                amount *= self._longer
            if name == "completion_tokens":
                amount = max(1.0, min(amount, left))
            if amount > left:
                raise BudgetSpent(name)
            takes[name] = math.ceil(amount)
        return takes

    def _allotted(self, step: Step) -> float:
        """Return the thinking tokens of a request in this step, carry-over included."""
        return self._share(step) + self._unspent_thinking if step in self.thinking else math.inf

    def _share(self, step: Step) -> int:
        limit, usual = (
            self.budget.thinking_tokens,
            sum(self.thinking[name] * _USUAL[name] for name in self.thinking),
        )
        return math.ceil(
            self.thinking[step] * (1.0 if limit is None or not usual else min(1.0, limit / usual))
        )

    def _free(self, name: BudgetName) -> float:
        left = self.left(name)
        return math.inf if left is None else left - self._held.get(name, 0)

    def _hold(self, amounts: Mapping[BudgetName, int]) -> None:
        for name, value in amounts.items():
            self._held[name] = self._held.get(name, 0) + value


@dataclass
class StepMeter:
    """Admission control of one step, counting for the step and for the run.

    Args:
        meter: The run's meter.
        step: The step.

    Attributes:
        partial: The update to keep if a budget ends the step midway.
    """

    meter: Meter
    step: Step
    partial: dict[str, Any] = field(default_factory=dict)
    _usage: dict[str, int] = field(default_factory=dict)
    _promised: int = 0
    _held: dict[BudgetName, int] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)
    _after: int = 0

    def grant(self, wanted: int, sharers: int = 1) -> int:
        """Reserve frames for this step, as `Meter.grant` does; a look leaves some for the verification."""
        reserved = (
            min(CHECK_FRAMES, (self.meter.budget.frames or 0) // _QUARTER) if self.step == "look" else 0
        )
        granted = self.meter.grant(wanted, reserved, sharers)
        self._promised += granted
        return granted

    @property
    def frames_sent(self) -> int:
        """Frames that the requests of this step sent, answered or not."""
        return self._usage.get("frames_sent", 0)

    def beside(self) -> StepMeter:
        """Return a meter for one of several requests of this step at a time; its usage is the step's."""
        return StepMeter(self.meter, self.step, _usage=self._usage)

    def settle(self, frames: int = 0) -> None:
        """Release the reserved frames except this many."""
        self.meter.give_back({"frames": self._promised - frames})
        self._promised = frames

    async def admit(self, step: Step, need: CallNeed) -> CallLimits:
        """Admit one request, within what is left.

        Raises:
            BudgetSpent: If a budget is spent, or the request does not fit.
        """
        self.settle(min(self._promised, need.frames))
        self._held = await self.meter.admit(
            step,
            {
                "model_calls": need.requests,
                "prompt_tokens": need.prompt_tokens,
                "computed_tokens": need.prompt_tokens,
                "completion_tokens": need.completion_tokens or math.inf,
                "frames": need.frames - self._promised,
            },
        )
        self._after = self.meter.rounds
        return CallLimits(
            timeout_s=self.meter.left("seconds"),
            completion_tokens=self._held.get("completion_tokens"),
            thinking_tokens=self._held.get("thinking_tokens"),
        )

    def record(self, step: Step, usage: CallUsage) -> None:
        """Count one request and release what it did not use."""
        self.meter.learn(self._held.get("prompt_tokens", 0), usage.prompt_tokens)
        self.meter.leave(step, self._held.get("thinking_tokens", 0), usage)
        self.meter.rounds = max(self.meter.rounds, self._after + usage.requests)
        self._count("model_calls", usage.requests)
        for name in (*_TOKENS, "frames_sent"):
            self._count(name, getattr(usage, name))
        self._release()

    def decoded(self, frames: int) -> None:
        """Count decoded frames."""
        self._count("frames_decoded", frames)

    def close(self) -> StepUsage:
        """End the step and return what it cost."""
        self._release()
        return StepUsage(step=self.step, seconds=time.monotonic() - self._began, **self._usage)

    def _count(self, name: str, value: int) -> None:
        self._usage[name] = self._usage.get(name, 0) + value
        if name in LIMITED:
            self.meter.add(LIMITED[name], value)

    def _release(self) -> None:
        self.meter.give_back(self._held)
        self._held = {}
        self.settle()


async def within_budget(work: Awaitable[dict[str, Any]], meter: StepMeter) -> dict[str, Any]:
    """Run a step's work under the run's deadline.

    Returns:
        The step's state changes; if a budget ends it, its partial changes with that budget as `ended_by`.
    """
    try:
        async with asyncio.timeout(meter.meter.left("seconds")):
            return await work
    except BudgetSpent as spent:
        return {**meter.partial, "ended_by": spent.name}
    except (TimeoutError, ModelError):
        if meter.meter.left("seconds") != 0:
            raise
        return {**meter.partial, "ended_by": "seconds"}
