"""A span of the video as a file of its own, cut to the frame."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, pairwise
from math import nextafter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import av
import numpy as np
from av.codec.codec import codecs_available
from numpy.typing import NDArray

from vidagent.errors import UsageError
from vidagent.reports.files import whole
from vidagent.types import Span, VideoInfo
from vidagent.video.frame import Frame
from vidagent.video.video import Video

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = ["write_clip"]

_Timed = tuple[NDArray[np.uint8], int, int]
"""A picture, its time and how long it is shown, in ticks."""

_CODEC: Final = "libx264"
_OPTIONS = {"crf": "18", "preset": "veryfast", "bf": "0"}
"""Nearly lossless; and without frames that are shown in another order, which some players start or end wrongly."""
_TICKS = 90_000
_TICK = Fraction(1, _TICKS)
_BT709, _LIMITED = 1, 1
"""ITU-T H.273: the colours of HD video, and their limited range."""


def write_clip(video: Video, span: Span, path: Path) -> None:
    """Write the frames shown in a span as an mp4 without sound, decoded and encoded anew, each at its own time.

    The first one is that which a player shows at the start of the span; of a span without length it is the only one.

    Raises:
        UsageError: If this machine's FFmpeg has no H.264 encoder.
        VideoError: If the video cannot be decoded.
    """
    if _CODEC not in codecs_available:
        raise UsageError(f"clips are encoded with {_CODEC}, which the FFmpeg of this PyAV lacks")
    first = video.frames_at([span.start_s])[0]
    end_s = max(span.end_s, nextafter(first.time_s, np.inf))
    frames = chain(
        [first], (frame for frame in video.walk(first.time_s, end_s) if frame.time_s > first.time_s)
    )
    with whole(path) as part:
        _encode(_timed(frames, min(end_s, video.info.duration_s), video.info.frame_s), video.info, part)


def _timed(frames: Iterator[Frame], end_s: float, frame_s: float) -> Iterator[_Timed]:
    """Yield the frames with their times from the first one; the last is shown until the span ends."""
    start_s = None
    for frame, after in pairwise(chain(frames, [None])):
        assert frame is not None  # noqa: S101 - only the last one is None
        start_s = frame.time_s if start_s is None else start_s
        left_s = end_s - frame.time_s
        next_s = after.time_s if after else frame.time_s + (left_s if left_s > 1e-3 else frame_s)
        pts = round((frame.time_s - start_s) * _TICKS)
        yield frame.rgb, pts, max(1, round((next_s - start_s) * _TICKS) - pts)


def _encode(frames: Iterator[_Timed], info: VideoInfo, path: Path) -> None:
    """Encode; an odd side loses its last row or column to the half-size colours."""
    width, height = max(2, info.width // 2 * 2), max(2, info.height // 2 * 2)
    lengths: dict[int, int] = {}
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream(_CODEC, rate=info.fps.limit_denominator(1001), options=_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        codec = stream.codec_context
        codec.time_base = _TICK
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        codec.color_range = _LIMITED

        def mux(packets: list[Packet[VideoStream]]) -> None:
            for packet in packets:
                packet.duration = lengths.pop(packet.pts or 0)
                container.mux(packet)

        for rgb, pts, length in frames:
            frame = av.VideoFrame.from_ndarray(rgb[:height, :width], format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
            frame.pts, frame.time_base, lengths[pts] = pts, _TICK, length
            mux(stream.encode(frame))
        mux(stream.encode(None))
