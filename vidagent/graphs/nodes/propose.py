"""Looks decided by code: before the planner's turn, before its draft is checked, and after the check.

Each stage has its strategies. The first one that proposes looks has them done by the `look` node, and is asked again
afterwards. If none does, the planner, the check or the answer is next.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from langchain_core.messages import BaseMessage, ToolMessage

from vidagent.agents.prompting.code_looks import looks_message
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Call, Proposed, Run, Stage, Update
from vidagent.graphs.strategies import BY_NAME, STRATEGIES
from vidagent.graphs.strategies.strategy import Proposal, Strategy


async def propose(progress: Progress, run: Run, meter: StepMeter) -> Update:
    """Ask this stage's strategies for looks; if there are none, continue with what comes next."""
    meter.partial = {"calls": []}
    stage, back = _stage(progress), _goes_back(progress)
    update: Update = {"calls": []}
    for strategy in _asked(progress, stage, back=back):
        proposal = await asyncio.to_thread(strategy.propose, progress, run)
        update |= proposal.update
        if proposal.looks:
            run.tell("step", proposal.line, "propose")
            hold: Update = {"draft": None, "on_hold": _draft(progress)} if stage == "drafted" else {}
            return {**update, **hold, **_request(progress, strategy, proposal)}
    if stage == "searching" or back:
        return {**update, **_to_planner(progress)}
    if stage == "drafted":
        update |= {"draft": _draft(progress), "on_hold": None, "stage": "reviewed"}
    return update


def unreported(progress: Progress) -> list[BaseMessage]:
    """Return what the planner has not seen yet: the looks that strategies proposed since its last turn."""
    entries, undone = {entry.id: entry for entry in progress.entries}, progress.state.get("undone", {})
    messages: list[BaseMessage] = []
    for proposed in progress.state.get("proposed", [])[progress.state.get("reported", 0) :]:
        reason = BY_NAME[proposed["by"]].reason
        if reason is not None:
            lines = [
                entries[name].for_planner(question=True)
                if name in entries
                else json.dumps({"id": name, "error": undone.get(name, "not done")}, ensure_ascii=False)
                for name in proposed["entries"]
            ]
            messages.append(looks_message(reason, lines))
    return messages


def _asked(progress: Progress, stage: Stage, *, back: bool) -> Sequence[Strategy]:
    """Return the strategies to ask; before a draft goes back, the one that holds it may go on."""
    if stage != "verified" and progress.state.get("landing"):
        return ()
    holder = BY_NAME[progress.state["proposed"][-1]["by"]] if back else None
    return STRATEGIES[stage] if holder is None else (holder,) if holder.returns_draft else ()


def _stage(progress: Progress) -> Stage:
    if progress.state.get("on_hold"):
        return "drafted"
    return progress.state.get("stage", "drafted") if progress.state.get("draft") else "searching"


def _draft(progress: Progress) -> dict[str, object] | None:
    return progress.state.get("on_hold") or progress.state.get("draft")


def _goes_back(progress: Progress) -> bool:
    """Tell whether a draft on hold goes back to the planner, always or because a look saw something."""
    if not progress.state.get("on_hold"):
        return False
    last = progress.state["proposed"][-1]
    seen = [entry.observation for entry in progress.entries if entry.id in last["entries"]]
    return BY_NAME[last["by"]].returns_draft or any(one is not None and one.found for one in seen)


def _to_planner(progress: Progress) -> Update:
    """Report to the planner the looks of strategies since its last turn, as the reply to a draft on hold if any."""
    history, proposed = unreported(progress), progress.state.get("proposed", [])
    if progress.state.get("on_hold"):
        looks = [name for one in proposed[progress.state.get("reported", 0) :] for name in one["entries"]]
        reply = json.dumps({"held": BY_NAME[proposed[-1]["by"]].hold, "looks": looks}, ensure_ascii=False)
        history.insert(0, ToolMessage(reply, tool_call_id=progress.state["draft_call"]))
    return {"calls": [], "draft": None, "on_hold": None, "history": history, "reported": len(proposed)}


def _request(progress: Progress, strategy: Strategy, proposal: Proposal) -> Update:
    calls = [
        Call(
            by=strategy.name,
            turn=progress.state.get("step", 0),
            id=f"{strategy.name}-{entry}",
            entry=entry,
            tool=look.tool,
            args=look.args,
        )
        for entry, look in zip(progress.next_entries(len(proposal.looks)), proposal.looks, strict=True)
    ]
    proposed = Proposed(by=strategy.name, entries=[call["entry"] for call in calls])
    return {"calls": calls, "asked": calls, "proposed": [proposed]}
