"""A gate that lets every call to a model through, where a run has its budgets."""

from __future__ import annotations

from vidagent.agents.client.limits import CallLimits, CallNeed, CallUsage
from vidagent.types import Step


class Gate:
    """Admits everything, within the same limits, and keeps what it cost.

    Args:
        limits: Fields of `CallLimits`.
    """

    def __init__(self, **limits: float) -> None:
        """Keep the limits."""
        self.limits, self.spent = CallLimits(**limits), list[CallUsage]()

    async def admit(self, step: Step, need: CallNeed) -> CallLimits:
        """Return the limits."""
        return self.limits

    def record(self, step: Step, usage: CallUsage) -> None:
        """Keep what a call cost."""
        self.spent.append(usage)
