"""Strategy interface: rules by which code proposes looks for the kinds of questions that need them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from vidagent.graphs.budget import CHECK_FRAMES, Allowance
from vidagent.graphs.policy import LEAST_CALLS
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Call, Run, Update
from vidagent.tools import Look, ToolContext
from vidagent.tools.context import Window

FRAMES = "frames"
"""Tool of looks at frames that a strategy chose one by one; the planner is not offered it."""
_EVEN = 0.01
"""Share by which steps between frames may differ and still count as even."""


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
    """Proposes looks; a new one is a subclass, listed in `strategies/__init__.py`.

    Attributes:
        name: Its name in the state and in the ids of its looks.
        reason: Why code looks, as shown to the planner; None if the planner has no turn after the looks.
        hold: Message to the planner about a draft that waited for these looks.
        returns_draft: Whether the planner always gets such a draft back, not only if a look saw something.
        optional: Whether the run goes on without a look of it for which the budget does not suffice.
        describes: Whether its looks are described scene by scene, instead of asked their question.
    """

    name: str
    reason: str | None = None
    hold: str = ""
    returns_draft: bool = False
    optional: bool = False
    describes: bool = False

    def propose(self, progress: Progress, run: Run) -> Proposal:
        """Return the next looks; called again after each round of them."""


def may_resample(run: Run) -> bool:
    """Tell whether code may look by itself, at a rate of its choice: the profile excludes neither."""
    return not run.client.profile.lacks("shapes") and "resample" in run.tools


def allowance(run: Run, share: int) -> Allowance:
    """Return `1 / share` of the remaining budget, after reserving what the checks and the answer need."""
    return run.meter.allowance(share, {"frames": CHECK_FRAMES, "model_calls": LEAST_CALLS})


def frames_look(times_s: Sequence[float], question: str) -> ProposedLook:
    """Propose one look at the frames on screen at these times."""
    return ProposedLook(FRAMES, {"times_s": list(times_s), "question": question})


def look_at_frames(desk: ToolContext, call: Call) -> Look:
    """Do a look that `frames_look` proposed; with fewer frames left, at some of its times, evenly chosen.

    Raises:
        BudgetSpent: If no frame is left.
    """
    times, question = call["args"]["times_s"], call["args"]["question"]
    places = np.linspace(0, len(times) - 1, min(len(times), desk.grant(len(times))))
    stills, damage = desk.pictures([times[place] for place in np.unique(np.round(places).astype(int))])
    shown = [still.time_s for still in stills]
    steps = [after - before for before, after in pairwise(shown)]
    even = bool(steps) and max(steps) - min(steps) <= _EVEN * max(steps) + desk.video.info.frame_s
    window = Window(shown[0], min(shown[-1] + desk.video.info.frame_s, desk.duration_s))
    known = desk.frame_times(window)
    return Look(
        FRAMES,
        question,
        window.start_s,
        window.end_s,
        stills,
        len(steps) / (shown[-1] - shown[0]) if even else None,
        every_frame=known is not None and len(known) == len(shown),
        notes=damage,
    )
