"""Graph of a question about several videos: turn → each ⟲ → combine.

`turn` rewords the question so that each video can be asked alone; `each` answers it for one video with the
single-video graph (`ask.py`), with its own record, index and clock; `combine` combines the answers.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import add, or_
from typing import Annotated, Any, Protocol, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Checkpointer

from vidagent.agents.client.client import ModelClient, ReplyError
from vidagent.agents.prompting.multi_video import Single, turn_messages
from vidagent.errors import BudgetSpent
from vidagent.graphs.budget import Meter, StepMeter, within_budget
from vidagent.graphs.events import EventSource
from vidagent.graphs.multi_video.budget_split import share_of, steps_in
from vidagent.graphs.multi_video.combine import combine_answers, parts_of, rule_based_answer
from vidagent.graphs.state import Update
from vidagent.types import Budget, Limit, Step

_PLAIN = re.compile(
    r"(?:when|where|what|who|how long|how often|does|do|did|is|are|was|were|can|has|have)\b", re.I
)
_SEVERAL = re.compile(
    r"\b(?:which|these|those|they|them|their|both|either|neither|each|every|all|any|none|one|two|three|several|"
    r"videos|clips|films|movies|recordings|files|others?|another|same|differ\w*|compar\w*|first|last|earli\w*|"
    r"lat\w*|more|most|less|least|than|longer|longest|shorter|shortest)\b",
    re.I,
)
"""Words that may refer to the videos as a set; a question without one is asked of each video unchanged."""


class Part(TypedDict):
    """Result for one video: the JSON object of its answer; `open` if a larger budget lets it continue."""

    answer: dict[str, Any]
    open: bool


class GroupState(TypedDict, total=False):
    """State passed between the steps; `parts` are keyed by the number of the video, from "1".

    `rounds` is the chain of the calls about all videos, without those about a single one.
    """

    question: str
    options: list[str] | None
    videos: list[str]
    budget: dict[str, float | int | None]
    single: dict[str, Any]
    parts: Annotated[dict[str, Part], or_]
    spent: Annotated[list[dict[str, Any]], add]
    elapsed_s: float
    rounds: int
    ended_by: Limit | None
    together: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Earlier:
    """Steps and seconds of a run about one video before it was stopped."""

    steps: Sequence[Mapping[str, Any]] = ()
    seconds: float = 0.0


class VideoAsker(Protocol):
    """Interface for asking one video."""

    async def earlier(self, number: int) -> Earlier:
        """Return the steps and seconds of its run before it was stopped."""

    async def ask(self, number: int, question: str, budget: Budget) -> dict[str, Any]:
        """Ask it and return the JSON object of the answer.

        Raises:
            BudgetSpent: If no time was left for it.
        """


@dataclass(frozen=True)
class Group(EventSource):
    """Runtime objects of the steps, rebuilt when a run is resumed.

    Args:
        client: The model.
        names: Names of the videos.
        meter: Spending against the shared budget.
        videos: Asks one of them.
    """

    client: ModelClient
    names: tuple[str, ...]
    meter: Meter
    videos: VideoAsker


GroupGraph = CompiledStateGraph[GroupState, Group, GroupState, GroupState]
Work = Callable[[GroupState, Group, StepMeter], Awaitable[Update]]


class _Node(Protocol):
    """A node as LangGraph calls it."""

    def __call__(self, state: GroupState, runtime: Runtime[Group]) -> Awaitable[Update]:
        """Run the step."""


def build(checkpointer: Checkpointer = None) -> GroupGraph:
    """Compile the graph; with a checkpointer, each finished video is saved and a run can be resumed."""
    graph = StateGraph(GroupState, context_schema=Group)
    graph.add_node("turn", _step("route", _turn))
    graph.add_node("each", _each)
    graph.add_node("combine", _step("compose", _combine))
    graph.add_edge(START, "turn")
    graph.add_conditional_edges("turn", _next, ["each", "combine"])
    graph.add_conditional_edges("each", _next, ["each", "combine"])
    graph.add_edge("combine", END)
    return graph.compile(checkpointer=checkpointer)


def first_state(
    question: str, options: Sequence[str] | None, videos: Sequence[str], budget: Budget
) -> GroupState:
    """Return the initial state of a run; `videos` are their fingerprints."""
    return GroupState(
        question=question,
        options=None if options is None else list(options),
        videos=list(videos),
        budget=budget.to_dict(),
        parts={},
        spent=[],
        ended_by=None,
    )


def reopened(state: GroupState, budget: Budget) -> tuple[Update, str] | None:
    """Return how to continue, under another budget, a run that a budget ended: changes, and step to continue after."""
    cut = {
        name: part for name, part in state.get("parts", {}).items() if part["answer"]["status"] == "partial"
    }
    if state["budget"] == budget.to_dict() or not (state.get("ended_by") or cut):
        return None
    fresh: Update = {"budget": budget.to_dict(), "ended_by": None, "together": None}
    if "single" not in state:
        return fresh, START
    return {
        **fresh,
        "parts": {name: Part(answer=part["answer"], open=True) for name, part in cut.items()},
    }, "turn"


def restore_meter(meter: Meter, state: GroupState, began: float) -> None:
    """Restore what a run has cost so far, and the clock of this part of it."""
    done = [step for part in state.get("parts", {}).values() if not part["open"] for step in _steps(part)]
    meter.resume(state, began)
    meter.count(done)


def _step(name: Step, work: Work) -> _Node:
    """Wrap a model call: record its cost, and end the search when a budget ends in it."""

    async def node(state: GroupState, runtime: Runtime[Group]) -> Update:
        group = runtime.context
        meter = StepMeter(group.meter, name)
        update = await within_budget(work(state, group, meter), meter)
        usage = meter.close()
        spent_now = [dataclasses.asdict(usage)] if usage.model_calls else []
        return {**update, "spent": spent_now, **group.meter.clock}

    return node


def _next(state: GroupState) -> str:
    return "combine" if state.get("ended_by") or not _waiting(state) else "each"


def _waiting(state: GroupState) -> list[int]:
    """Return the numbers of the videos not yet asked."""
    parts = state.get("parts", {})
    numbers = range(1, len(state["videos"]) + 1)
    return [number for number in numbers if str(number) not in parts or parts[str(number)]["open"]]


async def _turn(state: GroupState, group: Group, meter: StepMeter) -> Update:
    """Reword the question for a single video; none is needed for one that fits each as it stands."""
    question, options = state["question"], state.get("options")
    as_it_is = Single(question=question)
    if options is None and _PLAIN.match(question.strip()) and not _SEVERAL.search(question):
        return {"single": as_it_is.model_dump(mode="json")}
    group.tell("step", "reading the question", "route")
    try:
        messages = turn_messages(question, options, group.names)
        single = await group.client.ask(
            "route", messages, Single, meter, on_stream=group.thought_listener("route")
        )
    except ReplyError as error:
        group.tell("note", f"each video is asked the question as it stands: {error}", "route")
        single = as_it_is
    reworded = " ".join(single.question.split()) or question
    group.tell("step", f"each video is asked: {reworded}", "route", question=reworded, goal=single.goal)
    return {"single": {"question": reworded, "goal": single.goal}}


async def _each(state: GroupState, runtime: Runtime[Group]) -> Update:
    """Answer the question for the next video, within its share of what is left."""
    group, waiting = runtime.context, _waiting(state)
    number, parts = waiting[0], state.get("parts", {})
    earlier = await group.videos.earlier(number)
    taken = [step for part in parts.values() if not part["open"] for step in _steps(part)]
    group.meter.count(earlier.steps)
    try:
        steps = steps_in([*taken, *earlier.steps])
        share = share_of(group.meter, steps, len(waiting), earlier.steps, earlier.seconds)
        answer = await group.videos.ask(number, state["single"]["question"], share)
    except BudgetSpent as spent:
        return {"ended_by": spent.name, "elapsed_s": group.meter.elapsed_s}
    group.meter.count(answer["usage"]["by_step"][len(earlier.steps) :])
    return {"parts": {str(number): Part(answer=answer, open=False)}, "elapsed_s": group.meter.elapsed_s}


def _steps(part: Part) -> Sequence[Mapping[str, Any]]:
    steps: Sequence[Mapping[str, Any]] = part["answer"]["usage"]["by_step"]
    return steps


async def _combine(state: GroupState, group: Group, meter: StepMeter) -> Update:
    """Combine the answers; after the deadline without the model, as a replay has no clock to stop it."""
    goal = state.get("single", {}).get("goal", "each")
    parts = parts_of(group.names, {name: part["answer"] for name, part in state.get("parts", {}).items()})
    if "seconds" in {state.get("ended_by"), *(part.ended_by for part in parts)}:
        return {"together": rule_based_answer(goal, parts)}
    question, options = state["question"], state.get("options")
    return {"together": await combine_answers(group.client, meter, question, options, goal, parts, group)}
