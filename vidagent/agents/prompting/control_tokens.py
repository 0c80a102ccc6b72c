"""Control and media tokens of chat templates in text that is data: a mark in each makes it plain text.

A chat template puts all texts of a request into one string, in which a tokenizer reads `<|im_end|>` from a subtitle as
the end of a turn, and a processor counts `<image>` in a file name as a picture. All text of a request but our own
prompts goes through `as_data`: what comes from a video, a file name, a question, and what a model has said. The mark
stands after the first character, so that people and models still read the text: `<·|im_end|>`. `unmarked` takes it
away again from what a model repeats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage

from vidagent.agents.profiles.schema import Profile

MARK = "·"
_PICTURES = frozenset({"frame", "image_url", "video_url"})
OWN_FENCES = "question|options|earlier|facts|ledger|step|looking_for|notes|claim|videos|goal|parts|overview"
"""The blocks of our prompts, as a pattern; text in one of them cannot close it."""

_SQUARES = (
    "INST|IMG(?:_BREAK|_END)?|(?:BEGIN_)?AUDIO|AVAILABLE_TOOLS|TOOL_(?:CALLS|RESULTS|CONTENT)|SYSTEM_PROMPT|"
    "MODEL_SETTINGS|THINK|ARGS|CALL_ID|PREFIX|MIDDLE|SUFFIX|[gs]?MASK|CLS|SEP|PAD|UNK|BOS|EOS"
)
"""Tokens in square brackets, by name, as subtitles put sounds in such brackets: `[MUSIC]`."""


def _tokens(mark: str) -> str:
    """Return the pattern of the beginning of a token, with so many marks, before any others."""
    return "|".join(
        (
            rf"[<◁](?!/?(?:{OWN_FENCES})>){mark}(?={MARK}*[/|｜]*[^\W\d][\w▁.:=|｜/+-]{{0,63}}[>▷])",
            rf"\[{mark}(?={MARK}*/?(?:{_SQUARES})\])",
            rf"(?<!\S)/{mark}(?={MARK}*(?:no_?)?think\b)",
        )
    )


_MARKED = re.compile(_tokens(MARK))


@cache
def _unmarked_tokens(named: tuple[str, ...]) -> re.Pattern[str]:
    written = (rf"{re.escape(token[0])}(?={MARK}*{re.escape(token[1:])})" for token in named)
    return re.compile("|".join((_tokens(""), *written)))


def marked(text: str, named: tuple[str, ...] = ()) -> str:
    """Return a text with a mark in each control token.

    Args:
        text: The text.
        named: Tokens of the model beside those that look like one.
    """
    return _unmarked_tokens(named).sub(lambda opening: opening[0] + MARK, text)


def unmarked(text: str) -> str:
    """Return a text as it was before `marked`, but for tokens that only a profile names."""
    return _MARKED.sub(lambda opening: opening[0][:-1], text) if MARK in text else text


_BEGUN = re.compile(rf"[<◁\[/](?:{MARK}[^\s>▷\]]{{0,80}})?\Z")


class StreamUnmarker:
    """Takes the marks out of a text that comes in pieces; what may be the beginning of a token waits for its end."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._held = ""

    def add(self, piece: str) -> str:
        """Return what is certain of the text so far and was not returned yet."""
        text = self._held + piece
        begun = _BEGUN.search(text)
        end = len(text) if begun is None else begun.start()
        self._held = text[end:]
        return unmarked(text[:end])

    def rest(self) -> str:
        """Return what still waits, at the end of the text."""
        held, self._held = self._held, ""
        return unmarked(held)


def as_data(messages: Sequence[BaseMessage], profile: Profile) -> list[BaseMessage]:
    """Return messages with control tokens marked in all text but that of the system prompt, which is our own."""
    if not profile.templated:
        return list(messages)
    named = named_tokens(profile)
    return [_marked_message(message, named) for message in messages]


def named_tokens(profile: Profile) -> tuple[str, ...]:
    """Return the control tokens that a profile names and that do not look like one."""
    thinking = profile.thinking
    named = [thinking.opening, thinking.closing, thinking.on_prompt, thinking.off_prompt]
    tokens = [token.strip() for token in (*named, *profile.control_tokens) if token]
    return tuple(token for token in tokens if token and marked(token) == token)


def _marked_message(message: BaseMessage, named: tuple[str, ...]) -> BaseMessage:
    if isinstance(message, SystemMessage):
        return message
    changes: dict[str, Any] = {"content": _marked_value(message.content, named)}
    if isinstance(message, AIMessage):
        fields = message.additional_kwargs
        if "reasoning_content" in fields:
            thought = marked(str(fields["reasoning_content"]), named)
            changes["additional_kwargs"] = {**fields, "reasoning_content": thought}
        for name in ("tool_calls", "invalid_tool_calls"):
            calls = getattr(message, name)
            changes[name] = [{**call, "args": _marked_value(call["args"], named)} for call in calls]
    return message.model_copy(update=changes)


def _marked_value(value: Any, named: tuple[str, ...]) -> Any:  # noqa: ANN401 - a content, or the arguments of a call
    """Mark the texts of parts and arguments; pictures and their addresses stay as they are."""
    if isinstance(value, str):
        return marked(value, named)
    if isinstance(value, list):
        return [_marked_value(item, named) for item in value]
    if isinstance(value, Mapping) and value.get("type") in _PICTURES:
        return value
    if isinstance(value, Mapping):
        return {key: _marked_value(item, named) for key, item in value.items()}
    return value
