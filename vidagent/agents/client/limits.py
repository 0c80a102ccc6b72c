"""Budgets as the client sees them: what a request needs, what it may use, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vidagent.types import Step


@dataclass(frozen=True, slots=True)
class CallNeed:
    """What one call will take at most, as far as it can be told before it is sent.

    Args:
        frames: Pictures in it.
        prompt_tokens: Tokens of its prompt, estimated by length; 0 for a model in this process.
        completion_tokens: The profile's cap on the reply, or None.
        requests: How many requests it is made of: 2 where a thought is had in a request of its own.
    """

    frames: int = 0
    prompt_tokens: int = 0
    completion_tokens: int | None = None
    requests: int = 1

    def twice(self) -> CallNeed:
        """Return the need of the same call in two requests, each with the whole prompt."""
        return CallNeed(2 * self.frames, 2 * self.prompt_tokens, self.completion_tokens, 2 * self.requests)


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What one call may cost; None means that only the profile limits it.

    Args:
        timeout_s: Seconds left of the run. A call that runs into it ends with `BudgetSpent("seconds")`.
        completion_tokens: Most tokens of the reply, thinking included.
        thinking_tokens: Most reasoning tokens; 0 switches thinking off.
    """

    timeout_s: float | None = None
    completion_tokens: int | None = None
    thinking_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class CallUsage:
    """What one call cost; tokens are estimated by length where a server does not count them."""

    seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    thinking_tokens: int = 0
    cached_tokens: int = 0
    frames_sent: int = 0
    requests: int = 1


class CallGate(Protocol):
    """Budgets, seen from the client."""

    async def admit(self, step: Step, need: CallNeed) -> CallLimits:
        """Allow one call, within limits; may wait for others to return what they were promised.

        Raises:
            BudgetSpent: If a budget is gone.
        """

    def record(self, step: Step, usage: CallUsage) -> None:
        """Count one call, whether it succeeded or not."""
