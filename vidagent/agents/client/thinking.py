"""Thinking within a budget: by the server's own cap, or in two phases.

In two phases (NVIDIA's `ThinkingBudgetClient`, with the pictures kept), the first request generates nothing but the
thought and at most its budget; the thought is closed, and a second request continues the same message with the
reply proper.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Literal

from langchain_core.messages import AIMessage

from vidagent.agents.client.request import Feature, Request
from vidagent.agents.profiles.schema import Thinking
from vidagent.types import Step

Mode = Literal["off", "free", "native", "two_phase"]
"""No thinking; without a cap; capped by the server; capped by ending it ourselves."""

CUT = "."
"""What a thought that was cut gets before it is closed, as the seed on thinking budgets does it: one token."""
_BROKEN = "\N{REPLACEMENT CHARACTER}"


def mode(
    thinking: Thinking,
    step: Step,
    *,
    video: bool,
    tokens: int | None,
    most: int | None,
    refused: Collection[Feature] = (),
) -> Mode:
    """Choose how a step thinks.

    Args:
        thinking: What the profile says.
        step: The step.
        video: Whether the messages hold a video.
        tokens: Reasoning tokens allowed; None for no limit.
        most: Tokens of the whole reply allowed; None for no limit.
        refused: Features that the server turned out to refuse.
    """
    if not thinking.can or step not in thinking.steps or tokens == 0 or (video and not thinking.with_video):
        return "off"
    if thinking.budget_field is not None and "thinking_budget" not in refused:
        return "native"
    if tokens is None:
        return "free"
    if thinking.two_phase and "two_phase" not in refused:
        return "two_phase"
    return "free" if most is not None and most <= tokens else "off"


def thought_request(request: Request, thinking: Thinking) -> Request:
    """Return the first phase: the same prompt, but only the thought is generated, with no schema to keep to."""
    budget = request.thought or 0
    body = {key: value for key, value in request.body.items() if key != "response_format"}
    options = {
        **request.options,
        "max_tokens": min(budget, request.options.get("max_tokens", budget)),
        "stop": [thinking.closing.strip()],
    }
    binding = {key: value for key, value in request.binding.items() if key != "tool_choice"}
    return dataclasses.replace(
        request, binding=binding, options={**options, "extra_body": body} if body else options, thought=None
    )


def thought_of(reply: AIMessage, thought: str, text: str) -> str | None:
    """Return the thought that a first phase brought; None if the model replied at once.

    A template may open the thought in the prompt, and a server may not know it from text: then what was cut at the
    budget, or at the mark that closes a thought, is the thought, too.

    Args:
        reply: The reply of the first phase.
        thought: What of it is marked as reasoning.
        text: The rest.
    """
    if reply.tool_calls:
        return None
    if thought:
        said = thought
    elif (
        reply.response_metadata.get("stop_reason") or reply.response_metadata.get("finish_reason") == "length"
    ):
        said = text
    else:
        return None
    return said.replace(_BROKEN, "").strip()


def was_cut(reply: AIMessage) -> bool:
    """Tell whether a reply ended because it was long enough."""
    return reply.response_metadata.get("finish_reason") == "length"


def reply_request(request: Request, thinking: Thinking, thought: str | None, used: int) -> Request:
    """Return the second phase: the closed thought is continued with the reply; pictures, tools and schema stay.

    Args:
        request: The request as put.
        thinking: What the profile says.
        thought: The thought, closed; None if there was none.
        used: Tokens that the first phase took of the reply's.
    """
    options = dict(request.options)
    if "max_tokens" in options:
        options["max_tokens"] = max(1, options["max_tokens"] - used)
    body = {key: value for key, value in request.body.items() if key not in thinking.on_body}
    body |= thinking.off_body
    messages = list(request.messages)
    if thought is not None:
        messages.append(AIMessage(f"{thinking.opening}{thought}{thinking.closing}"))
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    return dataclasses.replace(
        request, messages=messages, options={**options, "extra_body": body}, thought=None
    )
