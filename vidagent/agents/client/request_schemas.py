"""Schemas of requests: of a turn of calls, of strict tools, and with limits on every text and list."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_function, convert_to_openai_tool
from pydantic import BaseModel

from vidagent.agents.client.limits import estimate_tokens
from vidagent.agents.prompting.replies import MOST_CHARACTERS

_MOST_CALLS = 6
"""Most calls in one turn."""
_MOST_ITEMS = 48


Tool = BaseTool | type[BaseModel] | dict[str, Any]


def tool_tokens(tools: Sequence[Tool]) -> int:
    """Estimate the tokens of the tools' descriptions."""
    return estimate_tokens(sum(len(json.dumps(convert_to_openai_tool(tool))) for tool in tools))


def tool_name(tool: Tool) -> str:
    """Return the name by which a tool is called."""
    return str(convert_to_openai_tool(tool)["function"]["name"])


def calls_schema(tools: Sequence[Tool], must_call: str | None = None) -> dict[str, Any]:
    """Return the schema of a turn that contains only calls of these tools, or of the one that must be called."""
    functions = [convert_to_openai_tool(tool)["function"] for tool in tools]
    offered = [one for one in functions if must_call in (None, one["name"])]
    call = {"anyOf": [_call(function) for function in offered]}
    items = {"type": "array", "items": call, "minItems": 1, "maxItems": 1 if must_call else _MOST_CALLS}
    return _object({"calls": items})


def strict_tool(tool: Tool) -> dict[str, Any]:
    """Return a tool whose arguments are constrained to their schema during generation."""
    made = convert_to_openai_tool(tool)
    function = convert_to_openai_function(made["function"], strict=True)
    return {**made, "function": {**function, "parameters": bounded(function["parameters"])}}


def bounded(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema that limits all texts and lists, so that a rambling model still closes its object."""
    ended: dict[str, Any] = {}
    for key, value in schema.items():
        if isinstance(value, Mapping):
            ended[key] = bounded(value)
        elif isinstance(value, list):
            ended[key] = [bounded(item) if isinstance(item, Mapping) else item for item in value]
        else:
            ended[key] = value
    # xgrammar accepts a pattern or a length, not both.
    if ended.get("type") == "string" and not {"enum", "const", "pattern"} & set(ended):
        ended.setdefault("maxLength", MOST_CHARACTERS)
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
