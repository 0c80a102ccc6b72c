"""Time labels in the form that a model was trained on, beside the exact times of frames.

Models of the Qwen3-VL family take pictures without `<12.5 seconds>` for unrelated images. The exact time stands first
and is what the agent works with; a time that a reply copies from the other label is turned back into the exact one.
Where two frames would get the same label, or one that is another frame's exact time, and where a reply may hold other
times than those of its frames, as a planner's may, the label has milliseconds, and is exact itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from langchain_core.messages import BaseMessage

from vidagent.agents.profiles.schema import TimeLabel
from vidagent.agents.prompting.messages import frame_of, parts_of

_EXACT = 3
"""Digits of milliseconds."""


class _Form(NamedTuple):
    """How a family writes a time: to how many digits of a second, and how, by the frame's number from 1."""

    digits: int
    written: Callable[[int, str], str]
    clock: bool = False


_FORMS: Mapping[TimeLabel, _Form] = {
    "<12.3 seconds>": _Form(1, lambda _, time: f"<{time} seconds>"),
    "12.3 seconds": _Form(1, lambda _, time: f"{time} seconds"),
    "12.3": _Form(1, lambda _, time: time),
    "00:12": _Form(0, lambda _, time: time, clock=True),
    "Frame 1 sampled at 12.30 seconds:": _Form(
        2, lambda number, time: f"Frame {number} sampled at {time} seconds:"
    ),
}


class Labelled(NamedTuple):
    """Messages with labels, and the exact times of the times in them."""

    messages: list[BaseMessage]
    exact_s: dict[float, float]


def label_of(form: TimeLabel, number: int, time_s: float, *, exact: bool = False) -> str:
    """Return the label of a frame.

    Args:
        form: The family's form.
        number: The frame's number from 1.
        time_s: Its time.
        exact: Whether to write milliseconds, rather than the digits of the family.
    """
    digits, written, clock = _FORMS[form]
    digits = _EXACT if exact else digits
    if not clock:
        return written(number, f"{time_s:.{digits}f}")
    minutes, seconds = divmod(_read_s(form, time_s, exact=exact), 60)
    return written(number, f"{minutes:02.0f}:{seconds:0{digits + 3 if digits else 2}.{digits}f}")


def with_time_labels(
    messages: Sequence[BaseMessage], form: TimeLabel | None, *, exact: bool = False
) -> Labelled:
    """Add a family's label after the exact time of each single frame.

    Args:
        messages: Messages with frames.
        form: The family's form; None for no labels.
        exact: Whether to write milliseconds even where fewer digits would do.
    """
    times_s = [
        round(frame.time_s, _EXACT)
        for message in messages
        for part in parts_of(message)
        if (frame := frame_of(part)) is not None and not frame.cells_s
    ]
    if form is None or not times_s:
        return Labelled(list(messages), {})
    exact_s = {} if exact else _exact_times(form, times_s)
    numbers = {time_s: number for number, time_s in enumerate(times_s, 1)}
    labels = {time_s: label_of(form, number, time_s, exact=not exact_s) for time_s, number in numbers.items()}
    return Labelled([_labelled(message, labels) for message in messages], exact_s)


def _exact_times(form: TimeLabel, times_s: Sequence[float]) -> dict[float, float]:
    """Return the exact time of each time in a label; none if a label would stand for two."""
    exact_s: dict[float, float] = {}
    for time_s in times_s:
        label_s = _read_s(form, time_s)
        if exact_s.setdefault(label_s, time_s) != time_s or (label_s != time_s and label_s in times_s):
            return {}
    return exact_s


def _read_s(form: TimeLabel, time_s: float, *, exact: bool = False) -> float:
    """Return the seconds in a frame's label."""
    digits, _, clock = _FORMS[form]
    return float(int(time_s)) if clock and not exact else round(time_s, _EXACT if exact else digits)


def _labelled(message: BaseMessage, labels: Mapping[float, str]) -> BaseMessage:
    parts = parts_of(message)
    for place, part in enumerate(parts):
        frame = frame_of(part)
        if frame is None or frame.cells_s or place == 0 or parts[place - 1].get("type") != "text":
            continue
        label = labels[round(frame.time_s, _EXACT)]
        parts[place - 1] = {"type": "text", "text": f"{parts[place - 1]['text']} {label}"}
    return message.model_copy(update={"content": parts})
