"""Frames laid out on shared pictures, for servers that take fewer pictures or tokens than a step has frames.

No frame is left out as long as 16 of them on one picture are enough: each keeps its exact time, in the text before the
picture and under the frame itself. Where the texts alone are too long, the oldest turns go, and data is shortened.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from langchain_core.messages import AIMessage, BaseMessage

from vidagent.agents.client.brief_texts import brief
from vidagent.agents.client.limits import prompt_tokens
from vidagent.agents.prompting.messages import (
    FRAMES_SHOWN,
    Part,
    count_frames,
    frame_load,
    frame_of,
    parts_of,
)
from vidagent.images import jpeg, sheet
from vidagent.images.shown_frame import ShownFrame

_PER_PICTURE = (1, 4, 9, 16)
_LONG_LINE, _SHORT_LINE = 240, 60
"""Most characters of a line of data before frames are left out, and after."""


@dataclass(frozen=True, slots=True)
class Room:
    """What one request may hold; None is unlimited.

    Args:
        pictures: Most pictures.
        tokens: Most tokens of the prompt.
        beside: Estimated tokens of the tools beside the messages.
        frame_tokens: Tokens of one picture.
        scale: How many times longer prompts are than estimated.
        side_px: Longest side of a shared picture.
    """

    pictures: int | None
    tokens: int | None
    beside: int
    frame_tokens: int
    scale: float
    side_px: int

    def holds(self, messages: Sequence[BaseMessage], per_picture: int = 1) -> bool:
        """Tell whether the messages fit with this many frames on each picture."""
        runs = [len(run) for message in messages for run in _runs(parts_of(message))]
        pictures = sum(math.ceil(length / per_picture) for length in runs)
        load = frame_load(messages) if per_picture == 1 else pictures
        if self.pictures is not None and pictures > self.pictures:
            return False
        tokens = self.scale * (self.beside + prompt_tokens(messages, load, self.frame_tokens))
        return self.tokens is None or tokens <= self.tokens


def fitted(messages: Sequence[BaseMessage], room: Room) -> list[BaseMessage]:
    """Return the messages with as many frames on each picture as it takes to fit.

    If that does not do, the oldest turns are left out, then data is shortened, and in the end frames at even distances
    are left out. The shortest form may still be too long.
    """
    sent = list(messages)
    while not room.holds(sent):
        per = next((per for per in _PER_PICTURE if room.holds(sent, per)), None)
        if per is not None:
            return [_on_sheets(message, per, room.side_px) for message in sent]
        shorter = (
            _without_oldest_turn(sent)
            or brief(sent, _LONG_LINE)
            or _with_half_the_frames(sent)
            or brief(sent, _SHORT_LINE)
        )
        if shorter is None:
            return [_on_sheets(message, _PER_PICTURE[-1], room.side_px) for message in sent]
        sent = shorter
    return sent


def _runs(parts: Sequence[Part]) -> Iterator[list[int]]:
    """Yield the places of frames that follow each other, each after its label."""
    run: list[int] = []
    for place, part in enumerate(parts):
        if frame_of(part) is None or place == 0:
            continue
        if run and place != run[-1] + 2:
            yield run
            run = []
        run.append(place)
    if run:
        yield run


def _on_sheets(message: BaseMessage, per_picture: int, side_px: int) -> BaseMessage:
    parts = parts_of(message)
    laid_out: list[Part] = []
    end = 0
    for run in _runs(parts):
        laid_out += parts[end : run[0] - 1]
        for start in range(0, len(run), per_picture):
            places = run[start : start + per_picture]
            labels = [str(parts[place - 1].get("text")).strip() for place in places]
            frames = [frame for place in places if (frame := frame_of(parts[place])) is not None]
            laid_out += _sheet(frames, labels, side_px)
        end = run[-1] + 1
    if not laid_out:
        return message
    fields = {**message.additional_kwargs, FRAMES_SHOWN: count_frames([message])}
    return message.model_copy(update={"content": [*laid_out, *parts[end:]], "additional_kwargs": fields})


def _sheet(frames: Sequence[ShownFrame], labels: Sequence[str], side_px: int) -> list[Part]:
    if len(frames) == 1:
        return [{"type": "text", "text": labels[0]}, {"type": "frame", "frame": frames[0]}]
    columns = math.ceil(math.sqrt(len(frames)))
    drawn = sheet.contact_sheet(
        [jpeg.decode(frame.jpeg) for frame in frames],
        [f"{frame.time_s:.3f} s" for frame in frames],
        columns=columns,
        cell_px=max(32, side_px // columns),
    )
    picture = replace(ShownFrame.of(frames[0].time_s, jpeg.encode(drawn)), cropped=True)
    text = f"\n{len(frames)} frames on one picture, row by row: {', '.join(labels)}\n"
    return [{"type": "text", "text": text}, {"type": "frame", "frame": picture}]


def _without_oldest_turn(messages: Sequence[BaseMessage]) -> list[BaseMessage] | None:
    """Leave out the oldest reply with its results; None if only the last turn is left."""
    turns = [place for place, message in enumerate(messages) if isinstance(message, AIMessage)]
    if len(turns) < 2:
        return None
    return [*messages[: turns[0]], *messages[turns[1] :]]


def _with_half_the_frames(messages: Sequence[BaseMessage]) -> list[BaseMessage] | None:
    """Leave out every second frame with its label; None if one is left."""
    places = [
        (number, place)
        for number, message in enumerate(messages)
        for run in _runs(parts_of(message))
        for place in run
    ]
    if len(places) < 2:
        return None
    dropped = {(number, part) for number, place in places[1::2] for part in (place - 1, place)}
    return [
        message.model_copy(
            update={
                "content": [
                    part for place, part in enumerate(parts_of(message)) if (number, place) not in dropped
                ]
            }
        )
        if any(number == at for at, _ in dropped)
        else message
        for number, message in enumerate(messages)
    ]
