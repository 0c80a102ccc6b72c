"""Replies as servers send them, made safe to read: what has another type than OpenAI's API says is mended or dropped.

LangChain reads a reply as the API describes it, and fails with internal errors on one that differs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from langchain_core.outputs import ChatGenerationChunk

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_DETAILS = ("prompt_tokens_details", "completion_tokens_details")
_MOST_TOKENS = 2**53
_MOST_CALLS = 64
"""Most calls of a reply that are read."""
_MOST_CHARS = 400_000
"""Most characters of a reply, of its thought and of its calls' arguments, each: some 100,000 tokens."""
_SINGLE_PIECES = 500
"""Pieces of a stream that are passed on one by one; later ones come in groups, whose number grows but slowly."""
_REASONING_KEYS = ("reasoning", "reasoning_content")


def mended_reply(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return a completion whose choice is a message of the assistant, and whose usage is numbers or None.

    Raises:
        ValueError: If it is too long.
    """
    choices = [_choice(choice) for choice in reply["choices"][:1]]
    message = choices[0]["message"]
    calls = (call["function"]["arguments"] or "" for call in message.get("tool_calls") or [])
    _check(
        {
            "text": len(message["content"] or ""),
            "thought": len(reasoning(message).get("reasoning_content", "")),
            "calls": sum(map(len, calls)),
        }
    )
    return {
        **reply,
        "choices": choices,
        "usage": _usage(reply.get("usage")),
        "model": str(reply.get("model")),
    }


def mended_chunk(chunk: Mapping[str, Any]) -> dict[str, Any]:
    """Return one event of a stream, mended in the same way."""
    choices = chunk.get("choices")
    listed = (
        [choice for choice in choices[:1] if isinstance(choice, dict)] if isinstance(choices, list) else []
    )
    made = [{**choice, "delta": _message(choice.get("delta") or {}, whole=False)} for choice in listed]
    return {**chunk, "choices": made, "usage": _usage(chunk.get("usage"))}


def reasoning(message: Mapping[str, Any]) -> dict[str, str]:
    """Return the thought in a message, or in a piece of one, and the name under which the server sent it."""
    for name in _REASONING_KEYS:
        if isinstance(thought := message.get(name), str) and thought:
            return {"reasoning_content": thought, "reasoning_key": name}
    return {}


class StreamedReply:
    """Passes the pieces of a streamed reply on, one by one at first, and several as one when there are many.

    Whatever adds pieces up copies what it has with each of them; a long reply has tens of thousands.
    """

    def __init__(self) -> None:
        """Begin at nothing."""
        self._lengths: Counter[str] = Counter()
        self._waiting: list[ChatGenerationChunk] = []
        self.count = 0

    def add(self, piece: ChatGenerationChunk) -> ChatGenerationChunk | None:
        """Add a piece, and return it with those that were waiting, if it is time.

        Raises:
            ValueError: If the reply is longer than any that a model writes.
        """
        thought = str(piece.message.additional_kwargs.get("reasoning_content") or "")
        calls = [call["args"] or "" for call in getattr(piece.message, "tool_call_chunks", [])]
        self._lengths.update(text=len(piece.text), thought=len(thought), calls=sum(map(len, calls)))
        _check(self._lengths)
        self._waiting.append(piece)
        self.count += 1
        return self.rest() if len(self._waiting) >= self.count / _SINGLE_PIECES else None

    def rest(self) -> ChatGenerationChunk | None:
        """Return the pieces that wait, as one; None if there are none."""
        if not self._waiting:
            return None
        first, *others = self._waiting
        self._waiting = []
        return first + others if others else first


def _check(lengths: Mapping[str, int]) -> None:
    """Refuse a reply that is longer than any that a model writes.

    Raises:
        ValueError: If it is.
    """
    if max(lengths.values()) > _MOST_CHARS:
        raise ValueError(f"it is longer than {_MOST_CHARS:,} characters")


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
        [_call(call) for call in calls[:_MOST_CALLS] if _is_call(call)] if isinstance(calls, list) else None
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
