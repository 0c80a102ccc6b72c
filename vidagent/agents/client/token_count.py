"""Counting tokens: as the server counts them, else estimated by length."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage

from vidagent.agents.client.chat_call import Spent
from vidagent.agents.client.limits import CallUsage

_CHARS_PER_TOKEN = 4


def estimate(chars: int) -> int:
    """Return about how many tokens a text of so many characters has."""
    return -(-chars // _CHARS_PER_TOKEN)


def prompt_tokens(messages: Sequence[BaseMessage], frames: int, frame_tokens: int) -> int:
    """Estimate a prompt by its bytes, which hold for scripts whose letters are a token each, too."""
    said = "".join(message.text for message in messages)
    called = "".join(str(m.tool_calls) for m in messages if isinstance(m, AIMessage))
    return estimate(len(f"{said}{called}".encode())) + frames * frame_tokens


def usage(spent: Sequence[Spent], requests: int, frames: int, prompt: int, seconds: float) -> CallUsage:
    """Add up what the requests of one call cost.

    Args:
        spent: The requests that were answered.
        requests: Requests sent.
        frames: Pictures in each of them.
        prompt: Estimated prompt tokens of one, for a server that does not count; 0 for a model in this process.
        seconds: Wall-clock seconds of the call.
    """
    counted = [_count(one, prompt) for one in spent]
    return CallUsage(
        seconds=seconds,
        prompt_tokens=sum(one.prompt_tokens for one in counted),
        completion_tokens=sum(one.completion_tokens for one in counted),
        thinking_tokens=sum(one.thinking_tokens for one in counted),
        cached_tokens=sum(one.cached_tokens for one in counted),
        frames_sent=frames * max(requests, 1),
        requests=max(requests, 1),
    )


def _count(spent: Spent, prompt: int) -> CallUsage:
    counts = spent.usage
    thought = estimate(len(spent.thought)) if spent.thinking_tokens is None else spent.thinking_tokens
    if counts is None or counts["input_tokens"] == 0:
        if prompt == 0:
            return CallUsage()
        said = estimate(max(len(spent.thought) + len(spent.text), 1))
        return CallUsage(prompt_tokens=prompt, completion_tokens=said, thinking_tokens=thought)
    return CallUsage(
        prompt_tokens=counts["input_tokens"],
        completion_tokens=counts["output_tokens"],
        thinking_tokens=min(thought, counts["output_tokens"]),
        cached_tokens=(counts.get("input_token_details") or {}).get("cache_read") or 0,
    )
