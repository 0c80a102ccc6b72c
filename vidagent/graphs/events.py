"""Progress events of a run, each with one line of text."""

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

    Thoughts come as the model writes them. The words of the answer come in a `token` when they are checked; a run that
    found nothing, or that a budget ended, has none. Only `answer` is final.

    Args:
        kind: `model` which model answers; `progress` of a long step, with `data["fraction"]`; `step` a step begins;
            `look` a tool shows frames; `observation` what was seen; `claim` and `verdict` of the verification;
            `note` a warning; `saved` a requested file, with `data["path"]`; `answer` the end, with
            `data["status"]` and the whole `Answer` as a dict in `data["answer"]`. With several videos, `video` says
            which one is being looked at, and when it ends carries its result in `data["status"]` and `data["answer"]`;
            all events of a video carry its index in `data["video"]`. Only in a streaming run: `thought` and `token`,
            words of a thought and of the answer.
        text: One line of text; for `thought` and `token`, the raw words, with spaces and line breaks.
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
        emit: Receives events.
        stream: Whether to stream the model's words as events.
    """

    emit: Listener
    stream: bool = False

    def tell(self, kind: Kind, text: str, step: Step | None = None, **data: object) -> None:
        """Send an event."""
        self.emit(Event(kind, text, step, data))

    def thought_listener(self, step: Step) -> OnStream | None:
        """Return a listener that turns the model's thoughts in a step into events; None in a run without streaming."""

        def on_words(kind: StreamKind, words: str) -> None:
            if kind == "thought":
                self.tell("thought", words, step)

        return on_words if self.stream else None
