"""JSON schemas that generation is bound to: of a planner's calls, and with no text or list without an end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

MOST_CALLS = 6
"""Calls of one turn."""
_MOST_CHARS = 600
_MOST_ITEMS = 48


def calls_schema(tools: Sequence[BaseTool], must_call: str | None = None) -> dict[str, Any]:
    """Return the schema of a turn that is nothing but calls of these tools, or of the one that must be called."""
    functions = [convert_to_openai_tool(tool)["function"] for tool in tools]
    offered = [one for one in functions if must_call in (None, one["name"])]
    call = {"anyOf": [_call(function) for function in offered]}
    items = {"type": "array", "items": call, "minItems": 1, "maxItems": 1 if must_call else MOST_CALLS}
    return _object({"calls": items})


def strict_tool(tool: BaseTool) -> dict[str, Any]:
    """Return a tool whose arguments are bound to their schema while they are generated."""
    made = convert_to_openai_tool(tool, strict=True)
    function = made["function"]
    return {**made, "function": {**function, "parameters": bounded(function["parameters"])}}


def bounded(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema whose texts and lists all end: a model that babbles is cut off in mid-object otherwise."""
    ended: dict[str, Any] = {}
    for key, value in schema.items():
        if isinstance(value, Mapping):
            ended[key] = bounded(value)
        elif isinstance(value, list):
            ended[key] = [bounded(item) if isinstance(item, Mapping) else item for item in value]
        else:
            ended[key] = value
    if ended.get("type") == "string" and not {"enum", "const", "pattern"} & set(
        ended
    ):  # xgrammar: one or the other
        ended.setdefault("maxLength", _MOST_CHARS)
    if ended.get("type") == "array":
        ended.setdefault("maxItems", _MOST_ITEMS)
    return ended


def _call(function: Mapping[str, Any]) -> dict[str, Any]:
    return _object({"name": {"const": function["name"]}, "arguments": function["parameters"]})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
