"""What time a server writes beside each frame of a video, against the time at which a player shows that frame."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.live.rates import shown_times
from tests.live.server import Messages, Server
from tests.live.serving import NEMOTRON, QWEN, Shape
from vidagent.agents.client.chat_model import connect
from vidagent.agents.client.media import place
from vidagent.agents.profiles.schema import Form, Media
from vidagent.agents.prompting.messages import look_messages
from vidagent.images import jpeg
from vidagent.images.shown_frame import ShownFrame
from vidagent.video.video import Video

MERGED = 2
"""Frames that Qwen3-VL puts under one label, with the mean of their times."""

_SIDE_PX = 160


@dataclass(frozen=True)
class Labels:
    """How a model's labels read.

    Args:
        shape: The model.
        pattern: A label; its group is the time in seconds.
        rounding_s: How far the last digit may be off.
        media: How the client may send videos to it.
    """

    shape: Shape
    pattern: re.Pattern[str]
    rounding_s: float
    media: Media


LABELS = (
    Labels(
        QWEN,
        re.compile(r"<(\d+\.\d) seconds>"),
        0.05,
        Media(per_request=True, video_processor={"do_sample_frames": False}),
    ),
    Labels(
        NEMOTRON,
        re.compile(r"[Ff]rame \d+ sampled at (\d+\.\d\d) seconds"),
        0.005,
        Media(per_request=True),
    ),
)


@dataclass(frozen=True)
class Sent:
    """A request with one video, and when the frames in it are shown.

    Args:
        messages: The messages.
        fields: Fields of the request beside them.
        times_s: The true time of each frame that the model gets, as the video's own clock should have it.
    """

    messages: Messages
    fields: Mapping[str, Any]
    times_s: tuple[float, ...]


def as_it_is(path: Path, *, fps: float, num_frames: int) -> Sent:
    """Send the file, for the server to sample: frames evenly spaced by their numbers, the last one included."""
    shown_s = shown_times(path)
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
    count = min(num_frames, int(len(shown_s) / rate * fps))
    picked = np.linspace(0, len(shown_s) - 1, count, dtype=int)
    url = "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
    message = {"role": "user", "content": [{"type": "video_url", "video_url": {"url": url}}]}
    sampling = {"video": {"fps": fps, "num_frames": num_frames}}
    return Sent([message], {"media_io_kwargs": sampling}, tuple(shown_s[number] for number in picked))


def of_ours(path: Path, media: Media, form: Form, times_s: Sequence[float]) -> Sent:
    """Send frames of the file as the client would, in one of its forms; an mp4 has a clock of its own."""
    with Video.open(path) as video:
        frames = video.frames_at(times_s, max_side_px=_SIDE_PX)
    shown = [ShownFrame.of(frame.time_s, jpeg.encode(frame.rgb)) for frame in frames]
    asked = look_messages("When?", None, "the bar", shown)
    made = place(asked, dataclasses.replace(media, forms={"look": form}), "look")
    payload = connect("http://127.0.0.1/v1", "any")._get_request_payload(made.messages)
    first_s = shown[0].time_s if form == "mp4" else 0.0
    return Sent(
        payload["extra_body"]["messages"], made.body, tuple(frame.time_s - first_s for frame in shown)
    )


FORMS: dict[str, Callable[[Path, Media], Sent]] = {
    "the file, 2 fps": lambda path, _: as_it_is(path, fps=2, num_frames=128),
    "the file, 16 frames": lambda path, _: as_it_is(path, fps=60, num_frames=16),
    "our mp4, 8 s of 4 fps": lambda path, media: of_ours(path, media, "mp4", [3 + i / 4 for i in range(32)]),
    "our frames, 30 s": lambda path, media: of_ours(path, media, "frames", [i / 2 for i in range(60)]),
}
"""The ways to show a video to the model, by name."""


def off_s(server: Server, labels: Labels, sent: Sent) -> list[float]:
    """Return by how many seconds each label is above the truth; of merged frames, above their mean."""
    prompt = server.prompt(sent.messages, **sent.fields)
    said = [float(time) for time in labels.pattern.findall(prompt)]
    true_s = _merged(sent.times_s) if labels.shape is QWEN else list(sent.times_s)
    return [label - time for label, time in zip(said, true_s, strict=True)]


def _merged(times_s: Sequence[float]) -> list[float]:
    """Return the means of pairs; an odd last frame is a pair with itself."""
    whole = [*times_s, *times_s[-1:] * (len(times_s) % MERGED)]
    return [sum(whole[place : place + MERGED]) / MERGED for place in range(0, len(whole), MERGED)]
