"""Engines by name, one for each model and process, and profiles fitted to what they can."""

from __future__ import annotations

import dataclasses
from functools import cache

from vidagent.agents.engines.base import ChatEngine
from vidagent.agents.engines.transformers_engine import ChatTransformers
from vidagent.agents.engines.vllm_engine import ChatVllm
from vidagent.agents.profile_schema import Media, Profile
from vidagent.config import EngineName

__all__ = ["engine", "fitted"]


@cache
def engine(name: EngineName, model: str) -> ChatEngine:
    """Return the engine of a model; nothing is loaded before its first question."""
    return ChatVllm(model_name=model) if name == "vllm" else ChatTransformers(model_name=model)


def fitted(profile: Profile, name: EngineName) -> Profile:
    """Return a profile for a model in process.

    Frames are sent as images, a thought is held to its budget in two phases, and what a server would force is bound
    by a schema (vLLM) or asked for in words (transformers, which binds nothing).
    """
    bound = name == "vllm"
    return dataclasses.replace(
        profile,
        media=Media(),
        thinking=dataclasses.replace(profile.thinking, budget_field=None, two_phase=True),
        structured="json_schema" if bound else "prompt",
        tool_calls="schema" if bound else "native",
        tool_choice="auto",
        strict_tools=False,
    )
