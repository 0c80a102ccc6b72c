"""Functions become tools: the schema from the signature, the description from the docstring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.tools import StructuredTool
from pydantic import BaseModel


def make_tool(function: Callable[..., Any], **caps: object) -> StructuredTool:
    """Make a tool of a function with a Google docstring.

    Args:
        function: What the tool does; its docstring is the prompt.
        **caps: Values for the `{names}` in the docstring, so that the model is told its limits.
    """
    tool = StructuredTool.from_function(function, parse_docstring=True)
    tool.description = " ".join(tool.description.split()).format(**caps)
    schema = tool.args_schema
    assert isinstance(schema, type) and issubclass(schema, BaseModel)  # noqa: S101, PT018 - made from a function
    for field in schema.model_fields.values():
        field.description = " ".join((field.description or "").split()).format(**caps)
    schema.model_rebuild(force=True)
    return tool
