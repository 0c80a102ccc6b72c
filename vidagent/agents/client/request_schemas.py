"""Schemas of requests: of a turn of calls, of strict tools, and with limits on every text and list."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_function, convert_to_openai_tool
from pydantic import BaseModel

from vidagent.agents.client.limits import estimate_tokens
from vidagent.agents.prompting.replies import MOST_CHARACTERS

_MOST_CALLS = 6
"""Most calls in one turn."""
_MOST_ITEMS = 48


Tool = BaseTool | type[BaseModel] | dict[str, Any]

_DESCRIBED: dict[tuple[str, str, str], dict[str, Any]] = {}
_MOST_DESCRIBED = 256
_REPLIES: WeakKeyDictionary[type[BaseModel], dict[str, Any]] = WeakKeyDictionary()


def described(tool: Tool) -> dict[str, Any]:
    """Return a tool as it is sent to a server; it must not be changed.

    LangChain takes milliseconds to make it. Runs make their tools anew, so equal ones are known by their words and the
    fields of their arguments, whose types are defined in modules.
    """
    schema = tool.args_schema if isinstance(tool, BaseTool) else None
    if not isinstance(tool, BaseTool) or not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        return convert_to_openai_tool(tool)
    key = (tool.name, tool.description, repr(schema.model_fields))
    made = _DESCRIBED.get(key)
    if made is None:
        if len(_DESCRIBED) >= _MOST_DESCRIBED:
            _DESCRIBED.clear()
        made = _DESCRIBED[key] = convert_to_openai_tool(tool)
    return made


def reply_schema(reply: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a typed reply, which is made once; it must not be changed."""
    made = _REPLIES.get(reply)
    if made is None:
        made = _REPLIES[reply] = reply.model_json_schema()
    return made


def tool_tokens(tools: Sequence[Tool]) -> int:
    """Estimate the tokens of the tools' descriptions."""
    return estimate_tokens(sum(len(json.dumps(described(tool))) for tool in tools))


def tool_name(tool: Tool) -> str:
    """Return the name by which a tool is called."""
    return str(described(tool)["function"]["name"])


def calls_schema(tools: Sequence[Tool], must_call: str | None = None) -> dict[str, Any]:
    """Return the schema of a turn that contains only calls of these tools, or of the one that must be called."""
    functions = [described(tool)["function"] for tool in tools]
    offered = [one for one in functions if must_call in (None, one["name"])]
    call = {"anyOf": [_call(function) for function in offered]}
    items = {"type": "array", "items": call, "minItems": 1, "maxItems": 1 if must_call else _MOST_CALLS}
    return _object({"calls": items})


def strict_tool(tool: Tool) -> dict[str, Any]:
    """Return a tool whose arguments are constrained to their schema during generation."""
    made = described(tool)
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
