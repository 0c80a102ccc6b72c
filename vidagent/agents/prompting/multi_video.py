"""Messages about several videos: the question for each one, and the joint answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, get_args

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from pydantic import BeforeValidator, Field

from vidagent.agents.prompting.messages import block, question_blocks, render
from vidagent.agents.prompting.replies import Confidence, LongWords, Reply, Words, outline, read_choice
from vidagent.agents.prompting.video_findings import Goal, VideoFinding, write_findings

_INTEGER = re.compile(r"\d{1,4}")


def _goal(value: object) -> object:
    """Find a goal in a phrase such as `"goal: how many"`; without one, nothing is compared."""
    words = re.sub(r"[\s-]+", "_", str(value).strip().casefold())
    return next((goal for goal in get_args(Goal) if re.search(rf"(?:\b|_){goal}(?:\b|_)", words)), "each")


def _numbers(value: object) -> list[int]:
    """Read `[1, 3]`, `"1 and 3"` or `2` as numbers of videos, each once."""
    texts = value if isinstance(value, list) else [value]
    found = [int(number) for text in texts if text is not None for number in _INTEGER.findall(str(text))]
    return list(dict.fromkeys(found))


class Single(Reply):
    """The question that each video is asked alone."""

    question: Words = Field(
        default="",
        description="the question for one video, complete in itself, in the language of the question",
    )
    goal: Annotated[Goal, BeforeValidator(_goal)] = Field(
        default="each", description="what the videos are compared for, one of the six"
    )


class Together(Reply):
    """The answer to a question about several videos."""

    answer: LongWords = Field(
        min_length=1, description="the answer, in one to three sentences, in the question's language"
    )
    choice: Annotated[int | None, BeforeValidator(read_choice)] = Field(
        default=None, description="the number of the option that fits; null without options or if none fits"
    )
    confidence: Confidence = Field(default=0.5, description="how sure you are, from 0 to 1")
    videos: Annotated[list[int], BeforeValidator(_numbers)] = Field(
        default_factory=list,
        description="the numbers of the videos that the answer is about, such as [2]; [] if none fits",
    )


def turn_messages(question: str, options: Sequence[str] | None, names: Sequence[str]) -> list[BaseMessage]:
    """Ask for the question to put to each single video.

    Args:
        question: The question as asked.
        options: The answers to choose from, or None.
        names: The names of the videos; untrusted.
    """
    videos = "\n".join(f"{number}. {name}" for number, name in enumerate(names, 1))
    blocks = [block("videos", videos), *question_blocks(question, options), render("turn_end")]
    return [SystemMessage(render("turn", reply=outline(Single))), HumanMessage("\n".join(blocks))]


def together_messages(
    question: str, options: Sequence[str] | None, goal: Goal, parts: Sequence[VideoFinding]
) -> list[BaseMessage]:
    """Ask for the answer, given the findings in each video.

    Args:
        question: The question as asked.
        options: The answers to choose from, or None.
        goal: What the videos are compared for.
        parts: The finding in each; untrusted.
    """
    asked = question_blocks(question, options)
    blocks = [*asked, block("goal", goal), block("parts", write_findings(parts)), render("together_end")]
    return [SystemMessage(render("together", reply=outline(Together))), HumanMessage("\n".join(blocks))]
