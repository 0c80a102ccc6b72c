"""The graph of one question: survey → route → plan ⇄ look → verify → compose."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Awaitable, Callable
from typing import Protocol, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Checkpointer, Send

from vidagent import tracing
from vidagent.errors import BudgetSpent, ModelError
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.nodes.classify import route
from vidagent.graphs.nodes.compose import compose
from vidagent.graphs.nodes.look import look
from vidagent.graphs.nodes.plan import plan
from vidagent.graphs.nodes.refine import look_closer, refine
from vidagent.graphs.nodes.survey import survey
from vidagent.graphs.nodes.verify import verify
from vidagent.graphs.state import Call, Run, State, Update, question_of, refusal
from vidagent.types import Step

Graph = CompiledStateGraph[State, Run, State, State]
Work = Callable[[State, Run, StepMeter], Awaitable[Update]]


class _Node(Protocol):
    """A step as LangGraph calls it."""

    def __call__(self, state: State, runtime: Runtime[Run]) -> Awaitable[Update]:
        """Do the step."""


class _LookState(TypedDict):
    """What one look is given: its call, the calls so far, and the question for context."""

    question: str
    options: list[str] | None
    calls: list[Call]
    asked: list[Call]


def _step(name: Step, work: Work) -> _Node:
    """Wrap a step: its cost is entered, and a budget that ends inside it ends the run, not the program."""

    async def node(state: State, runtime: Runtime[Run]) -> Update:
        if state.get("ended_by"):
            return {}
        run = runtime.context
        meter = StepMeter(run.meter, name)
        with tracing.span(f"vidagent.{name}", when=tracing.is_traced()) as span:
            update = await _worked(name, work, state, run, meter)
            usage = dataclasses.asdict(meter.close())
            told = {f"vidagent.usage.{key}": value for key, value in usage.items() if key != "step"}
            span.set({"vidagent.step": name, "vidagent.ended_by": update.get("ended_by"), **told})
        return {**update, "spent": [usage], "elapsed_s": run.meter.elapsed_s}

    return node


async def _worked(name: Step, work: Work, state: State, run: Run, meter: StepMeter) -> Update:
    """Do a step; where a budget ends in it, return what is worth keeping."""
    try:
        async with asyncio.timeout(run.meter.left("seconds")):
            return await work(state, run, meter)
    except BudgetSpent as spent:
        return {**meter.kept, "ended_by": spent.name, "ended_in": name}
    except (TimeoutError, ModelError):
        if run.meter.left("seconds") != 0:
            raise
        return {**meter.kept, "ended_by": "seconds", "ended_in": name}


def _after_plan(state: State) -> str | list[Send]:
    if state.get("ended_by"):
        return "compose"
    if state["calls"]:
        return _looks(state, "look")
    return "verify" if state.get("draft") else "plan"


def _after_verify(state: State) -> str:
    if state.get("ended_by"):
        return "compose"
    return "refine" if state.get("draft") else "plan"


def _after_refine(state: State) -> str | list[Send]:
    return "compose" if state.get("ended_by") or not state["calls"] else _looks(state, "look_closer")


def _looks(state: State, node: str) -> list[Send]:
    """Send each look that is asked for on its way, side by side."""
    question, options, asked = question_of(state), state.get("options"), state.get("asked", [])
    return [
        Send(node, _LookState(question=question, options=options, calls=[call], asked=asked))
        for call in state["calls"]
    ]


def build(checkpointer: Checkpointer = None) -> Graph:
    """Compile the graph; with a checkpointer, each step is kept and a run can be resumed."""
    return _drawn().compile(checkpointer=checkpointer)


@functools.cache
def _drawn() -> StateGraph[State, Run, State, State]:
    """Draw the graph, once for all runs: LangGraph reads the source of every function in it."""
    graph = StateGraph(State, context_schema=Run)
    works: dict[Step, Work] = {
        "survey": survey,
        "route": route,
        "plan": plan,
        "look": look,
        "verify": verify,
        "compose": compose,
    }
    for name, work in works.items():
        graph.add_node(name, _step(name, work))
    graph.add_node("refine", refine)
    graph.add_node("look_closer", _step("look", look_closer))
    graph.add_edge(START, "survey")
    graph.add_edge("survey", "route")
    graph.add_edge("route", "plan")
    graph.add_conditional_edges("plan", _after_plan, ["look", "plan", "verify", "compose"])
    graph.add_edge("look", "plan")
    graph.add_conditional_edges("verify", _after_verify, ["plan", "refine", "compose"])
    graph.add_conditional_edges("refine", _after_refine, ["look_closer", "compose"])
    graph.add_edge("look_closer", "refine")
    graph.add_edge("compose", END)
    return graph


def reopen(state: State) -> tuple[Update, Step] | None:
    """Tell how a run that a budget ended goes on under a larger one.

    Returns:
        The changes to its state and the step to go on after; None if no budget ended it, or before it had begun.
    """
    ended_in, landing = state.get("ended_in"), state.get("landing")
    fresh: Update = {"ended_by": None, "ended_in": None, "landing": None, "calls": []}
    if ended_in in {"verify", "compose"} or (ended_in == "look" and state.get("draft")):
        return fresh, "plan" if ended_in == "verify" else "verify"
    if ended_in is None and landing is None:
        return None
    if state.get("draft"):
        fresh["history"] = [refusal(state["draft_call"], "the budget is larger now: look again, then answer")]
    fresh["draft"] = None
    return (fresh, "route" if "route" in state else "survey") if "facts" in state else None
