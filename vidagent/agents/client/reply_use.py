"""What the client makes of replies: a clean planner's turn, a reply to be asked again about, and one in exact times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from langchain_core.messages import AIMessage
from pydantic import BaseModel

from vidagent.agents.parsing.reply_parser import parse_calls, split_thought
from vidagent.agents.prompting.replies import Observation

TReply = TypeVar("TReply", bound=BaseModel)

_REPEATED_CHARS = 2000


def planned_turn(reply: AIMessage, known: Sequence[str]) -> AIMessage:
    """Return the planner's reply with clean calls, and without the text they were parsed from."""
    calls = parse_calls(reply, known)
    thought, text = split_thought(reply.text)
    reasoning = {key: value for key, value in reply.additional_kwargs.items() if key.startswith("reasoning")}
    if thought:
        reasoning.setdefault("reasoning_content", thought)
    return AIMessage(
        text if reply.tool_calls or reply.invalid_tool_calls else "",
        tool_calls=calls,
        additional_kwargs=reasoning,
        response_metadata=reply.response_metadata,
        usage_metadata=reply.usage_metadata,
        id=reply.id,
    )


def repeated(reply: AIMessage) -> AIMessage:
    """Return the unusable reply as plain text: calls in it would require results that do not exist."""
    written = [str(call["args"]) for call in [*reply.tool_calls, *reply.invalid_tool_calls]]
    text = "\n".join([split_thought(reply.text)[1], *written]).strip()
    return AIMessage(text[:_REPEATED_CHARS] or "(empty)")


def as_shown(reply: TReply, exact_s: Mapping[float, float], *, on_sheets: bool) -> TReply:
    """Return a reply in the agent's terms: exact times, and no boxes that are places on a shared picture."""
    if not isinstance(reply, Observation):
        return reply
    placed = [
        sighting.model_copy(
            update={
                "time_s": exact_s.get(sighting.time_s, sighting.time_s),
                **({"box": None} if on_sheets else {}),
            }
        )
        for sighting in reply.sightings
    ]
    return reply.model_copy(update={"sightings": placed})


def cut_short(reply: AIMessage) -> str | None:
    """Return what to say of a reply that ended at its token limit; None for any other."""
    if reply.response_metadata.get("finish_reason") == "length":
        return "it was too long and was cut off; be brief"
    return None
