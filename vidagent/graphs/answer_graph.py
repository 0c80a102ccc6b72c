"""The graph of one question: survey, route, then plan, look and propose in turns, verify, compose."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Checkpointer, Send

from vidagent import tracing
from vidagent.graphs.budget import StepMeter, within_budget
from vidagent.graphs.nodes.classify import route
from vidagent.graphs.nodes.compose import compose
from vidagent.graphs.nodes.describe import describe
from vidagent.graphs.nodes.look import look
from vidagent.graphs.nodes.plan import plan
from vidagent.graphs.nodes.propose import propose
from vidagent.graphs.nodes.survey import OVERVIEW, survey
from vidagent.graphs.nodes.verify import verify
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import EARLIER, Run, State, Update, refusal
from vidagent.graphs.strategies import STRATEGIES
from vidagent.types import Step

_LABELS: dict[Step, dict[str, Any]] = {
    "propose": {stage: [one.name for one in asked] for stage, asked in STRATEGIES.items() if asked}
}
"""Strategies of each stage, shown in the drawing of the graph."""

Graph = CompiledStateGraph[State, Run, State, State]
Work = Callable[[Progress, Run, StepMeter], Awaitable[Update]]


class _Node(Protocol):
    """A node as LangGraph calls it."""

    def __call__(self, state: State, runtime: Runtime[Run]) -> Awaitable[Update]:
        """Run the step."""


def _step(name: Step, work: Work) -> _Node:
    """Wrap a step: record its cost, and end the run, not the program, when a budget ends inside it."""

    async def node(state: State, runtime: Runtime[Run]) -> Update:
        if state.get("ended_by"):
            return {}
        run = runtime.context
        meter = StepMeter(run.meter, name)
        with tracing.span(f"vidagent.{name}", when=tracing.is_traced()) as span:
            update = await within_budget(work(Progress(state), run, meter), meter)
            idle = name == "propose" and not update.get("calls")
            if idle:  # without looks of its own, the next step is the one that meets the deadline
                update.pop("ended_by", None)
            elif update.get("ended_by"):
                update["ended_in"] = name
            usage = dataclasses.asdict(meter.close())
            attributes = {f"vidagent.usage.{key}": value for key, value in usage.items() if key != "step"}
            span.set({"vidagent.step": name, "vidagent.ended_by": update.get("ended_by"), **attributes})
        return {**update, "spent": [] if idle else [usage], **run.meter.clock}

    return node


def _after_plan(state: State) -> str | list[Send]:
    if state.get("ended_by") or not state["calls"]:
        return "propose"
    overview = [entry for entry in state.get("ledger", []) if entry["id"] == OVERVIEW]
    described = State(ledger=overview, grids=state.get("grids", []))
    return [*_looks(state), *([Send("describe", described)] if state.get("describing") else [])]


def _after_propose(state: State) -> str | list[Send]:
    if state.get("ended_by"):
        return "compose"
    if state["calls"]:
        return _looks(state)
    if not state.get("draft"):
        return "plan"
    return "compose" if state.get("stage") == "verified" else "verify"


def _looks(state: State) -> list[Send]:
    """Dispatch each look in parallel, with the state it needs: of the ledger, the looks for earlier questions."""
    question, options, asked = Progress(state).question, state.get("options"), state.get("asked", [])
    names = {call["entry"] for call in asked if call["turn"] == EARLIER}
    earlier = [entry for entry in state.get("ledger", []) if entry["id"] in names]
    return [
        Send("look", State(question=question, options=options, calls=[call], asked=asked, ledger=earlier))
        for call in state["calls"]
    ]


def build(checkpointer: Checkpointer = None) -> Graph:
    """Compile the graph; with a checkpointer, each step is saved and a run can be resumed."""
    return _definition().compile(checkpointer=checkpointer)


@functools.cache
def _definition() -> StateGraph[State, Run, State, State]:
    """Define the graph once for all runs: LangGraph reads the source of every function in it."""
    graph = StateGraph(State, context_schema=Run)
    works: dict[Step, Work] = {
        "survey": survey,
        "route": route,
        "propose": propose,
        "plan": plan,
        "look": look,
        "verify": verify,
        "compose": compose,
    }
    for name, work in works.items():
        graph.add_node(name, _step(name, work), metadata=_LABELS.get(name))
    graph.add_node("describe", _step("survey", describe))
    graph.add_edge(START, "survey")
    graph.add_edge("survey", "route")
    graph.add_edge("route", "propose")
    graph.add_conditional_edges("propose", _after_propose, ["look", "plan", "verify", "compose"])
    graph.add_conditional_edges("plan", _after_plan, ["look", "describe", "propose"])
    graph.add_edge("look", "propose")
    graph.add_edge("describe", "propose")
    graph.add_edge("verify", "propose")
    graph.add_edge("compose", END)
    return graph


def reopen(state: State) -> tuple[Update, Step] | None:
    """Return how to continue, under a larger budget, a run that a budget ended.

    Returns:
        The state changes and the step to continue after; None if no budget ended it, or it had not begun.
    """
    ended_in, landing = state.get("ended_in"), state.get("landing")
    fresh: Update = {"ended_by": None, "ended_in": None, "landing": None, "calls": []}
    if ended_in is not None and state.get("draft"):
        return fresh, "route"
    if ended_in is None and landing is None:
        return None
    if state.get("draft"):
        fresh["history"] = [refusal(state["draft_call"], "the budget is larger now: look again, then answer")]
    fresh["draft"] = None
    return (fresh, "route" if "route" in state else "survey") if "facts" in state else None
