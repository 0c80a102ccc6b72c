"""The state of a run, as checkpoints keep it: JSON values and messages, never pixels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import add
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage

from vidagent.agents.client import ModelClient
from vidagent.graphs.budget import Meter
from vidagent.graphs.events import Event, Kind, Listener
from vidagent.images.store import FrameStore
from vidagent.tools import Caps, Desk
from vidagent.types import Budget, Step, Verdict
from vidagent.video.index import Index
from vidagent.video.video import Video

__all__ = ["Call", "Run", "State", "Verified"]


def _first(kept: str | None, new: str | None) -> str | None:
    """Keep the budget that ended the run first, when looks side by side run out together."""
    return kept or new


def _longest(kept: float, new: float) -> float:
    """Keep the latest reading of the clock."""
    return max(kept, new)


class Call(TypedDict):
    """One tool call of the planner, on its way to be done."""

    id: str
    entry: str
    tool: str
    args: dict[str, Any]


class Verified(TypedDict):
    """A claim after its check."""

    claim: str
    verdict: Verdict
    why: str
    confidence: float
    time_s: float
    ref: str | None
    box_px: list[int] | None


class State(TypedDict, total=False):
    """What the steps hand to each other."""

    question: str
    options: list[str] | None
    video_sha256: str
    facts: str
    overview: list[dict[str, Any]]
    history: Annotated[list[AnyMessage], add]
    ledger: Annotated[list[dict[str, Any]], add]
    spent: Annotated[list[dict[str, Any]], add]
    step: int
    calls: list[Call]
    asked: Annotated[list[Call], add]
    draft_call: str
    draft: dict[str, Any] | None
    verified: list[Verified]
    vetoes: int
    ended_by: Annotated[str | None, _first]
    composed: dict[str, Any]
    elapsed_s: Annotated[float, _longest]


@dataclass(frozen=True)
class Run:
    """What the steps work with; it is made anew when a run is resumed.

    Args:
        client: The model.
        video: The opened video.
        index: Its index.
        store: Keeps the pictures of the run.
        caps: What the model can take.
        budget: The limits.
        meter: What is spent.
        emit: Takes events.
        decoding: Held while the video is decoded, which only one look can do at a time.
    """

    client: ModelClient
    video: Video
    index: Index
    store: FrameStore
    caps: Caps
    budget: Budget
    meter: Meter
    emit: Listener
    decoding: asyncio.Lock = field(default_factory=asyncio.Lock)

    def desk(self, grant: Callable[[int], int]) -> Desk:
        """Return what the tools work over, taking frames from `grant`."""
        return Desk(self.video, self.index, self.store, self.caps, grant)

    def tell(self, kind: Kind, text: str, step: Step | None = None, **data: object) -> None:
        """Send an event."""
        self.emit(Event(kind, text, step, data))
