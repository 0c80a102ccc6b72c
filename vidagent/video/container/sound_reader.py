"""Read the sound of a video on the player's clock, 16 kHz mono. Runs in the child process."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from av import AudioResampler
from av import error as av_error
from av import time_base as ticks
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.stream import Discard, Disposition

from vidagent.errors import VideoError
from vidagent.video.container.medium import Medium, open_medium, packets_of
from vidagent.video.sound import MOST_S, RATE, Samples

_GAP_S = 0.02
"""Frames further apart than this are not contiguous: the silence between them is preserved."""
_BACK_S = (1, 8, 64)
"""Distances before the start to seek to, in turn, until the decoded sound begins early enough."""
_WRAP_S = Fraction(1 << 33, 90_000)
"""Wraparound of the MPEG clock: sound that begins just before 0 is reported to begin 26.5 hours late."""


def read_sound(path: Path, start_s: float, end_s: float, beat: Callable[[], None]) -> Samples:
    """Return the sound of `[start_s, end_s)` on the player's clock, silence where there is none.

    Raises:
        VideoError: If the file cannot be read, or its sound cannot be decoded.
    """
    canvas = np.zeros(max(0, round((min(end_s, start_s + MOST_S) - start_s) * RATE)), np.int16)
    medium = open_medium(path)
    try:
        streams = medium.container.streams.audio
        if not streams or not len(canvas):
            return canvas
        for back_s in (*_BACK_S, None):
            if _fill(canvas, medium, start_s, back_s, beat):
                break
        return canvas
    finally:
        medium.close()


def _fill(
    canvas: Samples, medium: Medium, start_s: float, back_s: float | None, beat: Callable[[], None]
) -> bool:
    """Decode into the canvas; return False if the seek landed after the start, so that sound is missing."""
    stream = _select_stream(medium)
    if back_s is None:
        medium.rewind()
        stream = _select_stream(medium)
    elif not _seek(medium, stream, max(0.0, start_s - back_s)):
        return False
    begins_s = 0.0 if stream.start_time is None else _seconds(medium, stream, stream.start_time)
    sure = back_s is None
    for time_s, samples in _runs(medium, stream, start_s + len(canvas) / RATE, beat):
        if not sure and time_s > max(start_s, begins_s) + _GAP_S:
            return False
        sure = True
        _paste(canvas, samples, round((time_s - start_s) * RATE))
    return sure


def _seek(medium: Medium, stream: AudioStream, time_s: float) -> bool:
    """Seek by the audio stream, or else by the container; return whether either worked."""
    goal = Fraction(time_s) + medium.clock.start
    unit = stream.time_base or Fraction(1, RATE)
    if medium.seek(math.floor(goal / unit), stream):
        return True
    try:
        medium.container.seek(math.floor(goal * ticks))
    except av_error.FFmpegError:
        return False
    return True


def _seconds(medium: Medium, stream: AudioStream, pts: int) -> float:
    """Return the time of an audio PTS on the player's clock."""
    unit = stream.time_base or Fraction(1, RATE)
    wrapped = (stream.start_time or 0) * unit > _WRAP_S / 2 and "mpeg" in medium.container.format.name
    time_s = pts * unit
    return float(time_s - (_WRAP_S if wrapped and time_s > _WRAP_S / 2 else 0) - medium.clock.start)


def _select_stream(medium: Medium) -> AudioStream:
    """Return the audio stream that a player plays, and discard the packets of all others."""
    streams = medium.container.streams.audio
    best = next((s for s in streams if s.disposition & Disposition.default), streams[0])
    if best.codec_context is None:
        raise VideoError("holds sound whose codec is not known here")
    for stream in medium.container.streams:
        stream.discard = Discard.default if stream.index == best.index else Discard.all
    return best


def _runs(
    medium: Medium, stream: AudioStream, end_s: float, beat: Callable[[], None]
) -> Iterator[tuple[float, Samples]]:
    """Yield blocks of samples with the time of the first; a new resampler starts after each gap."""
    resampler, due_s, at_s = AudioResampler("s16", "mono", RATE), None, 0.0
    shape = None
    for time_s, frame in _frames(medium, stream, beat):
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if due_s is None or abs(time_s - due_s) > _GAP_S or form != shape:
            if due_s is not None:
                yield from _resampled(resampler, None, at_s)
            resampler, at_s, shape = AudioResampler("s16", "mono", RATE), time_s, form
            due_s = time_s
        due_s += frame.samples / frame.sample_rate
        frame.pts = None
        for begin_s, samples in _resampled(resampler, frame, at_s):
            yield begin_s, samples
            at_s = begin_s + len(samples) / RATE
        if time_s >= end_s:
            return
    if due_s is not None:
        yield from _resampled(resampler, None, at_s)


def _resampled(
    resampler: AudioResampler, frame: AudioFrame | None, at_s: float
) -> Iterator[tuple[float, Samples]]:
    """Yield the resampler's contiguous output, with times, for a frame or (None) for the end."""
    for made in resampler.resample(frame):
        samples = made.to_ndarray().reshape(-1).astype(np.int16, copy=False)
        yield at_s, samples
        at_s += len(samples) / RATE


def _frames(
    medium: Medium, stream: AudioStream, beat: Callable[[], None]
) -> Iterator[tuple[float, AudioFrame]]:
    """Yield decoded frames with their times, skipping damaged ones; one without a time follows the one before."""
    next_s: float | None = None
    for packet in packets_of(medium, [stream], beat):
        try:
            frames = packet.decode()
        except av_error.FFmpegError:
            continue
        for frame in frames:
            if frame.pts is not None:
                next_s = _seconds(medium, stream, frame.pts)
            if next_s is None or not frame.sample_rate:
                continue
            yield next_s, frame
            next_s += frame.samples / frame.sample_rate


def _paste(canvas: Samples, samples: Samples, place: int) -> None:
    """Copy samples to a position on the canvas, which may be negative; samples outside it are dropped."""
    first, last = max(0, place), min(len(canvas), place + len(samples))
    if first < last:
        canvas[first:last] = samples[first - place : last - place]
