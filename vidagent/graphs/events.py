"""What a run tells while it goes on: one event for each thing that happened, with a line for people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from vidagent.types import Step

__all__ = ["Event", "Kind", "Listener"]

Kind = Literal["model", "progress", "step", "look", "observation", "claim", "verdict", "note", "answer"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run.

    Args:
        kind: `model` which model answers; `progress` of a long step, with `data["fraction"]`; `step` a step begins;
            `look` a tool shows frames; `observation` what was seen; `claim` and `verdict` of the verification;
            `note` a warning; `answer` the end.
        text: One line for people.
        step: The step it belongs to.
        data: The same as JSON values.
    """

    kind: Kind
    text: str
    step: Step | None = None
    data: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]
