"""Strategy interface: rules by which code proposes looks for the kinds of questions that need them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from vidagent.graphs.budget import CHECK_FRAMES, Allowance
from vidagent.graphs.policy import LEAST_CALLS
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run, Update


@dataclass(frozen=True, slots=True)
class ProposedLook:
    """A tool to call, and its arguments."""

    tool: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a strategy proposes.

    Args:
        looks: The looks, to be done in parallel; none if it has nothing to propose.
        line: One line of text about them.
        update: State changes of the strategy.
    """

    looks: Sequence[ProposedLook] = ()
    line: str = ""
    update: Update = field(default_factory=dict)


class Strategy(Protocol):
    """Proposes looks; a new one is a subclass, listed in `nodes/propose.py`.

    Attributes:
        name: Its name in the state and in the ids of its looks.
        reason: Why code looks, as shown to the planner; None if the planner has no turn after the looks.
        hold: Message to the planner about a draft that waited for these looks.
        returns_draft: Whether the planner always gets such a draft back, not only if a look saw something.
    """

    name: str
    reason: str | None = None
    hold: str = ""
    returns_draft: bool = False

    def propose(self, progress: Progress, run: Run) -> Proposal:
        """Return the next looks; called again after each round of them."""


def may_resample(run: Run) -> bool:
    """Tell whether code may look by itself, at a rate of its choice: the profile excludes neither."""
    return not run.client.profile.lacks("shapes") and "resample" in run.tools


def allowance(run: Run, share: int) -> Allowance:
    """Return `1 / share` of the remaining budget, after reserving what the checks and the answer need."""
    return run.meter.allowance(share, {"frames": CHECK_FRAMES, "model_calls": LEAST_CALLS})
