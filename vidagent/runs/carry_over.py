"""What a question of a session takes over from those before it: the planner's turns, the looks and their pictures."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypedDict

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ToolMessage,
    messages_from_dict,
    messages_to_dict,
)

from vidagent.graphs.evidence.ledger import Entry, summary
from vidagent.graphs.nodes.survey import OVERVIEW
from vidagent.graphs.state import EARLIER, Call, State, Turn, question_of
from vidagent.images.store import FrameStore
from vidagent.runs.session_store import Asked
from vidagent.types import Answer

MOST_ENTRIES = 128
"""Looks that are taken over at most."""
_MOST_TURNS = 20
_CHARS_A_TOKEN = 4
_SETTLED = "settled; the question above is a new one"


class Carried(TypedDict):
    """What a finished run leaves to the next question, as JSON values; `history` are messages as dicts."""

    history: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    asked: list[Call]


class Seed(Carried):
    """What a run starts from: `session` it belongs to, the run `after` which it comes, and the turns before it."""

    session: str
    after: str | None
    earlier: list[Turn]


def carried(final: State, answer: Answer) -> Carried:
    """Return what is left by a run: what was done, and how its answer was settled.

    Refused calls and vetoed answers are left out: what they taught was about that question and its budget.
    """
    told = {
        "question": question_of(final),
        "status": answer.status,
        "answer": answer.answer,
        "claims": [{"claim": item.claim, "verdict": item.verdict} for item in answer.evidence],
        "note": _SETTLED,
    }
    settled = final.get("draft_call") if final.get("draft") else None
    replies = {
        message.tool_call_id: message
        for message in final.get("history", [])
        if isinstance(message, ToolMessage) and message.status != "error"
    }
    if settled is not None:
        replies[settled] = ToolMessage(json.dumps(told, ensure_ascii=False), tool_call_id=settled)
    asked: list[Call] = [{**call, "turn": EARLIER} for call in final.get("asked", [])]
    history = list(_done(final.get("history", []), replies))
    return Carried(history=messages_to_dict(history), ledger=list(final.get("ledger", [])), asked=asked)


def fitted(kept: Carried, room: int) -> Carried:
    """Leave out the oldest looks, and the turns that asked for them, until their lines take at most `room` tokens.

    The overview stays. What was asked stays, so that no two looks ever have one name.
    """
    left, names = room * _CHARS_A_TOKEN, set[str]()
    for entry in reversed(kept["ledger"]):
        left -= len(summary([Entry.from_dict(entry)]))
        if names and (left < 0 or len(names) >= MOST_ENTRIES):
            break
        names.add(entry["id"])
    ledger = [entry for entry in kept["ledger"] if entry["id"] in names or entry["id"] == OVERVIEW]
    gone = {call["id"] for call in kept["asked"] if call["entry"] not in names}
    messages = messages_from_dict(kept["history"])
    replies = {message.tool_call_id: message for message in messages if isinstance(message, ToolMessage)}
    history = list(_done(messages, {name: reply for name, reply in replies.items() if name not in gone}))
    return Carried(history=messages_to_dict(history), ledger=ledger, asked=kept["asked"])


def turns_of(asked: Sequence[Asked]) -> list[Turn]:
    """Return the last questions of a session as a run's state holds them."""
    return [
        Turn(
            question=one.meant,
            options=None if one.options is None else list(one.options),
            answer=one.answer["answer"],
            status=one.answer["status"],
            spans=one.answer["spans"],
        )
        for one in asked[-_MOST_TURNS:]
    ]


def first_part(seed: Mapping[str, Any] | None) -> State:
    """Return the part of a first state that a seed makes; empty without one."""
    if seed is None:
        return State()
    return State(
        history=messages_from_dict(seed["history"]),  # type: ignore[typeddict-item]  # as they were written
        ledger=seed["ledger"],
        asked=seed["asked"],
        earlier=seed["earlier"],
    )


def bring_pictures(ledger: Iterable[Mapping[str, Any]], old: FrameStore, new: FrameStore) -> bool:
    """Put the pictures of looks into another run's store; return whether all were there."""
    refs = {still["ref"] for entry in ledger for still in entry["look"]["stills"]}
    return all(_bring(ref, old, new) for ref in sorted(refs))


def _bring(ref: str, old: FrameStore, new: FrameStore) -> bool:
    here, there = old.path(ref), new.path(ref)
    if there.is_file():
        return True
    if not here.is_file():
        return False
    there.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(here, there)
    except OSError:  # another file system, or one without links
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(here, there)
    return there.is_file()


def _done(messages: Iterable[BaseMessage], replies: Mapping[str, ToolMessage]) -> Iterator[BaseMessage]:
    """Yield the planner's turns with those calls that have a reply, each followed by its replies."""
    for message in messages:
        if not isinstance(message, AIMessage):
            continue
        calls = [call for call in message.tool_calls if str(call["id"]) in replies]
        if calls:
            yield AIMessage(message.content, tool_calls=calls)
            yield from (replies[str(call["id"])] for call in calls)
