"""What the client makes of replies: a clean planner's turn, a reply to be asked again about, and one in exact times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from langchain_core.messages import AIMessage
from pydantic import BaseModel

from vidagent.agents.parsing.reply_parser import parse_calls, split_thought
from vidagent.agents.prompting.box_forms import in_thousandths
from vidagent.agents.prompting.replies import Observation
from vidagent.images.box_forms import BoxForm
from vidagent.images.shown_frame import ShownFrame

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


def as_shown(
    reply: BaseModel,
    exact_s: Mapping[float, float],
    form: BoxForm,
    frames: Sequence[ShownFrame],
    *,
    on_sheets: bool,
) -> BaseModel:
    """Return a reply in the agent's terms: exact times, and boxes in thousandths of their frames.

    Args:
        reply: The reply as it was read.
        exact_s: The exact time of each time label.
        form: The form of its boxes.
        frames: The frames shown.
        on_sheets: Whether frames shared pictures: boxes are places on those, and left out.
    """
    if not isinstance(reply, Observation):
        return reply
    placed = []
    for sighting in reply.sightings:
        time_s = exact_s.get(sighting.time_s, sighting.time_s)
        timed = sighting.model_copy(update={"time_s": time_s, **({"box": None} if on_sheets else {})})
        placed.append(in_thousandths(timed, form, frames))
    return Observation.model_construct(**{**dict(reply), "sightings": placed})


def cut_short(reply: AIMessage) -> str | None:
    """Return what to say of a reply that ended at its token limit; None for any other."""
    if reply.response_metadata.get("finish_reason") == "length":
        return "it was too long and was cut off; be brief"
    return None
