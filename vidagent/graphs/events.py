"""What a run tells while it goes on: one event for each thing that happened, with a line for people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from vidagent.agents.client.chat_call import OnStream, StreamKind
from vidagent.types import Step

Kind = Literal[
    "model",
    "video",
    "progress",
    "step",
    "thought",
    "look",
    "observation",
    "claim",
    "verdict",
    "token",
    "note",
    "saved",
    "answer",
]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run.

    Tokens are those of the model's last reply, which may fail midway or be asked for again: then a `token` without
    words comes, with `data["restart"]`, and those before it are void. What counts is `answer`: a run that found
    nothing, or that a budget ended, has no tokens, or other words in the end.

    Args:
        kind: `model` which model answers; `progress` of a long step, with `data["fraction"]`; `step` a step begins;
            `look` a tool shows frames; `observation` what was seen; `claim` and `verdict` of the verification;
            `note` a warning; `saved` a file that was ordered, with `data["path"]`; `answer` the end, with
            `data["status"]` and the whole `Answer` as a dict in `data["answer"]`. Of several videos, `video` says
            which one is looked at, and at its end, with `data["status"]` and `data["answer"]`, what came of it; its
            index is in the `data["video"]` of all its events. Only in a run that streams:
            `thought` and `token`, words of a thought and of the answer.
        text: One line for people; of a `thought` or `token`, the words as they came, with their spaces and line breaks.
        step: The step it belongs to.
        data: The same as JSON values.
    """

    kind: Kind
    text: str
    step: Step | None = None
    data: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]


@dataclass(frozen=True, kw_only=True)
class EventSource:
    """Sends the events of a run.

    Args:
        emit: Takes events.
        stream: Whether events carry the model's words as they come.
    """

    emit: Listener
    stream: bool = False

    def tell(self, kind: Kind, text: str, step: Step | None = None, **data: object) -> None:
        """Send an event."""
        self.emit(Event(kind, text, step, data))

    def thought_listener(self, step: Step) -> OnStream | None:
        """Return what makes events of the model's thoughts in a step; None in a run that does not stream."""

        def hear(kind: StreamKind, words: str) -> None:
            if kind == "thought":
                self.tell("thought", words, step)

        return hear if self.stream else None
