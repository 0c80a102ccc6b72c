"""The arguments of the tools: lenient to read, their caps told in the schema."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from vidagent.video.clock import parse_time

MAX_QUESTION = 500


def _shorten(value: Any) -> Any:  # noqa: ANN401 - pydantic hands over whatever the model wrote
    return value[:MAX_QUESTION] if isinstance(value, str) else value


def _seconds(value: Any) -> float:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"a time must be a number of seconds, such as 75.2, got {value!r}")
    return parse_time(value)


def _thousandths(box: list[float]) -> list[float]:
    """Refuse pixels and fractions: both would show another place than was meant."""
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
"""A sub-question that can be understood without knowing the rest of the conversation."""

Fps = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Frames a second."""

Box1000 = Annotated[list[float], Field(min_length=4, max_length=4), AfterValidator(_thousandths)]
"""`[x0, y0, x1, y1]`, each from 0 to 1000 of the whole frame."""
