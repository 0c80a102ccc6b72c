"""Engines by name, one for each model and process, and profiles adapted to what they can do."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from vidagent.agents.engines.base import ChatEngine
from vidagent.agents.engines.transformers_engine import ChatTransformers
from vidagent.agents.engines.vllm_engine import ChatVllm
from vidagent.agents.profiles.schema import Form, Media, Profile, Shown
from vidagent.config import Attention, Dtype, EngineName, Quantization, Settings
from vidagent.errors import UsageError

_SERVER_FLAGS = frozenset(
    "enable_auto_tool_choice enable_per_request_metrics enable_prompt_tokens_details reasoning_parser "
    "reasoning_config reasoning_parser_plugin served_model_name tool_call_parser tool_parser_plugin "
    "trust_request_mm_kwargs".split()
)
"""Flags that only the server has, and flags for thoughts, which this package limits and reads itself."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How a model is loaded; None leaves it to the model, its profile and the library.

    Args:
        dtype: The precision of its weights.
        quantization: How they are quantized.
        attention: The implementation of attention.
    """

    dtype: Dtype | None = None
    quantization: Quantization | None = None
    attention: Attention | None = None

    @classmethod
    def of(cls, settings: Settings) -> Weights:
        """Return those of the settings."""
        return cls(settings.engine_dtype, settings.engine_quantization, settings.engine_attention)


_engines: dict[tuple[EngineName, str, str, Weights], ChatEngine] = {}


def engine(name: EngineName, model: str, profile: Profile, weights: Weights | None = None) -> ChatEngine:
    """Return the engine of a model, the same each time; nothing is loaded yet.

    Args:
        name: The engine's name.
        model: The model's folder, or its name on the hub.
        profile: Its flags of `vllm serve` become arguments of `vllm.LLM`.
        weights: How it is loaded.

    Raises:
        UsageError: If the engine does not support that.
    """
    weights = weights or Weights()
    key = (name, model, profile.name, weights)
    if key not in _engines:
        _engines[key] = (
            _transformers(model, weights) if name == "transformers" else _vllm(model, profile, weights)
        )
    return _engines[key]


def _transformers(model: str, weights: Weights) -> ChatTransformers:
    return ChatTransformers(
        model_name=model,
        dtype=weights.dtype or "auto",
        four_bit=weights.quantization == "4bit",
        attention=weights.attention,
    )


def _vllm(model: str, profile: Profile, weights: Weights) -> ChatVllm:
    if weights.attention is not None:
        raise UsageError(
            f"engine vllm chooses its attention itself; setting engine_attention, got {weights.attention!r}, "
            "is for engine transformers"
        )
    flags = {flag.replace("-", "_"): value for flag, value in profile.serve.flags.items()}
    if weights.dtype is not None:
        flags["dtype"] = weights.dtype
    if weights.quantization is not None:
        flags["quantization"] = "bitsandbytes"
    return ChatVllm(
        model_name=model,
        arguments={flag: value for flag, value in flags.items() if flag not in _SERVER_FLAGS},
    )


def fitted(profile: Profile, name: EngineName) -> Profile:
    """Return a profile for a model in this process.

    Frames are sent as images or listed, thoughts keep to their budget in two phases, and what a server would force
    is constrained by a schema (vLLM) or asked for in words (transformers, which constrains nothing).
    """
    constrained = name == "vllm"
    listed: dict[Shown, Form] = {
        shown: "frames" for shown, form in profile.media.forms.items() if form != "images"
    }
    return dataclasses.replace(
        profile,
        media=Media(
            forms=listed,
            per_request=True,
            video_frames=profile.media.video_frames,
            processor=profile.media.processor if constrained else {},
        ),
        thinking=dataclasses.replace(profile.thinking, budget_field=None, two_phase=True),
        structured="json_schema" if constrained else "prompt",
        tool_calls="schema" if constrained or profile.tool_calls == "schema" else "native",
        tool_choice="auto",
        strict_tools=False,
    )
