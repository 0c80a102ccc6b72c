"""Settings of a request that switch a model's thinking off, as servers and model families have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="ignore"))
class Switch:
    """Request settings that switch thinking on or off.

    Args:
        label: Its name in messages; empty if the request carries nothing.
        body: Fields of the request.
        prompt: Text of a system message, or None.
    """

    label: str = ""
    body: Mapping[str, Any] = Field(default_factory=dict)
    prompt: str | None = None


AS_IT_IS = Switch()
TEMPLATE_ON = Switch(
    "chat_template_kwargs.enable_thinking = true", {"chat_template_kwargs": {"enable_thinking": True}}
)
TEMPLATE_OFF = Switch(
    "chat_template_kwargs.enable_thinking = false", {"chat_template_kwargs": {"enable_thinking": False}}
)
"""vLLM, SGLang and llama.cpp pass it to the chat template (Qwen3 and later, GLM-4.5V and later, Nemotron 3)."""
EFFORT_OFF = Switch("reasoning_effort = none", {"reasoning_effort": "none"})
"""OpenAI, Gemini, Ollama and LM Studio."""
TYPE_OFF = Switch("thinking.type = disabled", {"thinking": {"type": "disabled"}})
"""Anthropic, and the vendors' own servers of GLM and Kimi."""
PROMPT_ON, PROMPT_OFF = Switch("/think", prompt="/think"), Switch("/no_think", prompt="/no_think")
"""Read by the templates of Nemotron Nano v2, SmolLM 3 and the first Qwen3."""

BUDGET_OFF = Switch("thinking_token_budget = 0", {"thinking_token_budget": 0})
"""vLLM with a reasoning parser (0.32), whatever the template: it closes a thought at its first token."""

OFF = (TEMPLATE_OFF, EFFORT_OFF, PROMPT_OFF, TYPE_OFF)
"""What to try, in this order."""
ALL_OFF = Switch(
    "all known switches at once",
    {key: value for switch in (*OFF, BUDGET_OFF) for key, value in switch.body.items()},
    PROMPT_OFF.prompt,
)
"""For a model that has just spent a whole reply on a thought; what the server refuses of it is left out."""
