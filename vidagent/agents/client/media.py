"""Media formats: convert a request's frames to the format that the model's profile names for its server.

Everywhere else a frame is a value after a text with its time. Here it becomes a picture in a data URL, or whole frames
in a row become one video: a list of JPEGs with the time of each (vLLM's pre-sampled video), or an mp4 from which the
server takes every frame. Frames that such a format cannot express exactly stay a row of pictures.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from langchain_core.messages import BaseMessage

from vidagent.agents.profiles.schema import Form, Media, Shown
from vidagent.agents.prompting.messages import (
    FRAME_REFS,
    FRAMES_SHOWN,
    Part,
    count_frames,
    count_shown,
    frame_of,
    parts_of,
    picture_of,
)
from vidagent.images import mp4
from vidagent.images.shown_frame import ShownFrame

_MS = 1000
_UNEVEN = 0.25
"""Most that a frame of an mp4 may lie off its even place, in steps. The time that a server writes is then three times
as near to its own frame as to any other, so it maps back to it even when rounded."""


@dataclass(frozen=True, slots=True)
class PlacedMedia:
    """Messages in one server's format.

    Args:
        messages: The messages.
        body: Request fields that belong to their media.
    """

    messages: list[BaseMessage]
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Row:
    """Consecutive whole frames of one size: the message, the index of the first label in it, and the frames."""

    message: int
    start: int
    frames: tuple[ShownFrame, ...]

    @property
    def times_s(self) -> list[float]:
        """The times in the labels, to the millisecond."""
        return [round(frame.time_s, 3) for frame in self.frames]


@dataclass(frozen=True, slots=True)
class _Film:
    """A row as a video: its description, the video, and the server's sampling options."""

    text: str
    url: str
    sampling: Mapping[str, Any]


def place(messages: Sequence[BaseMessage], media: Media, shown: Shown) -> PlacedMedia:
    """Convert a request's frames to the format that the profile has for their purpose.

    At most one row becomes a video, the longest: a server applies the times of listed frames to every video in the
    request.

    Args:
        messages: Messages with labelled frames.
        media: The profile's media settings.
        shown: What the frames are shown for.
    """
    form = media.forms.get(shown, "images")
    rows = [] if form == "images" else [row for row in _rows(messages) if len(row.frames) > 1]
    row = max(rows, key=lambda row: len(row.frames), default=None)
    video = None if row is None else _filmed(row, form, media)
    sent = list(messages)
    if row is not None and video is not None:
        sent[row.message] = _replaced(sent[row.message], row, video)
    body = _body(media, video, pictures=count_frames(sent) > 0)
    wire = [_on_wire(message, body, named=media.image_ids) for message in sent]
    return PlacedMedia([_with_count(*pair) for pair in zip(messages, wire, strict=True)], body)


def holds_video(messages: Sequence[BaseMessage]) -> bool:
    """Tell whether the messages contain a video."""
    return any(part.get("type") == "video_url" for message in messages for part in parts_of(message))


def _rows(messages: Sequence[BaseMessage]) -> Iterator[_Row]:
    for number, message in enumerate(messages):
        shown = [(place, frame_of(part)) for place, part in enumerate(parts_of(message))]
        whole = [
            (place, frame)
            for place, frame in shown
            if frame is not None and not (frame.cropped or frame.cells_s)
        ]
        # Frames in a row are two parts apart, so `place - 2 * index` changes where a row ends.
        keyed = [
            ((place - 2 * index, frame.size_wh), place, frame) for index, (place, frame) in enumerate(whole)
        ]
        for _, items in groupby(keyed, key=lambda item: item[0]):
            row = list(items)
            label = row[0][1] - 1
            yield _Row(number, label, tuple(frame for _, _, frame in row))


def _filmed(row: _Row, form: Form, media: Media) -> _Film | None:
    """Make a video of a row, or None if the format cannot express its times."""
    if len(row.frames) > media.video_frames:
        return None
    return _listed(row, media) if form == "frames" else _encoded(row, media)


def _listed(row: _Row, media: Media) -> _Film | None:
    """List the JPEGs. A server divides frame numbers by the frame rate: at 1000 a second they are milliseconds."""
    if not media.per_request:
        return None
    indices = [round(time_s * _MS) for time_s in row.times_s]
    total = max(indices[-1] + 1, len(indices))
    sampling = {
        "fps": _MS,
        "num_frames": -1,
        "frames_indices": indices,
        "total_num_frames": total,
        "duration": total / _MS,
    }
    data = ",".join(_base64(frame.jpeg) for frame in row.frames)
    return _Film(_description(row), f"data:video/jpeg;base64,{data}", sampling)


