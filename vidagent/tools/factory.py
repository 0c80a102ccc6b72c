"""Tools from functions: the docstring is the prompt, and the argument types read leniently what models write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from langchain_core.tools import StructuredTool
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from vidagent.images.box_forms import BoxForm, as_thousandths, described, number_count
from vidagent.video.clock import parse_time

MAX_QUESTION = 500


def _shorten(value: Any) -> Any:  # noqa: ANN401 - pydantic hands over whatever the model wrote
    return value[:MAX_QUESTION] if isinstance(value, str) else value


def _seconds(value: Any) -> float:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"a time must be a number of seconds, such as 75.2, got {value!r}")
    return parse_time(value)


Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"type": "number", "minimum": 0}),
]
"""A time: decimal seconds, as the planner's prompt says once, or `MM:SS` and `HH:MM:SS` where a model writes those."""

Question = Annotated[str, BeforeValidator(_shorten), Field(min_length=1, max_length=MAX_QUESTION)]
"""A sub-question that can be understood without the rest of the conversation."""

Fps = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Frames a second."""

_AROUND_POINT = 250.0
"""Sides of the part around a point, in thousandths."""


def box_argument(form: BoxForm, size_wh: tuple[int, int]) -> Any:  # noqa: ANN401 - a type made here
    """Return the type of an optional box in a model's own form, read as `[x0, y0, x1, y1]` in thousandths.

    Args:
        form: The form.
        size_wh: Size of the whole frame.
    """

    def read(box: list[float]) -> list[float]:
        """Refuse what would show a place other than the one meant."""
        if form in {"x_first", "y_first"} and max(box) <= 1:
            raise ValueError("sides are in thousandths of the frame, from 0 to 1000, not fractions of 1")
        sides = as_thousandths(box, form, size_wh, _AROUND_POINT)
        if form == "point" and all(0 <= side <= 1000 for side in box):
            sides = [min(max(side, 0.0), 1000.0) for side in sides]
        if not all(0 <= side <= 1000 for side in sides):
            raise ValueError(f"a side is outside the frame: give {described_box(form, size_wh)}")
        if sides[0] >= sides[2] or sides[1] >= sides[3]:
            raise ValueError("a box has its left below its right, and its top below its bottom")
        return sides

    count = number_count(form)
    return Annotated[list[float], Field(min_length=count, max_length=count), AfterValidator(read)] | None


def described_box(form: BoxForm, size_wh: tuple[int, int]) -> str:
    """Return how a part of the whole frame is to be written."""
    return described(form, f"the whole frame, which is {size_wh[0]}x{size_wh[1]}")


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
