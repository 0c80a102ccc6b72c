"""A question put to a model in one call, with frames of the whole video: what the agent is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from pydantic import BeforeValidator, Field

from vidagent.agents.prompting.messages import frames_content, question_blocks, render
from vidagent.agents.prompting.replies import (
    Confidence,
    MaybeSeconds,
    Reply,
    Truth,
    Words,
    outline,
    read_choice,
)
from vidagent.images.shown_frame import ShownFrame


def _count(value: object) -> int | None:
    """Read a number as a count, and what is none as None."""
    text = str(value).strip().removesuffix(".0")
    return int(text) if text.isdecimal() and not isinstance(value, bool) else None


class DirectReply(Reply):
    """What the model answers at once."""

    answer: Words = Field(default="", description="the answer, in one to three sentences")
    found: Truth = Field(
        default=None,
        description="true if the frames show what is asked for, false if it is not in the video, "
        "null if these frames do not tell",
    )
    choice: Annotated[int | None, BeforeValidator(read_choice)] = Field(
        default=None, description="the number of the option that fits best; null without options"
    )
    start_s: MaybeSeconds = Field(
        default=None, description="where it begins, in seconds of the video; null if no time is asked for"
    )
    end_s: MaybeSeconds = Field(default=None, description="where it ends, in seconds; null as for start_s")
    count: Annotated[int | None, BeforeValidator(_count)] = Field(
        default=None, description="the number, if it is asked how many; else null"
    )
    confidence: Confidence = Field(default=0.5, description="how sure you are, from 0 to 1")


def direct_messages(
    question: str, options: Sequence[str] | None, frames: Sequence[ShownFrame]
) -> list[BaseMessage]:
    """Ask a question at once.

    Args:
        question: The question as asked.
        options: The answers to choose from, or None.
        frames: Frames of the whole video, in the order of time.
    """
    asked = "\n" + "\n".join([*question_blocks(question, options), render("direct_end")])
    return [
        SystemMessage(render("direct", reply=outline(DirectReply))),
        HumanMessage([*frames_content(frames), {"type": "text", "text": asked}]),
    ]