def _encoded(row: _Row, media: Media) -> _Film | None:
    """Make an mp4, if the frames are evenly spaced and the server will use each of them."""
    step_s = _even_step(row.times_s)
    if step_s is None:
        return None
    count, rate = len(row.frames), 1 / step_s
    sampling: dict[str, Any] = {}
    if media.per_request:
        sampling = {"num_frames": count}
        if media.sampling == "both":
            sampling["fps"] = math.ceil(rate) + 1  # above its own, as a server takes floor(duration * fps)
    elif math.floor(count / rate * media.video_fps) < count:
        return None
    data = _base64(mp4.encode([frame.jpeg for frame in row.frames], step_s))
    return _Film(_description(row, own_clock=True), f"data:video/mp4;base64,{data}", sampling)


def _even_step(times_s: Sequence[float]) -> float | None:
    """Return the seconds between frames, or None if they are not evenly spaced."""
    step_s = (times_s[-1] - times_s[0]) / (len(times_s) - 1)
    places = (times_s[0] + number * step_s for number in range(len(times_s)))
    off_s = max(abs(time_s - place) for time_s, place in zip(times_s, places, strict=True))
    return step_s if step_s > 0 and off_s <= _UNEVEN * step_s else None


def _description(row: _Row, *, own_clock: bool = False) -> str:
    """Describe the video with its exact times, as those that a server writes beside frames are rounded or averaged."""
    first_s, last_s = row.times_s[0], row.times_s[-1]
    clock = "The times written in it are rounded."
    if own_clock and first_s > 0:
        clock = (
            f"Its own clock begins at t = {first_s:.3f} s: add {_exact(first_s)} to the times written in it."
        )
    times = ", ".join(map(_exact, row.times_s))
    return (
        f"A video of {len(row.frames)} frames, from t = {first_s:.3f} s to t = {last_s:.3f} s. {clock} "
        f"The exact times of its frames, in order, in seconds: {times}\n"
    )


def _exact(time_s: float) -> str:
    return f"{time_s:.3f}".rstrip("0").rstrip(".")


def _replaced(message: BaseMessage, row: _Row, video: _Film) -> BaseMessage:
    parts, end = parts_of(message), row.start + 2 * len(row.frames)
    film_parts: list[Part] = [
        {"type": "text", "text": video.text},
        {"type": "video_url", "video_url": {"url": video.url}},
    ]
    return message.model_copy(update={"content": [*parts[: row.start], *film_parts, *parts[end:]]})


def _body(media: Media, video: _Film | None, *, pictures: bool) -> dict[str, Any]:
    if not media.per_request:
        return {}
    processor = {**(media.processor if pictures else {}), **(media.video_processor if video else {})}
    body: dict[str, Any] = {"mm_processor_kwargs": processor} if processor else {}
    if video is not None:
        body["media_io_kwargs"] = {"video": dict(video.sampling)}
    return body


def _on_wire(message: BaseMessage, body: Mapping[str, Any], *, named: bool) -> BaseMessage:
    """Turn the frames of a message into pictures in data URLs, and name pictures and videos if asked to.

    A name is a key for the server's cache. It includes the options for tiling or sampling, as the server would
    otherwise reuse what it made of the same bytes with other options. Content behind a URL may change, so it gets no
    name.
    """
    parts = parts_of(message)
    frames = [frame for part in parts if (frame := frame_of(part)) is not None]
    sent = [_picture(part) for part in parts] if frames else parts
    if named:
        sent = [_with_name(part, wire, body) for part, wire in zip(parts, sent, strict=True)]
    if sent == parts:
        return message
    update: dict[str, Any] = {"content": sent}
    if frames and len(frames) == sum(part.get("type") in {"frame", "image_url"} for part in parts):
        refs = [frame.ref for frame in frames]
        update["additional_kwargs"] = {**message.additional_kwargs, FRAME_REFS: refs}
    return message.model_copy(update=update)


def _with_count(message: BaseMessage, wire: BaseMessage) -> BaseMessage:
    """Keep how many frames a message shows where the pictures in it no longer tell."""
    shown = count_shown([message])
    if shown == count_shown([wire]):
        return wire
    return wire.model_copy(update={"additional_kwargs": {**wire.additional_kwargs, FRAMES_SHOWN: shown}})


def _picture(part: Part) -> Part:
    frame = frame_of(part)
    if frame is None:
        return part
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{_base64(frame.jpeg)}"}}


def _with_name(part: Part, wire: Part, body: Mapping[str, Any]) -> Part:
    frame, made = frame_of(part), body.get("mm_processor_kwargs")
    if frame is not None and not made:
        return {**wire, "uuid": frame.ref}
    picture = picture_of(part) if frame is None else frame.jpeg
    if picture is not None:
        return {**wire, "uuid": _digest(picture, made)}
    if part.get("type") == "video_url" and part["video_url"]["url"].startswith("data:"):
        return {**wire, "uuid": _digest(part["video_url"]["url"].encode("ascii"), body)}
    return wire


def _digest(data: bytes, made: Mapping[str, Any] | None) -> str:
    digest = hashlib.sha256(data)
    if made:
        digest.update(json.dumps(made, sort_keys=True).encode())
    return digest.hexdigest()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
