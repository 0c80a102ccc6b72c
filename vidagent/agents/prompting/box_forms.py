"""Boxes in the form that a family of models was trained on: asked for in that form, and read as thousandths.

A model asked for another form than its own writes its own all the same, or boxes that are wrong. The agent works with
`xyxy` in thousandths of the picture; each profile names its family's form (`boxes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Annotated

from langchain_core.messages import BaseMessage
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema, create_model

from vidagent.agents.prompting.messages import frame_of, parts_of
from vidagent.agents.prompting.replies import Observation, Sighting, numbers, ordered, outline, timed_entries
from vidagent.images.box_forms import BoxForm, as_thousandths, described, number_count
from vidagent.images.shown_frame import ShownFrame


@cache
def asked_as(schema: type[BaseModel], form: BoxForm) -> type[BaseModel]:
    """Return the schema of a reply with boxes in a family's form; the same schema where it has no boxes."""
    if schema is not Observation or form == "x_first":
        return schema
    count = number_count(form)
    items = {"type": "array", "items": {"type": "number"}, "minItems": count, "maxItems": count}
    box = Annotated[
        tuple[float, ...] | None,
        BeforeValidator(numbers),
        WithJsonSchema({"anyOf": [items, {"type": "null"}]}),
    ]
    where = f"where it is in the picture: {described(form, 'that picture')}; null if it has no place"
    sighting = create_model(
        "Sighting", __base__=Sighting, __doc__=Sighting.__doc__, box=(box, Field(None, description=where))
    )
    what = Observation.model_fields["sightings"].description
    entries = Annotated[list[sighting], BeforeValidator(timed_entries)]  # type: ignore[valid-type]
    return create_model(
        "Observation",
        __base__=Observation,
        __doc__=Observation.__doc__,
        sightings=(entries, Field(default_factory=list, description=what)),
    )


def with_box_form(messages: Sequence[BaseMessage], form: BoxForm) -> list[BaseMessage]:
    """Return the messages with the outline of a look's reply in a family's form."""
    usual, asked = outline(Observation), outline(asked_as(Observation, form))
    return [
        message.model_copy(update={"content": message.content.replace(usual, asked)})
        if isinstance(message.content, str) and usual in message.content
        else message
        for message in messages
    ]


def frames_in(messages: Sequence[BaseMessage]) -> list[ShownFrame]:
    """Return the single frames of a request, in order."""
    frames = (frame_of(part) for message in messages for part in parts_of(message))
    return [frame for frame in frames if frame is not None and not frame.cells_s]


def in_thousandths(sighting: Sighting, form: BoxForm, frames: Sequence[ShownFrame]) -> Sighting:
    """Return a sighting with its box as `xyxy` in thousandths of the frame with its time.

    Args:
        sighting: As the model wrote it, with the exact time of a frame.
        form: The form of its box.
        frames: The frames shown, for their sizes.
    """
    box: Sequence[float] | None = sighting.box
    if box is None or form == "x_first":
        return sighting
    frame = min(frames, key=lambda frame: abs(frame.time_s - sighting.time_s), default=None)
    box = as_thousandths(box, form, None if frame is None else frame.size_wh)
    return Sighting.model_construct(**{**dict(sighting), "box": ordered(box)})
