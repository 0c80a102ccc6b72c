"""What a full decode shows, and the times at which a decoder is compared with it."""

from __future__ import annotations

import hashlib
import random
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.sidedata.sidedata import Type
from numpy.typing import NDArray

from tests.media.code import Code, read_code
from tests.media.kept import kept_value
from vidagent.video.decoders import Decoder

SLACK_S = 1e-6
"""Times may come from a float sum; a decoder forgives a microsecond, and so does the comparison."""


@dataclass(frozen=True)
class Truth:
    """Every frame in the order shown: its time on the clock, and its code."""

    times_s: tuple[float, ...]
    codes: tuple[Code, ...]

    def at(self, t_s: float) -> int:
        """Return the index of the frame shown at a time."""
        return max(0, bisect_right(self.times_s, t_s + SLACK_S) - 1)


def full_decode(path: Path) -> Truth:
    """Decode a clip from its first byte to its last, without any seek, and read every code."""
    return kept_value(("truth", hashlib.sha256(path.read_bytes()).hexdigest()), lambda: _decoded(path))


def _decoded(path: Path) -> Truth:
    with av.open(str(path)) as container:
        start_s = (container.start_time or 0) / av.time_base
        shown = [
            (float(f.pts * f.time_base) - start_s, read_code(_upright(f))) for f in container.decode(video=0)
        ]
    return Truth(tuple(t_s for t_s, _ in shown), tuple(code for _, code in shown))


def sample_times(truth: Truth, count: int = 32) -> list[float]:
    """Return times at the start, the end, on and around boundaries, and at random; in no order, some twice."""
    rng = random.Random(len(truth.times_s))
    times, last_s = truth.times_s, truth.times_s[-1]
    chosen = [times[i] for i in {0, 1 % len(times), len(times) // 2, len(times) - 1}]
    chosen += [times[0] - 0.05, last_s + 0.01, last_s + 30.0, max(0.0, last_s - 0.001)]
    picks = rng.sample(range(len(times)), min(len(times), count // 2))
    chosen += [times[i] for i in picks[::2]]
    chosen += [times[i] - 0.0005 for i in picks[1::2]]
    while len(chosen) < count:
        chosen.append(rng.uniform(times[0], last_s))
    chosen.append(chosen[0])
    rng.shuffle(chosen)
    return chosen


def wrong_frames(decoder: Decoder, truth: Truth, times_s: list[float]) -> list[str]:
    """Ask for frames, all at once and then some singly, and say which are not those of the full decode."""
    frames = decoder.frames_at(times_s)
    wrong = [_fault(truth, t_s, frame) for t_s, frame in zip(times_s, frames, strict=True)]
    wrong += [_fault(truth, t_s, decoder.frames_at([t_s])[0]) for t_s in times_s[:8]]
    return [fault for fault in wrong if fault]


def _fault(truth: Truth, t_s: float, frame) -> str:
    index = truth.at(t_s)
    wanted = truth.codes[index]
    try:
        code = read_code(frame.rgb)
    except ValueError as error:
        return f"at {t_s:.4f}: {error}"
    if code != wanted:
        return f"at {t_s:.4f}: frame {code.number} instead of {wanted.number}"
    if abs(frame.time_s - truth.times_s[index]) > 2 * SLACK_S:
        return f"at {t_s:.4f}: time {frame.time_s:.6f} instead of {truth.times_s[index]:.6f}"
    return ""


def _upright(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Turn by FFmpeg's own reading of the display matrix, not by ours."""
    rgb = frame.to_ndarray(format="rgb24")
    return np.rot90(rgb, frame.rotation // 90) if frame.side_data.get(Type.DISPLAYMATRIX) else rgb
