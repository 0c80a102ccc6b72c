"""What the planner may not do: look twice at the same thing, mix looking with answering, or call the unknown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import AIMessage, ToolMessage

from vidagent.graphs.ledger import Entry
from vidagent.graphs.state import Call

__all__ = ["Turn", "read_turn"]

_MOST_CALLS = 6
_WORDING = ("question", "query")


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the planner, sorted.

    Args:
        calls: Looks to do.
        refused: Replies to calls that are not done.
        answer: Id and arguments of the answer, or None.
    """

    calls: tuple[Call, ...]
    refused: tuple[ToolMessage, ...]
    answer: tuple[str, dict[str, object]] | None


def read_turn(message: AIMessage, asked: Sequence[Call], entries: Sequence[Entry]) -> Turn:
    """Sort the calls of a turn.

    Args:
        message: The planner's message.
        asked: All looks asked for so far, in order.
        entries: The ledger.
    """
    known = {_key(call["tool"], call["args"]): call["entry"] for call in asked}
    by_id = {entry.id: entry for entry in entries}
    calls: list[Call] = []
    refused: list[ToolMessage] = []
    answer = None
    for tool_call in message.tool_calls:
        name, args, call_id = tool_call["name"], tool_call["args"], str(tool_call["id"])
        earlier = known.get(_key(name, args))
        if name == "answer":
            answer = (call_id, args)
        elif earlier is not None:
            refused.append(_repeat(call_id, earlier, by_id.get(earlier)))
        elif len(calls) == _MOST_CALLS:
            refused.append(_refusal(call_id, f"at most {_MOST_CALLS} looks a turn; ask for this one again"))
        else:
            entry_id = f"L{len(asked) + len(calls) + 1}"
            calls.append(Call(id=call_id, entry=entry_id, tool=name, args=args))
            known[_key(name, args)] = entry_id
    if answer is not None and calls:
        refused.append(_refusal(answer[0], "read the looks asked for in the same turn first, then answer"))
        answer = None
    return Turn(tuple(calls), tuple(refused), answer)


def _key(tool: str, args: dict[str, object]) -> str:
    """Name a look by what it looks at, whatever the wording of its question."""
    wording = () if tool == "search" else _WORDING
    same = {name: _rounded(value) for name, value in args.items() if name not in wording}
    question = " ".join(str(args.get("question", "")).casefold().split())
    return json.dumps([tool, same, question], sort_keys=True, default=str)


def _rounded(value: object) -> object:
    return round(float(value), 2) if isinstance(value, int | float) else value


def _repeat(call_id: str, entry_id: str, entry: Entry | None) -> ToolMessage:
    known = entry.for_planner() if entry else "its result stands above"
    return _refusal(call_id, f"this repeats {entry_id}; known already: {known}")


def _refusal(call_id: str, why: str) -> ToolMessage:
    return ToolMessage(json.dumps({"error": why}, ensure_ascii=False), tool_call_id=call_id, status="error")
