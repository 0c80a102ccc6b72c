"""Clips: a span of the video as an mp4, cut to the frame."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise
from math import inf, nextafter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import av
from av.codec.codec import codecs_available

from vidagent.errors import UsageError, VideoError
from vidagent.reports.export.atomic_files import atomic
from vidagent.types import Span, VideoInfo
from vidagent.video.frame import Frame
from vidagent.video.sound import RATE
from vidagent.video.video import Video

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_CODEC: Final = "libx264"
_OPTIONS = {"crf": "18", "preset": "veryfast", "bf": "0"}
"""Nearly lossless, and without B-frames, with which some players start or end a clip wrongly."""
_TICKS = 90_000
_TICK = Fraction(1, _TICKS)
_BT709, _LIMITED = 1, 1
"""ITU-T H.273: the colours of HD video, in limited range."""
_MIN_S = 1e-3
"""A shorter length is a rounding error."""
_CHUNK = 10 * RATE
"""Samples of sound decoded and encoded at once."""
LOG = logging.getLogger(__name__)


def write_clip(video: Video, span: Span, path: Path) -> None:
    """Write the frames and the sound of a span as an mp4, re-encoded; each frame keeps its own time.

    The first frame is the one that a player shows at the start of the span, and the only one if the span has no
    length. The sound is that of `Video.sound`: 16 kHz, mono.

    Raises:
        UsageError: If this machine's FFmpeg has no H.264 encoder.
        VideoError: If the pictures cannot be decoded.
    """
    if _CODEC not in codecs_available:
        raise UsageError(f"clips are encoded with {_CODEC}, which the FFmpeg of this PyAV lacks")
    first, info = video.frames_at([span.start_s])[0], video.info
    end_s = min(span.end_s, info.duration_s) if span.length_s else nextafter(first.time_s, inf)
    later = (frame for frame in video.walk(first.time_s, end_s) if frame.time_s > first.time_s)
    with (
        atomic(path) as part,
        av.open(str(part), "w", format="mp4", options={"movflags": "faststart"}) as out,
    ):
        pictures = _Pictures.open(out, info, first.time_s)
        sound = _Sound.open(out, video, first.time_s, max(end_s, first.time_s + info.frame_s))
        for frame, length_s in _timed(chain([first], later), end_s, info.frame_s):
            pictures.add(frame, length_s)
            sound.reach(frame.time_s)
        pictures.finish()
        sound.finish()


def _timed(frames: Iterator[Frame], end_s: float, frame_s: float) -> Iterator[tuple[Frame, float]]:
    """Yield each frame and how long it is shown; the last one until the span ends."""
    for frame, after in pairwise(chain(frames, [None])):
        assert frame is not None  # noqa: S101 - only the last one is None
        left_s = end_s - frame.time_s
        last_s = left_s if left_s > _MIN_S else frame_s
        yield frame, last_s if after is None else after.time_s - frame.time_s


class _Pictures:
    """The video stream of a clip."""

    def __init__(self, out: OutputContainer, stream: VideoStream, start_s: float) -> None:
        self._out, self._stream, self._start_s = out, stream, start_s
        self._lengths: dict[int, int] = {}

    @classmethod
    def open(cls, out: OutputContainer, info: VideoInfo, start_s: float) -> _Pictures:
        """Add the stream; an odd side loses its last row or column to the half-size colours."""
        stream = out.add_stream(_CODEC, rate=info.fps.limit_denominator(1001), options=_OPTIONS)
        stream.width, stream.height = max(2, info.width // 2 * 2), max(2, info.height // 2 * 2)
        stream.pix_fmt = "yuv420p"
        codec = stream.codec_context
        codec.time_base = _TICK
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        codec.color_range = _LIMITED
        return cls(out, stream, start_s)

    def add(self, frame: Frame, length_s: float) -> None:
        """Encode a frame."""
        rgb = frame.rgb[: self._stream.height, : self._stream.width]
        picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        since_s = frame.time_s - self._start_s
        picture.pts, picture.time_base = round(since_s * _TICKS), _TICK
        self._lengths[picture.pts] = max(1, round((since_s + length_s) * _TICKS) - picture.pts)
        self._mux(self._stream.encode(picture))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._mux(self._stream.encode(None))

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            packet.duration = self._lengths.pop(packet.pts or 0)
            self._out.mux(packet)


@dataclass
class _Sound:
    """The sound of a clip, written along with its frames: `done` of `samples`; no stream if the video has no sound."""

    out: OutputContainer
    stream: AudioStream | None
    video: Video
    start_s: float
    samples: int
    done: int = 0

    @classmethod
    def open(cls, out: OutputContainer, video: Video, start_s: float, end_s: float) -> _Sound:
        """Add the stream, if the video has sound."""
        stream = None if video.info.audio is None else out.add_stream("aac", rate=RATE, layout="mono")
        return cls(out, stream, video, start_s, round((end_s - start_s) * RATE))

    def reach(self, time_s: float) -> None:
        """Write the sound up to a time of the video, or a little beyond."""
        while self.stream is not None and self.done < min(self.samples, (time_s - self.start_s) * RATE + 1):
            self._write_chunk(self.stream, min(self.done + _CHUNK, self.samples))

    def finish(self) -> None:
        """Write the rest."""
        self.reach(self.start_s + self.samples / RATE)
        if self.stream is not None:
            self.out.mux(self.stream.encode(None))

    def _write_chunk(self, stream: AudioStream, end: int) -> None:
        try:
            sound = self.video.sound(self.start_s + self.done / RATE, self.start_s + end / RATE)
        except VideoError as error:
            LOG.warning("the clip has no sound from %.3f s on: %s", self.start_s + self.done / RATE, error)
            self.samples = self.done
            return
        frame = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.done, Fraction(1, RATE)
        self.out.mux(stream.encode(frame))
        self.done = end
