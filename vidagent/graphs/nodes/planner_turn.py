"""Reject invalid calls of the planner: repeated looks, looking and answering in one turn, unknown tools."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from langchain_core.messages import AIMessage, ToolMessage

from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.state import Call, refusal
from vidagent.video.clock import parse_time

_WORDING = ("question", "query")


@dataclass(frozen=True, slots=True)
class Turn:
    """The sorted calls of one planner turn.

    Args:
        calls: Looks to do.
        refused: Replies to rejected calls.
        answer: Id and arguments of the answer, or None.
    """

    calls: tuple[Call, ...]
    refused: tuple[ToolMessage, ...]
    answer: tuple[str, dict[str, object]] | None


def read_turn(
    message: AIMessage, turn: int, asked: Sequence[Call], entries: Sequence[Entry], most: int
) -> Turn:
    """Sort the calls of a turn.

    Args:
        message: The planner's message.
        turn: Its number.
        asked: All looks requested so far, in order.
        entries: The ledger.
        most: Looks allowed in this turn.
    """
    by_id = {entry.id: entry for entry in entries}
    known = {_key(call["tool"], call["args"]): call["entry"] for call in asked if call["entry"] in by_id}
    calls: list[Call] = []
    refused: list[ToolMessage] = []
    answer = None
    for tool_call in message.tool_calls:
        name, args, call_id = tool_call["name"], tool_call["args"], str(tool_call["id"])
        earlier = known.get(_key(name, args))
        if name == "answer" and answer is not None:
            refused.append(refusal(call_id, "give one answer only"))
        elif name == "answer":
            answer = (call_id, args)
        elif earlier is not None:
            refused.append(_repeat(call_id, earlier, by_id.get(earlier)))
        elif len(calls) == most:
            refused.append(refusal(call_id, f"at most {most} looks in this turn; ask for this one again"))
        else:
            entry_id = f"L{len(asked) + len(calls) + 1}"
            calls.append(Call(turn=turn, id=call_id, entry=entry_id, tool=name, args=args))
            known[_key(name, args)] = entry_id
    if answer is not None and calls:
        refused.append(refusal(answer[0], "read the looks asked for in the same turn first, then answer"))
        answer = None
    return Turn(tuple(calls), tuple(refused), answer)


def _key(tool: str, args: Mapping[str, object]) -> str:
    """Return a key of a look from its tool, window and question, normalised."""
    return json.dumps(
        [tool, {name: _plain(value) for name, value in args.items()}], sort_keys=True, default=str
    )


def _plain(value: object) -> object:
    if not isinstance(value, str | int | float):
        return value
    try:
        return round(parse_time(value), 3)
    except ValueError:
        return " ".join(str(value).casefold().split())


def _repeat(call_id: str, entry_id: str, entry: Entry | None) -> ToolMessage:
    known = entry.for_planner() if entry else "its result stands above"
    return refusal(call_id, f"this repeats {entry_id}; known already: {known}")
