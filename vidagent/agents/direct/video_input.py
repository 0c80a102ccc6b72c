"""A video for a question: its source, the frames to take, and how it is sent to one server."""

from __future__ import annotations

import dataclasses
import mimetypes
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from langchain_core.messages import HumanMessage

from vidagent.agents.client import media
from vidagent.agents.direct.attachments import Source, as_source, data_url, is_data, is_web, unpack
from vidagent.agents.profiles.schema import Form, Media, Profile
from vidagent.agents.prompting.messages import Part, frames_content, parts_of
from vidagent.errors import UsageError
from vidagent.images import jpeg
from vidagent.images.shown_frame import ShownFrame
from vidagent.types import Overview
from vidagent.video.sampling import Sampling, sample_indices
from vidagent.video.source import check
from vidagent.video.video import Video

_MP4 = "video/mp4"
_DECODED = 16
"""Frames decoded at a time; only their JPEGs are stored."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A video for a question, made by `video`.

    Args:
        source: Its source.
        fps: Frames to take per second.
        num_frames: Frames to take in all.
        max_frames: Most frames to take.
        indices: Indices of the frames to take.
        here: Whether the frames are chosen and decoded locally.
    """

    source: Source
    fps: float | None = None
    num_frames: int | None = None
    max_frames: int | None = None
    indices: tuple[int, ...] = ()
    here: bool = False

    @property
    def sampled(self) -> bool:
        """Whether a rate or a number of frames is requested."""
        return self.fps is not None or self.num_frames is not None

    def url(self) -> str:
        """Return the URL for a message: a web or file URL as it is, anything else as a data URL.

        Raises:
            VideoError: If it is a path, and no video can be read there.
        """
        if isinstance(self.source, str):
            return self.source
        if isinstance(self.source, bytes):
            return data_url(self.source, _MP4)
        kind = mimetypes.guess_type(self.source.name)[0] or _MP4
        return data_url(check(self.source).read_bytes(), kind if kind.startswith("video/") else _MP4)

    @contextmanager
    def file(self) -> Iterator[Path | None]:
        """Yield the path of a file to decode; None if only the server can read the video."""
        if isinstance(self.source, Path):
            yield self.source
        elif isinstance(self.source, bytes) or is_data(self.source):
            data = self.source if isinstance(self.source, bytes) else unpack(self.source, "video")
            with tempfile.NamedTemporaryFile(suffix=".mp4") as copy:
                copy.write(data)
                copy.flush()
                yield Path(copy.name)
        else:
            path = None if is_web(self.source) else Path(url2pathname(urlsplit(self.source).path))
            yield path if path is not None and path.is_file() else None


def video(
    source: str | os.PathLike[str] | bytes,
    *,
    fps: float | None = None,
    num_frames: int | None = None,
    max_frames: int | None = None,
    indices: Sequence[int] = (),
    here: bool = False,
) -> Clip:
    """Attach a video.

    Without any limit on frames, the server samples them by its own default.

    Args:
        source: An http or https URL, which the server fetches; a `file://` URL, which the server reads, if it may; a
            data URL; the path of a file, which is sent along; or a video's bytes.
        fps: Frames to take a second; not together with `num_frames`.
        num_frames: Frames to take in all, evenly spaced.
        max_frames: Most frames to take, where `fps` or `num_frames` would take more.
        indices: Numbers of the frames to take, from 0, rising; they are taken here.
        here: Whether the frames are taken here, by the times at which a player shows them, and sent as JPEGs.

    Raises:
        UsageError: If one is out of range, or two do not go together.
    """
    Overview(fps, num_frames)
    chosen = tuple(indices)
    if chosen and not (fps is num_frames is max_frames is None):
        raise UsageError(
            f"indices go without fps, num_frames and max_frames; got {len(chosen)} of them and these"
        )
    if any(later <= earlier for earlier, later in zip((-1, *chosen), chosen, strict=False)):
        raise UsageError(f"indices rise from 0 or more, each once; got {list(chosen)}")
    if max_frames is not None and (max_frames < 1 or (fps is None and num_frames is None)):
        raise UsageError(f"max_frames is 1 or more and goes with fps or num_frames; got {max_frames}")
    return Clip(as_source(source, "video"), fps, num_frames, max_frames, chosen, here or bool(chosen))


@dataclass(frozen=True, slots=True)
class SentVideo:
    """A video in one server's format.

    Args:
        parts: Its message parts.
        sampling: Its `media_io_kwargs`, which apply to all videos of a request; None for none.
        frames: Pictures sent inside the video; 0 if the server chooses them, or they are sent as images.
        listed: Whether its frames are listed there with their times.
        note: Difference from the request, or None.
    """

    parts: tuple[Part, ...]
    sampling: Mapping[str, Any] | None = None
    frames: int = 0
    listed: bool = False
    note: str | None = None


def prepare_video(clip: Clip, profile: Profile) -> SentVideo:
    """Prepare a video in the format that the profile has for the server; read and decode it here where needed.

    Raises:
        UsageError: If the server does not support such a request, or more frames are requested than the model accepts
            or, where the server refuses that, than the video has.
        VideoError: If the video must be read here and cannot be.
    """
    _check_number(clip, profile.media)
    return _decoded(clip, profile) if clip.here else _whole(clip, profile)


