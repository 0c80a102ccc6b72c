"""Frames of a video as JPEG, without asking a model: over a range, or at exact times."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidagent import config
from vidagent.api.assemble import open_video
from vidagent.errors import ToolError, UsageError, VideoError
from vidagent.images import jpeg
from vidagent.images.box_drawing import draw_box
from vidagent.images.resize import fit
from vidagent.images.tiles import clamp_box
from vidagent.tools.context import Chosen, Timeline, Window, intact
from vidagent.types import Box, VideoInfo
from vidagent.video.frame import Frame
from vidagent.video.video import Video

_QUALITY = 85
_MIN_SIDE_PX = 64
_POSTER_SHARES = (0.1, 0.3, 0.5)
"""Where in a video its poster may be taken: not from its first picture, which is often black."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large pictures may be.

    Args:
        side_px: Longest side of each; larger ones are scaled down.
        all_bytes: Bytes of all pictures together; they are scaled down further until they fit.
    """

    side_px: int = 768
    all_bytes: int = 700_000


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame, or a part of it.

    Args:
        time_s: True time of the frame on the player's clock.
        jpeg: The picture.
        size_wh: Its size.
        box_px: The part of the source frame it shows.
    """

    time_s: float
    jpeg: bytes
    size_wh: tuple[int, int]
    box_px: Box


@dataclass(frozen=True, slots=True)
class Seen:
    """Frames of a range, and how they were sampled.

    Args:
        info: The video.
        start_s: Start of the range, after clamping.
        end_s: Its end.
        pictures: The frames.
        fps: Frames per second of the pictures; None if they are not evenly spaced.
        every_frame: Whether every frame of the range is among them.
        notes: How the result differs from the request, one line each.
    """

    info: VideoInfo
    start_s: float
    end_s: float
    pictures: tuple[Picture, ...]
    fps: float | None = None
    every_frame: bool = False
    notes: tuple[str, ...] = ()


_SIZE = Size()


async def look_at(
    path: str | Path,
    start_s: float,
    end_s: float,
    *,
    fps: float | None = None,
    most_frames: int = 8,
    size: Size = _SIZE,
) -> Seen:
    """Return frames of a time range, except those that are damaged in the file.

    Args:
        path: A local video file.
        start_s: Start of the range.
        end_s: Its end; clamped to the end of the video. If both are frame times, both frames are among those returned.
        fps: Frames per second, lowered if that takes more than `most_frames`; None spreads these evenly over the range,
            its first and last frame included.
        most_frames: Most frames.
        size: How large the pictures may be.

    Raises:
        VideoError: If the video is missing, unreadable or unsupported, or every frame there is damaged.
        UsageError: If the range is empty or lies after the end.
    """

    def look(video: Video) -> Seen:
        window, chosen = _chosen(Timeline(video), start_s, end_s, fps, most_frames)
        try:
            frames, damage = intact(video.frames_at(sorted(chosen.times_s), max_side_px=size.side_px))
        except ToolError as error:
            raise VideoError(f"{path}: {error}") from None
        pictures = _pictures(video, frames, size)
        rate = chosen.fps if len(pictures) > 1 else None
        every = chosen.every_frame and not damage
        notes = (*window.notes, *chosen.notes, *damage)
        return Seen(video.info, window.start_s, window.end_s, pictures, rate, every, notes)

    async with open_video(path, config.load()) as video:
        return await asyncio.to_thread(look, video)


async def poster_of(path: str | Path, *, size: Size = _SIZE) -> Picture:
    """Return a frame that stands for a video: of some keyframes spread over it, the one with the most contrast.

    Raises:
        VideoError: If the video is missing, unreadable or unsupported.
    """

    def look(video: Video) -> Picture:
        times = [share * video.info.duration_s for share in _POSTER_SHARES]
        frames = video.frames_at(times, snap="keyframe", max_side_px=size.side_px)
        best = max(frames, key=lambda frame: (not frame.damaged, frame.rgb.std(axis=(0, 1)).mean()))
        return _pictures(video, [best], size)[0]

    async with open_video(path, config.load()) as video:
        return await asyncio.to_thread(look, video)


async def frames_of(
    path: str | Path,
    times_s: Sequence[float],
    *,
    box_px: Box | None = None,
    marks_px: Sequence[Box | None] = (),
    size: Size = _SIZE,
) -> Seen:
    """Return the frame shown at each time, in the order asked.

    Args:
        path: A local video file.
        times_s: The times; past the end the last frame is shown.
        box_px: Part of the picture, cut out at full resolution; clamped to the picture.
        marks_px: A box to be drawn on each frame, or None.
        size: How large the pictures may be.

    Raises:
        VideoError: If the video is missing, unreadable or unsupported.
        UsageError: If an argument is out of range.
    """

    def look(video: Video) -> Seen:
        info = video.info
        part = None if box_px is None else clamp_box(box_px, (info.width, info.height))
        notes = () if part == box_px else (f"box clamped to the picture: {list(part or ())} px",)
        frames = video.frames_at(times_s, max_side_px=size.side_px, box_px=part)
        boxes = [*marks_px, *[None] * len(frames)]
        marked = [_marked(video, frame, box) for frame, box in zip(frames, boxes, strict=False)]
        shown = [frame.time_s for frame in frames]
        last = f"the last frame is at {max(shown):.3f} s; the video ends at {info.duration_s:.3f} s"
        notes = (*notes, last) if max(times_s) >= info.duration_s else notes
        damaged = ", ".join(sorted({f"{frame.time_s:.3f} s" for frame in frames if frame.damaged}))
        notes = (*notes, f"damaged in the file: {damaged}") if damaged else notes
        return Seen(
            info, min(shown), max(shown) + info.frame_s, _pictures(video, marked, size, part), notes=notes
        )

    async with open_video(path, config.load()) as video:
        return await asyncio.to_thread(look, video)


def _chosen(
    timeline: Timeline, start_s: float, end_s: float, fps: float | None, most: int
) -> tuple[Window, Chosen]:
    try:
        window = timeline.window(start_s, end_s)
    except ToolError as error:
        raise UsageError(str(error)) from None
    if fps is not None:
        return window, timeline.at_rate(window, fps, most)
    return window, timeline.spread(window, most)


def _marked(video: Video, frame: Frame, box_px: Box | None) -> Frame:
    """Draw a box in source pixels on a frame that may be smaller."""
    if box_px is None:
        return frame
    scale = frame.rgb.shape[1] / video.info.width
    x0, y0, x1, y1 = (round(side * scale) for side in box_px)
    return Frame(frame.time_s, draw_box(frame.rgb, (x0, y0, x1, y1)))


def _pictures(
    video: Video, frames: Sequence[Frame], size: Size, part: Box | None = None
) -> tuple[Picture, ...]:
    box = part or (0, 0, video.info.width, video.info.height)
    each = size.all_bytes // max(1, len(frames))
    return tuple(Picture(frame.time_s, *_encoded(frame.rgb, each), box_px=box) for frame in frames)


def _encoded(rgb: NDArray[np.uint8], most_bytes: int) -> tuple[bytes, tuple[int, int]]:
    """Encode a picture, scaled down until it takes at most `most_bytes`, or is very small."""
    while True:
        height, width = rgb.shape[:2]
        data = jpeg.encode(rgb, _QUALITY)
        if len(data) <= most_bytes or max(width, height) <= _MIN_SIDE_PX:
            return data, (width, height)
        rgb = fit(rgb, max(width, height) * 3 // 4)
