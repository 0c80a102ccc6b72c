"""Tools from functions: the docstring is the prompt, and the argument types read leniently what models write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from langchain_core.tools import StructuredTool
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from vidagent.video.clock import parse_time

MAX_QUESTION = 500


def _shorten(value: Any) -> Any:  # noqa: ANN401 - pydantic hands over whatever the model wrote
    return value[:MAX_QUESTION] if isinstance(value, str) else value


def _seconds(value: Any) -> float:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"a time must be a number of seconds, such as 75.2, got {value!r}")
    return parse_time(value)


def _thousandths(box: list[float]) -> list[float]:
    """Refuse pixels and fractions: either would show a place other than the one meant."""
    if not all(0 <= side <= 1000 for side in box):
        raise ValueError("each side must be from 0 to 1000, in thousandths of the frame's width and height")
    if max(box) <= 1:
        raise ValueError("sides are in thousandths of the frame, from 0 to 1000, not fractions of 1")
    if box[0] >= box[2] or box[1] >= box[3]:
        raise ValueError("a box is [left, top, right, bottom]: left below right, top below bottom")
    return box


Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"type": "number", "minimum": 0, "description": "decimal seconds from the first frame"}),
]
"""A time: decimal seconds, or `MM:SS` and `HH:MM:SS` where a model writes those all the same."""

Question = Annotated[str, BeforeValidator(_shorten), Field(min_length=1, max_length=MAX_QUESTION)]
"""A sub-question that can be understood without the rest of the conversation."""

Fps = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Frames a second."""

Box1000 = Annotated[list[float], Field(min_length=4, max_length=4), AfterValidator(_thousandths)]
"""`[x0, y0, x1, y1]`, each from 0 to 1000 of the whole frame."""


def make_tool(function: Callable[..., Any], **caps: object) -> StructuredTool:
    """Make a tool of a function with a Google docstring.

    Args:
        function: What the tool does; its docstring is the prompt.
        **caps: Values for the `{names}` in the docstring, such as its limits.
    """
    tool = StructuredTool.from_function(function, parse_docstring=True)
    tool.description = " ".join(tool.description.split()).format(**caps)
    schema = tool.args_schema
    assert isinstance(schema, type) and issubclass(schema, BaseModel)  # noqa: S101, PT018 - made from a function
    for field in schema.model_fields.values():
        field.description = " ".join((field.description or "").split()).format(**caps)
    schema.model_rebuild(force=True)
    return tool