def _whole(clip: Clip, profile: Profile) -> SentVideo:
    limits, part = profile.media, {"type": "video_url", "video_url": {"url": clip.url()}}
    if not clip.sampled:
        return SentVideo((part,))
    if not limits.per_request:
        raise UsageError(
            f"fps and num_frames go with a request only to a server that takes them (vLLM with "
            f"--trust-request-mm-kwargs, and media.per_request in the profile, here {profile.name}); "
            "leave them out, or have the frames taken here: video(…, here=True)"
        )
    with clip.file() as path:
        if path is None:
            return SentVideo((part,), _sampling_unseen(clip, limits))
        with Video.open(path) as opened:
            frames, rate = len(_own_times(opened)), opened.info.fps
    chosen = _choose(clip, frames, rate, limits)
    return SentVideo((part,), _sampling_of(clip, chosen, frames, rate, limits), note=chosen.note)


def _sampling_unseen(clip: Clip, limits: Media) -> dict[str, Any]:
    """Return the server's sampling options for a video that only the server can read."""
    most = clip.max_frames or limits.video_frames
    if clip.num_frames is not None:
        return {"num_frames": min(clip.num_frames, most)}
    if limits.sampling == "both":
        return {"fps": clip.fps, "num_frames": most}
    if clip.max_frames is not None:
        raise UsageError(
            "this server takes fps or num_frames, so fps with max_frames needs a video that can be read here; "
            f"got fps {clip.fps:g} and max_frames {clip.max_frames}"
        )
    return {"fps": clip.fps}


def _sampling_of(clip: Clip, chosen: Sampling, frames: int, rate: Fraction, limits: Media) -> dict[str, Any]:
    """Return the server's sampling options for a video that was also read here.

    vLLM takes the lesser of `num_frames` and `floor(duration * fps)`, and some of its loaders use the rate alone, so a
    number of frames is sent with the rate that yields it.
    """
    count = len(chosen.indices)
    if clip.fps is not None and count != clip.max_frames:
        fps = min(clip.fps, float(rate))
        return {"fps": fps, "num_frames": limits.video_frames} if limits.sampling == "both" else {"fps": fps}
    if limits.sampling == "one":
        return {"num_frames": count}
    return {"num_frames": count, "fps": round((count + 0.5) * float(rate) / frames, 6)}


def _choose(clip: Clip, frames: int, rate: Fraction, limits: Media) -> Sampling:
    """Choose frames as the server will, or say why it would not."""
    chosen = sample_indices(
        frames,
        rate,
        fps=clip.fps,
        num_frames=clip.num_frames,
        max_frames=clip.max_frames,
        strict=limits.never_above_own,
    )
    if len(chosen.indices) > limits.video_frames:
        raise UsageError(
            f"fps {clip.fps:g} would take {len(chosen.indices)} frames of this video, and the model takes "
            f"{limits.video_frames} of one video at most: lower fps, or give max_frames"
        )
    return chosen


def _check_number(clip: Clip, limits: Media) -> None:
    counts = {"num_frames": clip.num_frames, "max_frames": clip.max_frames, "indices": len(clip.indices)}
    for name, count in counts.items():
        if count is not None and count > limits.video_frames:
            raise UsageError(
                f"the model takes {limits.video_frames} frames of one video at most; got {name} for {count}"
            )


def _decoded(clip: Clip, profile: Profile) -> SentVideo:
    """Choose and decode the frames here, and send them with their times in the server's format."""
    with clip.file() as path:
        if path is None:
            raise UsageError(
                f"frames are taken here only of a video that can be read here, got {clip.source!r}: "
                "download it first, or leave the choice to the server"
            )
        with Video.open(path) as opened:
            times_s, note = _times(clip, opened, profile.media)
            shown = _frames(opened, times_s, profile.frame_side_px)
    form: Form = "frames" if profile.media.sampling == "both" else "mp4"
    how = dataclasses.replace(profile.media, forms={"look": form}, image_ids=False)
    placed = media.place([HumanMessage([*frames_content(shown)])], how, "look")
    sampling = placed.body.get("media_io_kwargs", {}).get("video")
    listed = sampling is not None and "frames_indices" in sampling
    inside = len(shown) if media.holds_video(placed.messages) else 0
    return SentVideo(tuple(parts_of(placed.messages[0])), sampling, inside, listed, note)


def _times(clip: Clip, opened: Video, limits: Media) -> tuple[list[float], str | None]:
    own, rate = _own_times(opened), opened.info.fps
    if clip.indices:
        if clip.indices[-1] >= len(own):
            raise UsageError(f"this video has the frames 0 to {len(own) - 1}; got index {clip.indices[-1]}")
        return [own[index] for index in clip.indices], None
    if clip.sampled:
        chosen = _choose(clip, len(own), rate, limits)
        return [own[index] for index in chosen.indices], chosen.note
    fps = min(limits.video_fps, float(rate))
    chosen = sample_indices(len(own), rate, fps=fps, max_frames=limits.video_frames)
    return [own[index] for index in chosen.indices], None


def _own_times(opened: Video) -> list[float]:
    """Return the time of each frame of the video."""
    return [float(time_s) for time_s in opened.frame_times(0.0, opened.info.duration_s + 1.0)]


def _frames(opened: Video, times_s: Sequence[float], side_px: int) -> list[ShownFrame]:
    shown: list[ShownFrame] = []
    for first in range(0, len(times_s), _DECODED):
        frames = opened.frames_at(times_s[first : first + _DECODED], max_side_px=side_px)
        shown += [ShownFrame.of(frame.time_s, jpeg.encode(frame.rgb)) for frame in frames]
    return shown
