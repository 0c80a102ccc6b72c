"""What a session's next question takes over from earlier ones: the planner's turns, the looks and their frames."""

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
    HumanMessage,
    ToolMessage,
    messages_from_dict,
    messages_to_dict,
)

from vidagent.agents.prompting.code_looks import only_looks
from vidagent.graphs.evidence.ledger import Entry, summary
from vidagent.graphs.nodes.propose import unreported
from vidagent.graphs.nodes.survey import OVERVIEW
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import EARLIER, Call, State, Turn
from vidagent.images.store import FrameStore
from vidagent.private_folder import make_private
from vidagent.runs.session_store import Asked
from vidagent.types import Answer

MAX_LOOKS = 128
"""Most looks that are taken over."""
_MAX_TURNS = 20
_CHARS_PER_TOKEN = 4
_SETTLED = "settled; the question above is a new one"


class CarryOver(TypedDict):
    """What a finished run leaves to the next question, as JSON; `history` are messages as dicts."""

    history: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    asked: list[Call]


class SessionSeed(CarryOver):
    """What a run of a session starts with; `after` is the run before it, `earlier` are the turns before it."""

    session: str
    after: str | None
    earlier: list[Turn]


def carry_over(final: State, answer: Answer) -> CarryOver:
    """Return what a run leaves: its looks, and its verified answer.

    Refused calls and vetoed answers are left out, as they concern that question and its budget only.
    """
    result = {
        "question": Progress(final).question,
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
        replies[settled] = ToolMessage(json.dumps(result, ensure_ascii=False), tool_call_id=settled)
    asked: list[Call] = [{**call, "turn": EARLIER} for call in final.get("asked", [])]
    history = [*_answered_calls(final.get("history", []), replies), *unreported(Progress(final))]
    return CarryOver(history=messages_to_dict(history), ledger=list(final.get("ledger", [])), asked=asked)


def trim_to(tokens: int, saved: CarryOver) -> CarryOver:
    """Drop the oldest looks, and the turns that asked for them, until the ledger lines take at most `tokens`.

    The overview stays. The calls stay too, so that no two looks ever get the same id.
    """
    left, names = tokens * _CHARS_PER_TOKEN, set[str]()
    for entry in reversed(saved["ledger"]):
        left -= len(summary([Entry.from_dict(entry)]))
        if names and (left < 0 or len(names) >= MAX_LOOKS):
            break
        names.add(entry["id"])
    ledger = [entry for entry in saved["ledger"] if entry["id"] in names or entry["id"] == OVERVIEW]
    gone = {call["id"] for call in saved["asked"] if call["entry"] not in names}
    messages = messages_from_dict(saved["history"])
    replies = {message.tool_call_id: message for message in messages if isinstance(message, ToolMessage)}
    replies = {name: reply for name, reply in replies.items() if name not in gone}
    history = [
        left_over
        for message in _answered_calls(messages, replies)
        if (left_over := only_looks(message, names) if isinstance(message, HumanMessage) else message)
        is not None
    ]
    return CarryOver(history=messages_to_dict(history), ledger=ledger, asked=saved["asked"])


def earlier_turns(asked: Sequence[Asked]) -> list[Turn]:
    """Return the last questions of a session as they stand in a run's state."""
    return [
        Turn(
            question=one.meant,
            options=None if one.options is None else list(one.options),
            answer=one.answer["answer"],
            status=one.answer["status"],
            spans=one.answer["spans"],
        )
        for one in asked[-_MAX_TURNS:]
    ]


def seeded_state(seed: Mapping[str, Any] | None) -> State:
    """Return the part of a first state that comes from a seed; empty without one."""
    if seed is None:
        return State()
    return State(
        history=messages_from_dict(seed["history"]),  # type: ignore[typeddict-item]  # as saved by `carry_over`
        ledger=seed["ledger"],
        asked=seed["asked"],
        earlier=seed["earlier"],
    )


def copy_frames(ledger: Iterable[Mapping[str, Any]], old: FrameStore, new: FrameStore) -> bool:
    """Copy the frames of looks into another run's store; return whether all were found."""
    refs = {still["ref"] for entry in ledger for still in entry["look"]["stills"]}
    return all(_copy_frame(ref, old, new) for ref in sorted(refs))


def _copy_frame(ref: str, old: FrameStore, new: FrameStore) -> bool:
    source, target = old.path(ref), new.path(ref)
    if target.is_file():
        return True
    if not source.is_file():
        return False
    make_private(target.parent)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(source, target)
    return target.is_file()


def _answered_calls(
    messages: Iterable[BaseMessage], replies: Mapping[str, ToolMessage]
) -> Iterator[BaseMessage]:
    """Yield the planner's turns, reduced to the calls that have a reply, each followed by its replies.

    Messages about looks that code decided on stay where they are.
    """
    for message in messages:
        if isinstance(message, HumanMessage):
            yield message
        if not isinstance(message, AIMessage):
            continue
        calls = [call for call in message.tool_calls if str(call["id"]) in replies]
        if calls:
            yield AIMessage(message.content, tool_calls=calls)
            yield from (replies[str(call["id"])] for call in calls)
