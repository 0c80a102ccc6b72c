"""Shorter texts for a small context: of the data in messages, and of the tools' descriptions.

What was asked, and the instructions, stay as they are. A line keeps its beginning, a result of a look its fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from vidagent.agents.prompting.messages import parts_of
from vidagent.text import shortened

_DATA = re.compile(
    r"(^<(ledger|notes|earlier|facts|overview|tool_response)>\n)(.*?)(\n</\2>$)", re.DOTALL | re.MULTILINE
)
_MOST_LINES = 24
_CHARS_AN_ITEM = 24
"""A list has one item for each so many characters that a line may have."""
_SENTENCE = re.compile(r"(?<=[.!?])\s")


def brief(messages: Sequence[BaseMessage], most: int) -> list[BaseMessage] | None:
    """Return the messages with data of at most `most` characters a line; None if that changes nothing."""
    made = [_brief_message(message, most) for message in messages]
    return None if made == list(messages) else made


def brief_tool(tool: BaseTool | dict[str, Any]) -> dict[str, Any]:
    """Return a tool described by its first sentence and the types of its arguments."""
    made = convert_to_openai_tool(tool)
    function = made["function"]
    first = _SENTENCE.split(str(function.get("description", "")), maxsplit=1)[0]
    parameters = _without_words(function.get("parameters", {}))
    return {**made, "function": {**function, "description": first, "parameters": parameters}}


def _without_words(schema: Any) -> Any:  # noqa: ANN401 - any part of a JSON schema
    """Return a schema without descriptions; a property may have that name."""
    if isinstance(schema, list):
        return [_without_words(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: {name: _without_words(item) for name, item in value.items()}
        if key == "properties" and isinstance(value, Mapping)
        else _without_words(value)
        for key, value in schema.items()
        if key not in {"description", "title"}
    }


def _brief_message(message: BaseMessage, most: int) -> BaseMessage:
    if isinstance(message, ToolMessage):
        return message.model_copy(update={"content": _brief_line(message.text, most)})
    if isinstance(message, AIMessage):
        calls = [{**call, "args": _brief_value(call["args"], most)} for call in message.tool_calls]
        return message.model_copy(update={"content": shortened(message.text, most), "tool_calls": calls})
    if not isinstance(message, HumanMessage):
        return message
    if isinstance(message.content, str):
        return message.model_copy(update={"content": _brief_text(message.content, most)})
    parts = [
        {**part, "text": _brief_text(part["text"], most)} if part.get("type") == "text" else part
        for part in parts_of(message)
    ]
    return message.model_copy(update={"content": parts})


def _brief_text(text: str, most: int) -> str:
    """Shorten the lines of fenced data, and leave out those in the middle of many."""

    def shorter(found: re.Match[str]) -> str:
        lines = [_brief_line(line, most) for line in found[3].splitlines()]
        if (fewer := len(lines) - _MOST_LINES) > 0:
            half = _MOST_LINES // 2
            lines = [*lines[:half], f"({fewer} lines left out)", *lines[-half:]]
        return found[1] + "\n".join(lines) + found[4]

    return _DATA.sub(shorter, text)


def _brief_line(line: str, most: int) -> str:
    try:
        fields = json.loads(line)
    except json.JSONDecodeError:
        fields = None
    if isinstance(fields, dict):
        return json.dumps(_brief_value(fields, most), ensure_ascii=False)
    return shortened(line, most)


def _brief_value(value: Any, most: int) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return shortened(value, most)
    if isinstance(value, list):
        return [_brief_value(item, most) for item in value[: max(1, most // _CHARS_AN_ITEM)]]
    if isinstance(value, dict):
        return {key: _brief_value(item, most) for key, item in value.items()}
    return value
