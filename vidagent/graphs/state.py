"""State of a run as checkpoints store it: JSON values and messages, never pixels."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from operator import add, or_
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from langchain_core.messages import AnyMessage, ToolMessage
from langchain_core.tools import StructuredTool

from vidagent.agents.client.client import ModelClient
from vidagent.agents.prompting.replies import Judged
from vidagent.graphs.budget import Meter
from vidagent.graphs.events import EventSource
from vidagent.images.store import FrameStore
from vidagent.summary import Length
from vidagent.tools import Caps, ToolContext, make_tools
from vidagent.tools.data_schema import Schema
from vidagent.types import Budget, BudgetName, Limit, Status, Step, Verdict
from vidagent.video.index.video_index import Index
from vidagent.video.video import Video

Update = dict[str, Any]
"""State changes of a step."""


def _first(current: Any, new: Any) -> Any:  # noqa: ANN401 - a reducer of several keys
    """Keep the first value when parallel looks run out together; None resets it."""
    return None if new is None else current or new


def _longest(current: float, new: float) -> float:
    """Keep the latest reading of the clock, or the longest chain of calls."""
    return max(current, new)


def _by_id(current: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add entries; one with the id of an earlier entry takes its place."""
    added = {entry["id"]: entry for entry in new}
    kept = [added.pop(entry["id"], entry) for entry in current]
    return [*kept, *added.values()]


EARLIER = -1
"""The turn number of calls made for earlier questions of the session."""


class Turn(TypedDict):
    """An earlier question about the same video, and its answer; `spans` are those of the answer as JSON."""

    question: str
    options: list[str] | None
    answer: str
    status: Status
    spans: list[dict[str, float]]


class Call(TypedDict):
    """One look to be done.

    `by` is the strategy that proposed it, absent if the planner requested it. `turn` is the last turn of the planner,
    or `EARLIER` if an earlier question of the session requested it.
    """

    by: NotRequired[str]
    turn: int
    id: str
    entry: str
    tool: str
    args: dict[str, Any]


class Verified(TypedDict):
    """A claim after its check.

    `part_s` is the start and the end of the part of the answer that it is a sentence of, `leaf` the JSON Pointer of the
    value of the data that it states, and `line` the words by which it was checked, if there were any.
    """

    claim: str
    verdict: Verdict
    why: str
    confidence: float
    time_s: float
    ref: str | None
    box_px: list[int] | None
    part_s: NotRequired[list[float]]
    leaf: NotRequired[str]
    line: NotRequired[str]


class Check(TypedDict):
    """A verdict that was given on a claim, and what it was judged by: `refs` of pictures, and spoken `words`."""

    claim: str
    refs: list[str]
    words: str
    verdict: Judged
    why: str
    confidence: float
    best_s: float | None


class Proposed(TypedDict):
    """Looks that a strategy proposed: its name and their ledger entries."""

    by: str
    entries: list[str]


class Unanswered(TypedDict):
    """What a look sent to the model, whose reply a budget cut off: how many frames, from when to when."""

    frames: int
    start_s: float
    end_s: float


Stage = Literal["searching", "drafted", "reviewed", "verified"]
"""Stage of a run: without a draft, or with one that is new, passed on to its check, or checked."""


class State(TypedDict, total=False):
    """State passed between the steps.

    `earlier` holds the turns of the conversation before the question. `route` is the question's classification: empty
    if it failed, absent until it was tried. `grids` are the pictures in which the overview's frames lie side
    by side, and `describing` tells that the model describes them beside the looks of this turn.
    `history` holds the planner's turns, of which the first `left_out` messages are no longer shown to it.
    `calls` are the looks to do now, `asked` all looks so far. `proposed` lists those that strategies proposed, of which
    the planner knows the first `reported`; `undone` says why a look of a strategy was not done, and `unanswered` what
    looks had sent when a budget ended them, by their entries; None where a
    later request was answered.
    `draft` is the planner's answer, `stage` its progress, and `draft_call` the id of the call that made it; while it
    waits for looks it is `on_hold` instead. It may be `sent_back` for its format, and gets `vetoes` from the
    verification, or once the wish for better frames, `unclear`; `checks` are all verdicts given on claims, `worded`
    those on the words of an answer. `doubts` counts how often it was sent back because looks contradict each other,
    `recounts` how often because it disagrees with the sweep's count.
    `refining` is what is known of the edges of its places. `landing` is the budget because of which the planner had to
    answer, `ended_by` what cut the run off, in the step `ended_in`.
    """

    question: str
    options: list[str] | None
    schema: Schema | None
    fingerprint: str
    budget: dict[str, float | int | None]
    earlier: list[Turn]
    facts: str
    grids: list[dict[str, Any]]
    route: dict[str, Any]
    history: Annotated[list[AnyMessage], add]
    left_out: int
    ledger: Annotated[list[dict[str, Any]], _by_id]
    spent: Annotated[list[dict[str, Any]], add]
    step: int
    describing: bool
    calls: list[Call]
    asked: Annotated[list[Call], add]
    proposed: Annotated[list[Proposed], add]
    reported: int
    undone: Annotated[dict[str, str], or_]
    unanswered: Annotated[dict[str, Unanswered | None], or_]
    draft_call: str
    draft: dict[str, Any] | None
    on_hold: dict[str, Any] | None
    stage: Stage
    verified: list[Verified]
    sent_back: int
    vetoes: int
    unclear: int
    checks: Annotated[list[Check], add]
    worded: Annotated[list[Check], add]
    doubts: int
    recounts: int
    refining: dict[str, Any]
    landing: Annotated[BudgetName | None, _first]
    ended_by: Annotated[Limit | None, _first]
    ended_in: Annotated[Step | None, _first]
    elapsed_s: Annotated[float, _longest]
    rounds: Annotated[int, _longest]


@dataclass(frozen=True)
class Run(EventSource):
    """Runtime objects of the steps, rebuilt when a run is resumed.

    Args:
        client: The model.
        video: The opened video.
        index: Its index.
        store: Stores the pictures of the run.
        caps: The model's limits.
        budget: The limits.
        meter: What is spent.
        length: How long a summary is wanted, if one is.
        schema: What the data of the answer follows, if data is wanted.
        decoding: Lock for decoding the video, which only one look can do at a time.
    """

    client: ModelClient
    video: Video
    index: Index
    store: FrameStore
    caps: Caps
    budget: Budget
    meter: Meter
    length: Length | None = None
    schema: Schema | None = None
    decoding: asyncio.Lock = field(default_factory=asyncio.Lock)

    @cached_property
    def tools(self) -> dict[str, StructuredTool]:
        """The tools as offered to the planner; each look makes its own, which take frames from its budget."""
        made = make_tools(self.desk(lambda frames: frames))
        return {name: tool for name, tool in made.items() if not self.client.profile.lacks(name)}

    def desk(self, grant: Callable[[int], int]) -> ToolContext:
        """Return the context that tools run in, taking frames from `grant`."""
        return ToolContext(self.video, self.index, self.store, self.caps, grant, self.schema)


def refusal(call_id: str, why: str, **more: object) -> ToolMessage:
    """Return the reply for the planner to a rejected call."""
    reply = json.dumps({"error": why, **more}, ensure_ascii=False)
    return ToolMessage(reply, tool_call_id=call_id, status="error")
