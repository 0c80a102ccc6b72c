"""Engines by name, one for each model and process, and profiles fitted to what they can."""

from __future__ import annotations

import dataclasses

from vidagent.agents.engines.base import ChatEngine
from vidagent.agents.engines.transformers_engine import ChatTransformers
from vidagent.agents.engines.vllm_engine import ChatVllm
from vidagent.agents.profile_schema import Form, Media, Profile, Shown
from vidagent.config import EngineName

__all__ = ["engine", "fitted"]

_SERVERS = frozenset(
    "enable_auto_tool_choice enable_per_request_metrics enable_prompt_tokens_details reasoning_parser "
    "reasoning_config reasoning_parser_plugin served_model_name tool_call_parser tool_parser_plugin "
    "trust_request_mm_kwargs".split()
)
"""Flags of the server alone, and of thoughts, which are held and read here."""


_made: dict[tuple[EngineName, str, str], ChatEngine] = {}


def engine(name: EngineName, model: str, profile: Profile) -> ChatEngine:
    """Return the engine of a model, the same each time; nothing is loaded yet.

    Args:
        name: The engine's name.
        model: The model's folder, or its name on the hub.
        profile: What `vllm serve` would be started with, `vllm.LLM` is.
    """
    key = (name, model, profile.name)
    if key not in _made:
        _made[key] = ChatTransformers(model_name=model) if name == "transformers" else _vllm(model, profile)
    return _made[key]


def _vllm(model: str, profile: Profile) -> ChatVllm:
    flags = {flag.replace("-", "_"): value for flag, value in profile.serve.flags.items()}
    return ChatVllm(
        model_name=model, arguments={flag: value for flag, value in flags.items() if flag not in _SERVERS}
    )


def fitted(profile: Profile, name: EngineName) -> Profile:
    """Return a profile for a model in process.

    Frames are sent as images or listed, a thought is held to its budget in two phases, and what a server would force
    is bound by a schema (vLLM) or asked for in words (transformers, which binds nothing).
    """
    bound = name == "vllm"
    listed: dict[Shown, Form] = {
        shown: "frames" for shown, form in profile.media.forms.items() if form != "images"
    }
    return dataclasses.replace(
        profile,
        media=Media(
            forms=listed,
            per_request=True,
            video_frames=profile.media.video_frames,
            processor=profile.media.processor if bound else {},
        ),
        thinking=dataclasses.replace(profile.thinking, budget_field=None, two_phase=True),
        structured="json_schema" if bound else "prompt",
        tool_calls="schema" if bound or profile.tool_calls == "schema" else "native",
        tool_choice="auto",
        strict_tools=False,
    )
