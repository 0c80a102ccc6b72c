"""Replies as servers send them, made safe to read: what has another type than OpenAI's API says is mended or dropped.

LangChain reads a reply as the API describes it, and fails with internal errors on one that differs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_DETAILS = ("prompt_tokens_details", "completion_tokens_details")
_MOST_TOKENS = 2**53


def mended_reply(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return a completion whose choices are messages of the assistant, and whose usage is numbers or None."""
    choices = [_choice(choice) for choice in reply["choices"]]
    return {
        **reply,
        "choices": choices,
        "usage": _usage(reply.get("usage")),
        "model": str(reply.get("model")),
    }


def mended_chunk(chunk: Mapping[str, Any]) -> dict[str, Any]:
    """Return one event of a stream, mended in the same way."""
    choices = chunk.get("choices")
    listed = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    made = [{**choice, "delta": _message(choice.get("delta") or {}, whole=False)} for choice in listed]
    return {**chunk, "choices": made, "usage": _usage(chunk.get("usage"))}


def _choice(choice: Mapping[str, Any]) -> dict[str, Any]:
    reason = choice.get("finish_reason")
    return {
        **choice,
        "message": _message(choice["message"], whole=True),
        "finish_reason": reason if isinstance(reason, str) else None,
        "logprobs": choice.get("logprobs") if isinstance(choice.get("logprobs"), dict) else None,
    }


def _message(message: object, *, whole: bool) -> dict[str, Any]:
    if not isinstance(message, Mapping):
        return {"role": "assistant", "content": ""} if whole else {}
    made = {**message, "content": _text(message.get("content"))}
    if whole or message.get("role") is not None:
        made["role"] = "assistant"
    calls = message.get("tool_calls")
    made["tool_calls"] = (
        [_call(call) for call in calls if _is_call(call)] if isinstance(calls, list) else None
    )
    if not isinstance(message.get("function_call"), dict):
        made["function_call"] = None
    if not isinstance(message.get("audio"), dict):
        made.pop("audio", None)
    return {name: value for name, value in made.items() if value is not None or name == "content"}


def _text(content: object) -> str | None:
    """Return a message's text: of parts, the texts in them; of anything else that is no text, none."""
    if isinstance(content, list):
        texts = (part.get("text") if isinstance(part, Mapping) else part for part in content)
        return "".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else None


def _is_call(call: object) -> bool:
    return isinstance(call, Mapping) and isinstance(call.get("function"), Mapping)


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function, id_ = call["function"], call.get("id")
    name, arguments = function.get("name"), function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        arguments = json.dumps(arguments)
    made = {**function, "name": None if name is None else str(name), "arguments": arguments}
    return {**call, "id": None if id_ is None else str(id_), "function": made}


def _usage(usage: object) -> dict[str, Any] | None:
    """Return the counts that are numbers of tokens; None if the prompt or the reply has none."""
    if not isinstance(usage, Mapping):
        return None
    counts = {name: usage.get(name) for name in _COUNTS}
    if counts["total_tokens"] is None and all(
        map(_is_count, (counts["prompt_tokens"], counts["completion_tokens"]))
    ):
        counts["total_tokens"] = sum(int(usage[name]) for name in _COUNTS[:2])
    if not all(map(_is_count, counts.values())):
        return None
    details = {
        name: {
            key: value
            for key, value in part.items()
            if value is None or _is_count(value) or isinstance(value, dict)
        }
        for name in _DETAILS
        if isinstance(part := usage.get(name), Mapping)
    }
    return {**counts, **details}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS
