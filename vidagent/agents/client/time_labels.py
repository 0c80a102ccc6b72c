"""Time labels in the form that a model was trained on, beside the exact times of frames.

Models of the Qwen3-VL family take pictures without `<12.5 seconds>` for unrelated images. The exact time stands first
and is what the agent works with; a time that a reply copies from the other label is turned back into the exact one.
Where two frames would get the same label, or one that is another frame's exact time, there are no such labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from langchain_core.messages import BaseMessage

from vidagent.agents.profiles.schema import TimeLabel
from vidagent.agents.prompting.messages import frame_of, parts_of

_FORMS: Mapping[TimeLabel, Callable[[int, float], tuple[str, float]]] = {
    "<12.3 seconds>": lambda _, time_s: (f"<{time_s:.1f} seconds>", round(time_s, 1)),
    "12.3 seconds": lambda _, time_s: (f"{time_s:.1f} seconds", round(time_s, 1)),
    "12.3": lambda _, time_s: (f"{time_s:.1f}", round(time_s, 1)),
    "00:12": lambda _, time_s: (f"{int(time_s // 60):02d}:{int(time_s % 60):02d}", float(int(time_s))),
    "Frame 1 sampled at 12.30 seconds:": lambda number, time_s: (
        f"Frame {number} sampled at {time_s:.2f} seconds:",
        round(time_s, 2),
    ),
}
"""The label of a frame, by its number from 1 and its time, and the seconds in it."""


class Labelled(NamedTuple):
    """Messages with labels, and the exact times of the times in them."""

    messages: list[BaseMessage]
    exact_s: dict[float, float]


def label_of(form: TimeLabel, number: int, time_s: float) -> str:
    """Return the label of a frame, by its number from 1 and its time."""
    return _FORMS[form](number, time_s)[0]


def with_time_labels(messages: Sequence[BaseMessage], form: TimeLabel | None) -> Labelled:
    """Add a family's label after the exact time of each single frame."""
    times_s = [
        round(frame.time_s, 3)
        for message in messages
        for part in parts_of(message)
        if (frame := frame_of(part)) is not None and not frame.cells_s
    ]
    if form is None or not times_s:
        return Labelled(list(messages), {})
    exact_s: dict[float, float] = {}
    for number, time_s in enumerate(times_s, 1):
        label_s = _FORMS[form](number, time_s)[1]
        if exact_s.setdefault(label_s, time_s) != time_s or (label_s != time_s and label_s in times_s):
            return Labelled(list(messages), {})
    numbers = {time_s: number for number, time_s in enumerate(times_s, 1)}
    return Labelled([_labelled(message, form, numbers) for message in messages], exact_s)


def _labelled(message: BaseMessage, form: TimeLabel, numbers: Mapping[float, int]) -> BaseMessage:
    parts = parts_of(message)
    for place, part in enumerate(parts):
        frame = frame_of(part)
        if frame is None or frame.cells_s or place == 0 or parts[place - 1].get("type") != "text":
            continue
        time_s = round(frame.time_s, 3)
        label = label_of(form, numbers[time_s], time_s)
        parts[place - 1] = {"type": "text", "text": f"{parts[place - 1]['text']} {label}"}
    return message.model_copy(update={"content": parts})
