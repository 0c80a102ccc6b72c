"""Budgets of a model call: its maximum need, its limits, and its cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

from langchain_core.messages import AIMessage, BaseMessage

from vidagent.types import Step

_CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class CallNeed:
    """Maximum need of one call, as far as is known before it is sent.

    Args:
        frames: Pictures in it.
        prompt_tokens: Estimated prompt tokens; 0 for an in-process model.
        completion_tokens: The profile's cap on the reply, or None.
        requests: Number of requests: 2 if the thought takes a request of its own.
    """

    frames: int = 0
    prompt_tokens: int = 0
    completion_tokens: int | None = None
    requests: int = 1

    def doubled(self) -> CallNeed:
        """Return the need of the same call in two requests, each with the whole prompt."""
        return CallNeed(2 * self.frames, 2 * self.prompt_tokens, self.completion_tokens, 2 * self.requests)


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Limits of one call; None means that only the profile limits it.

    Args:
        timeout_s: Seconds left of the run. A call that exceeds it ends with `BudgetSpent("seconds")`.
        completion_tokens: Most tokens of the reply, thinking included.
        thinking_tokens: Most reasoning tokens; 0 switches thinking off.
    """

    timeout_s: float | None = None
    completion_tokens: int | None = None
    thinking_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class CallUsage:
    """Cost of one call; tokens are estimated by length if the server does not count them."""

    seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    thinking_tokens: int = 0
    cached_tokens: int = 0
    frames_sent: int = 0
    requests: int = 1

    @property
    def computed_tokens(self) -> int:
        """Prompt tokens that the server had to compute."""
        return max(0, self.prompt_tokens - self.cached_tokens)

    def __add__(self, other: CallUsage) -> CallUsage:
        """Return the sum of two calls' costs."""
        return CallUsage(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


class CallBudget(Protocol):
    """The budgets of a run, as the client sees them."""

    async def admit(self, step: Step, need: CallNeed) -> CallLimits:
        """Admit one call, within limits; may wait for other calls to release what they reserved.

        Raises:
            BudgetSpent: If a budget is spent.
        """

    def record(self, step: Step, usage: CallUsage) -> None:
        """Count one call, whether it succeeded or not."""


def estimate_tokens(chars: int) -> int:
    """Estimate the tokens of a text of this many characters."""
    return -(-chars // _CHARS_PER_TOKEN)


def prompt_tokens(messages: Sequence[BaseMessage], frames: float, frame_tokens: int) -> int:
    """Estimate a prompt's tokens by its bytes, which also holds for scripts with one token per letter."""
    text = "".join(message.text for message in messages)
    calls = "".join(str(m.tool_calls) for m in messages if isinstance(m, AIMessage))
    return estimate_tokens(len(f"{text}{calls}".encode())) + math.ceil(frames * frame_tokens)
