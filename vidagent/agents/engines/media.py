"""Pictures and videos of messages as arrays, for engines that do not fetch them themselves."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import cv2
import numpy as np
import numpy.typing as npt

from vidagent.errors import ModelError, UsageError
from vidagent.video.sampling import sample_indices
from vidagent.video.video import Video

Pixels = npt.NDArray[np.uint8]

_LISTED = "data:video/jpeg;base64,"
_MS = 1000.0


def read_video(
    path: str | Path,
    *,
    fps: float | None = None,
    num_frames: int | None = None,
    max_frames: int | None = None,
) -> tuple[Pixels, dict[str, Any]]:
    """Sample a video: frames as one array, and the metadata that models with times read.

    A model's processor divides a frame's number by the rate, Nemotron's with whole milliseconds a frame: so the numbers
    are milliseconds, at 1000 a second. With the rate of the sample and the numbers of the video, as in the model card
    of Nemotron Nano 12B v2 VL, the times would be too late.

    Raises:
        VideoError: If it cannot be read.
        UsageError: If a number is out of range.
    """
    with Video.open(str(path)) as video:
        times = video.frame_times(0.0, video.info.duration_s + 1.0)
        chosen = sample_indices(
            len(times), video.info.fps, fps=fps, num_frames=num_frames, max_frames=max_frames
        )
        shown_s = [float(times[index]) for index in chosen.indices]
        frames = np.stack([frame.rgb for frame in video.frames_at(shown_s)])
        duration_s = video.info.duration_s
    about = {
        "total_num_frames": round(duration_s * _MS),
        "fps": _MS,
        "duration": duration_s,
        "frames_indices": [round(time_s * _MS) for time_s in shown_s],
        "video_backend": "opencv",
        "do_sample_frames": False,
    }
    return frames, about


def media_of(
    messages: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any] | None = None
) -> tuple[list[Pixels], list[tuple[Pixels, dict[str, Any]]]]:
    """Return the images and the videos of messages, each in order.

    Args:
        messages: The messages.
        sampling: How the request's videos are sampled, as in vLLM's `media_io_kwargs`.
    """
    images, videos = [], []
    for part in _parts(messages):
        if part["type"] == "image_url":
            images.append(_image(part["image_url"]["url"]))
        elif part["type"] == "video_url":
            videos.append(_video(part["video_url"]["url"], sampling or {}))
        elif part["type"] == "video":
            videos.append(part["video"])
    return images, videos


def placeholders(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return messages for a chat template, with a placeholder for each picture and video."""

    def marked(content: Any) -> Any:  # noqa: ANN401 - a text or parts
        if isinstance(content, str):
            return content
        return [
            part if part["type"] == "text" else {"type": part["type"].partition("_")[0]} for part in content
        ]

    return [{**message, "content": marked(message["content"])} for message in messages]


def _parts(messages: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for message in messages:
        if not isinstance(message["content"], str):
            yield from message["content"]


def is_listed(url: str) -> bool:
    """Tell whether a video is a list of pictures, whose times are in the request."""
    return url.startswith(_LISTED)


def _video(url: str, sampling: Mapping[str, Any]) -> tuple[Pixels, dict[str, Any]]:
    if not is_listed(url):
        limits = {name: sampling[name] for name in ("fps", "num_frames") if sampling.get(name)}
        if len(limits) == 2:  # both are limits, as vLLM reads them
            return read_video(_path(url), fps=limits["fps"], max_frames=limits["num_frames"])
        return read_video(_path(url), **limits)
    frames = np.stack([_picture(base64.b64decode(one)) for one in url.removeprefix(_LISTED).split(",")])
    about = {name: sampling[name] for name in ("frames_indices", "fps", "duration") if name in sampling}
    total = sampling.get("total_num_frames", len(frames))
    backend = {"video_backend": "opencv", "do_sample_frames": False}
    return frames, {"total_num_frames": total, **about, **backend}


def _image(url: str) -> Pixels:
    if url.startswith("data:"):
        data = base64.b64decode(url.partition(",")[2])
    else:
        try:
            data = Path(_path(url)).read_bytes()
        except OSError as error:
            raise UsageError(f"image {url} cannot be read: {error.strerror}") from None
    return _picture(data)


def _picture(data: bytes) -> Pixels:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ModelError("a picture of the request is not an image")
    return image.astype(np.uint8, copy=False)


def _path(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"", "file"}:
        raise UsageError(f"an engine in process reads file:// and data: URLs, not {parts.scheme}://")
    return unquote(parts.path)
