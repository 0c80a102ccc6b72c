"""The graph of one question: survey → plan ⇄ look → verify → compose."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypedDict

from langchain_core.messages import ToolMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Checkpointer, Send

from vidagent.agents.messages import compose_messages, plan_messages
from vidagent.agents.replies import Composition
from vidagent.errors import BudgetSpent, ModelError, ToolError
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.guards import read_turn
from vidagent.graphs.ledger import Entry, summary
from vidagent.graphs.looking import read_draft, shown, take_look
from vidagent.graphs.state import Call, Run, State
from vidagent.graphs.surveying import describe
from vidagent.graphs.verifying import check_claim
from vidagent.images.still import Still
from vidagent.tools import make_tools
from vidagent.tools.answer import Draft
from vidagent.tools.overview import look_over
from vidagent.types import Step

__all__ = ["build"]

MAX_STEPS = 40
MAX_VETOES = 2

Update = dict[str, Any]
Work = Callable[[State, Run, StepMeter], Awaitable[Update]]


class _Node(Protocol):
    """A step as LangGraph calls it."""

    def __call__(self, state: State, runtime: Runtime[Run]) -> Awaitable[Update]:
        """Do the step."""


class _LookState(TypedDict):
    """What one look is given: its call, and the question for context."""

    question: str
    options: list[str] | None
    calls: list[Call]


def _step(name: Step, work: Work) -> _Node:
    """Wrap a step: its cost is entered, and a budget that ends inside it ends the run, not the program."""

    async def node(state: State, runtime: Runtime[Run]) -> Update:
        if name == "plan" and state.get("ended_by"):
            return {}
        run = runtime.context
        meter = StepMeter(run.meter, name)
        ended: Update = {}
        try:
            async with asyncio.timeout(run.meter.left("seconds")):
                done = await work(state, run, meter)
        except BudgetSpent as spent:
            done, ended = _unfinished(state, name, spent.name), {"ended_by": spent.name}
        except (TimeoutError, ModelError):
            if run.meter.left("seconds") != 0:
                raise
            done, ended = _unfinished(state, name, "seconds"), {"ended_by": "seconds"}
        usage = dataclasses.asdict(meter.close())
        return {**done, **ended, "spent": [usage], "elapsed_s": run.meter.elapsed_s}

    return node


def _unfinished(state: State, name: Step, budget: str) -> Update:
    """Leave the history whole: a look that was not done still has its reply."""
    if name != "look":
        return {}
    return {"history": [_reply(state["calls"][0], {"error": f"the {budget} budget is spent"}, failed=True)]}


def _reply(call: Call, content: object, *, failed: bool = False) -> ToolMessage:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return ToolMessage(text, tool_call_id=call["id"], status="error" if failed else "success")


def _ledger(state: State) -> list[Entry]:
    return [Entry.from_dict(entry) for entry in state.get("ledger", [])]


async def _survey(state: State, run: Run, meter: StepMeter) -> Update:
    run.tell("step", "surveying the video", "survey")
    facts = await asyncio.to_thread(describe, run)
    stills: tuple[Still, ...] = ()
    if run.client.profile.plan_sees_overview:
        look = await asyncio.to_thread(look_over, run.desk(lambda wanted: wanted), "")
        stills = look.stills
    meter.decoded(run.video.frames_decoded)
    return {"facts": facts, "overview": [still.to_dict() for still in stills]}


async def _plan(state: State, run: Run, meter: StepMeter) -> Update:
    step = state.get("step", 0) + 1
    limit = run.budget.steps
    if step > (limit or MAX_STEPS):
        raise BudgetSpent("steps")
    run.tell("step", f"planning, step {step}{f' of {limit}' if limit else ''}", "plan", number=step)
    entries = _ledger(state)
    overview = [Still.from_dict(still) for still in state.get("overview", [])]
    messages = plan_messages(
        state["question"],
        state.get("options"),
        state["facts"],
        shown(run, overview),
        summary(entries),
        step,
        limit,
        state.get("history", []),
    )
    must_call = "answer" if step == (limit or MAX_STEPS) else None
    tools = list(make_tools(run.desk(lambda wanted: wanted)).values())
    meter.grant(len(overview))
    message = await run.client.plan(messages, tools, meter, must_call=must_call)
    turn = read_turn(message, state.get("asked", []), entries)
    update: Update = {"step": step, "calls": list(turn.calls), "asked": list(turn.calls), "draft": None}
    replies = list(turn.refused)
    if turn.answer is not None:
        call_id, args = turn.answer
        try:
            draft = await asyncio.to_thread(read_draft, run, args)
            update |= {"draft": draft.model_dump(mode="json"), "draft_call": call_id}
        except ToolError as error:
            replies.append(
                ToolMessage(json.dumps({"error": str(error)}), tool_call_id=call_id, status="error")
            )
    return {**update, "history": [message, *replies]}


async def _look(state: State, run: Run, meter: StepMeter) -> Update:
    call = state["calls"][0]
    try:
        entry = await take_look(run, call, state["question"], state.get("options"), meter)
    except ToolError as error:
        run.tell("note", f"{call['tool']}: {error}", "look")
        return {"history": [_reply(call, {"error": str(error)}, failed=True)]}
    seen = entry.observation
    if seen is not None:
        run.tell("observation", seen.what, "look", id=entry.id, found=seen.found, confidence=seen.confidence)
    return {
        "history": [_reply(call, entry.for_planner())],
        "ledger": [entry.to_dict()],
    }


async def _verify(state: State, run: Run, meter: StepMeter) -> Update:
    draft = Draft.model_validate(state["draft"])
    run.tell("step", f"verifying {len(draft.claims)} claims", "verify")
    entries = _ledger(state)
    verified = [await check_claim(run, claim, state["question"], entries, meter) for claim in draft.claims]
    refused = [item for item in verified if item["verdict"] == "unsupported"]
    vetoes = state.get("vetoes", 0)
    if not refused or vetoes == MAX_VETOES:
        return {"verified": verified}
    told = {
        "error": "these claims are not supported by their frames; look again, then answer",
        "claims": [{"claim": item["claim"], "why": item["why"]} for item in refused],
    }
    reply = ToolMessage(
        json.dumps(told, ensure_ascii=False), tool_call_id=state["draft_call"], status="error"
    )
    return {"verified": verified, "vetoes": vetoes + 1, "draft": None, "history": [reply]}


async def _compose(state: State, run: Run, meter: StepMeter) -> Update:
    if state.get("ended_by") or not _supported(state):
        return {}
    run.tell("step", "composing the answer", "compose")
    draft = Draft.model_validate(state["draft"])
    claims = "\n".join(
        f"- [{item['verdict']}] at {item['time_s']:.3f} s: {item['claim']}" for item in state["verified"]
    )
    status = f"answered. The planner's draft: {draft.answer}"
    messages = compose_messages(state["question"], state.get("options"), claims, status)
    composed = await run.client.ask("compose", messages, Composition, meter)
    return {"composed": composed.model_dump(mode="json")}


def _supported(state: State) -> bool:
    return bool(state.get("draft")) and any(
        item["verdict"] != "unsupported" for item in state.get("verified", [])
    )


def _after_plan(state: State) -> str | list[Send]:
    if state.get("ended_by"):
        return "compose"
    if state["calls"]:
        question, options = state["question"], state.get("options")
        return [
            Send("look", _LookState(question=question, options=options, calls=[call]))
            for call in state["calls"]
        ]
    return "verify" if state.get("draft") else "plan"


def _after_verify(state: State) -> str:
    return "compose" if state.get("ended_by") or state.get("draft") else "plan"


def build(checkpointer: Checkpointer = None) -> CompiledStateGraph[State, Run, State, State]:
    """Compile the graph; with a checkpointer, each step is kept and a run can be resumed."""
    graph = StateGraph(State, context_schema=Run)
    works: dict[Step, Work] = {
        "survey": _survey,
        "plan": _plan,
        "look": _look,
        "verify": _verify,
        "compose": _compose,
    }
    for name, work in works.items():
        graph.add_node(name, _step(name, work))
    graph.add_edge(START, "survey")
    graph.add_edge("survey", "plan")
    graph.add_conditional_edges("plan", _after_plan, ["look", "plan", "verify", "compose"])
    graph.add_edge("look", "plan")
    graph.add_conditional_edges("verify", _after_verify, ["plan", "compose"])
    graph.add_edge("compose", END)
    return graph.compile(checkpointer=checkpointer)
