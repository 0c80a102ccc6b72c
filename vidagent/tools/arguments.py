"""The arguments of the tools: lenient to read, their caps told in the schema."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from vidagent.video.clock import parse_time

__all__ = ["Box1000", "Fps", "Question", "Seconds"]

MAX_QUESTION = 500


def _shorten(value: Any) -> Any:  # noqa: ANN401 - pydantic hands over whatever the model wrote
    return value[:MAX_QUESTION] if isinstance(value, str) else value


Seconds = Annotated[
    float,
    BeforeValidator(parse_time),
    WithJsonSchema({"type": "number", "minimum": 0, "description": "decimal seconds from the first frame"}),
]
"""A time: decimal seconds, or `MM:SS` and `HH:MM:SS` where a model writes those all the same."""

Question = Annotated[str, BeforeValidator(_shorten), Field(min_length=1, max_length=MAX_QUESTION)]
"""A sub-question that can be understood without knowing the rest of the conversation."""

Fps = Annotated[float, Field(gt=0)]
"""Frames a second."""

Box1000 = Annotated[list[float], Field(min_length=4, max_length=4)]
"""`[x0, y0, x1, y1]`, each from 0 to 1000 of the whole frame."""
