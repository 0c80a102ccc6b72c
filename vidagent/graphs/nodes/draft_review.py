"""A draft that is held back while code looks where it has to have been looked, and what becomes of it then.

The looks are calls like the planner's, put into its history as if it had asked for them, so that ledger, records and
resumption know no difference.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from vidagent.graphs.state import Call, Held, Run, State, Update, Why, entries_of
from vidagent.graphs.strategies.adjacent import looks_beside
from vidagent.graphs.strategies.gaps import MAX_ROUNDS, Wanted, denies, looks_at_gaps
from vidagent.tools.answer import Draft

_GAPS = "before it is passed on, code looks where no frame was looked at yet"
_BESIDE = "before it is accepted, code looks beside the event that the question names; see what is there, then answer"


def held_back(state: State, run: Run, draft: Draft, call_id: str) -> Update | None:
    """Return the looks that a draft of the planner has to wait for, and the reply to it; None if it may pass.

    Args:
        state: The state, with the planner's turn in it.
        run: The run.
        draft: The draft.
        call_id: The call that made it.
    """
    if run.client.profile.lacks("shapes"):
        return None
    why, wanted = _missing(state, run, draft)
    if not wanted:
        return None
    update = _asked(state, run, wanted)
    looks = [call["entry"] for call in update["calls"]]
    held = Held(
        draft=draft.model_dump(mode="json"),
        looks=looks,
        why=why,
        rounds=_rounds(state) + (why == "gaps"),
        beside=why == "beside" or _beside(state),
    )
    said = _GAPS if why == "gaps" else _BESIDE
    told = json.dumps({"held": said, "looks": looks}, ensure_ascii=False)
    history: list[BaseMessage] = [ToolMessage(told, tool_call_id=call_id), *update["history"]]
    return {**update, "history": history, "held": held, "draft": None}


def settled(state: State, run: Run) -> Update | None:
    """Return what becomes of a held draft: more looks, or it stands; None where it is the planner's turn.

    It is, where a look saw something, or where the planner is to see what is beside an event.
    """
    held = state.get("held")
    if not held or held["looks"] == [] or held["why"] == "beside":
        return None
    seen = [entry.observation for entry in entries_of(state) if entry.id in held["looks"]]
    if any(one is not None and one.found for one in seen):
        return None
    wanted = [] if state.get("landing") or held["rounds"] >= MAX_ROUNDS else looks_at_gaps(state, run)
    if wanted:
        update = _asked(state, run, wanted)
        looks = [call["entry"] for call in update["calls"]]
        more: Held = {**held, "looks": looks, "rounds": held["rounds"] + 1}
        return {**update, "held": more, "draft": None}
    call_id = f"held{len(state.get('asked', [])):04d}"
    said = AIMessage("", tool_calls=[{"name": "answer", "args": held["draft"], "id": call_id}])
    over: Held = {**held, "looks": []}
    return {"calls": [], "draft": held["draft"], "draft_call": call_id, "held": over, "history": [said]}


def _missing(state: State, run: Run, draft: Draft) -> tuple[Why, list[Wanted]]:
    """Return the looks that a draft lacks, beside an event at most once."""
    beside = [] if _beside(state) else looks_beside(state, run, draft)
    if beside or not denies(draft, state) or _rounds(state) >= MAX_ROUNDS:
        return "beside", beside
    return "gaps", looks_at_gaps(state, run)


def _beside(state: State) -> bool:
    held = state.get("held")
    return bool(held and held["beside"])


def _rounds(state: State) -> int:
    held = state.get("held")
    return held["rounds"] if held else 0


def _asked(state: State, run: Run, wanted: Sequence[Wanted]) -> Update:
    """Return these looks as a turn of the planner."""
    asked = len(state.get("asked", []))
    calls = [
        Call(turn=state.get("step", 0), id=f"own{number:04d}", entry=f"L{number}", tool=tool, args=args)
        for number, (tool, args) in enumerate(wanted, asked + 1)
    ]
    said = [{"name": call["tool"], "args": call["args"], "id": call["id"]} for call in calls]
    run.tell("step", f"looking where it was not looked yet, before the answer: {len(calls)} looks", "plan")
    return {"calls": calls, "asked": calls, "history": [AIMessage("", tool_calls=said)]}
