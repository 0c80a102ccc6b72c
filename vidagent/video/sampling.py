"""Frame sampling: by rate, by number, or a single frame.

The rule is, to the last float, that of `sample_video_frames` on the model card of NVIDIA Nemotron Nano 12B v2 VL;
single frames follow NeMo's Video NeVA (`splice_single_frame`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

import numpy as np

from vidagent.errors import UsageError
from vidagent.types import Overview

SingleFrame = Literal["first", "middle", "last"]
DEFAULT_FRAMES = 8


@dataclass(frozen=True, slots=True)
class Sampling:
    """The chosen frames.

    Args:
        indices: Frame numbers from 0, in ascending order.
        duration_s: Seconds from the first to the last by the average rate, or None for a single frame.
        fps: Frames per second over that time, or None for a single frame.
        note: How the choice differs from the request, in one sentence, or None.
    """

    indices: tuple[int, ...]
    duration_s: float | None
    fps: float | None
    note: str | None = None

    def metadata(self, video_backend: str = "opencv_dynamic") -> dict[str, Any]:
        """Return the fields of transformers' `VideoMetadata` as the model card fills them.

        There, `total_num_frames`, `fps` and `duration` describe the chosen frames, and `frames_indices` are
        their positions in the video.
        """
        return {
            "total_num_frames": len(self.indices),
            "fps": self.fps,
            "duration": self.duration_s,
            "frames_indices": list(self.indices),
            "video_backend": video_backend,
        }


def sample_indices(
    total_frames: int,
    video_fps: Fraction,
    *,
    fps: float | None = None,
    num_frames: int | None = None,
    max_frames: int | None = None,
    splice_single_frame: SingleFrame | None = None,
    strict: bool = False,
) -> Sampling:
    """Choose evenly spaced frames, including the video's first and last.

    Args:
        total_frames: Frames in the video.
        video_fps: Average frame rate of the video.
        fps: Frames per second to take; excludes `num_frames`.
        num_frames: Total frames to take; 8 unless `fps` is given.
        max_frames: Most frames to take.
        splice_single_frame: Take only this frame, whatever the other arguments.
        strict: If the video has fewer frames than requested, raise an error instead of adding a note.

    Raises:
        UsageError: If a number is not positive, `fps` and `num_frames` are both given, or because of `strict`.
    """
    _check(total_frames, video_fps, fps, num_frames, max_frames)
    if splice_single_frame is not None:
        return _single(total_frames, splice_single_frame, ignored=fps is not None or num_frames is not None)
    count, request = _requested(total_frames, video_fps, fps, num_frames)
    notes = []
    if (num_frames or 0) > total_frames or (fps or 0) > video_fps:
        has = f"the video has {total_frames} frames at {float(video_fps):g} fps"
        if strict:
            raise UsageError(f"{request} is more than there is: {has}")
        notes.append(f"{request} asked for, but {has}")
    if max_frames is not None and count > max_frames:
        notes.append(f"{request} would take {count} frames; {max_frames} are taken, the most allowed here")
        count = max_frames
    return _sampling(_spread(total_frames, count), video_fps, "; ".join(notes) or None)


def _check(
    total_frames: int, video_fps: Fraction, fps: float | None, num_frames: int | None, max_frames: int | None
) -> None:
    numbers: dict[str, float | Fraction | None] = {"total_frames": total_frames, "video_fps": video_fps}
    numbers |= {"fps": fps, "num_frames": num_frames, "max_frames": max_frames}
    for name, value in numbers.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UsageError(f"{name} must be more than 0, got {value}")
    Overview(fps, num_frames)


def _single(total_frames: int, which: SingleFrame, *, ignored: bool) -> Sampling:
    places = {"first": 0, "middle": total_frames // 2, "last": total_frames - 1}
    if which not in places:
        raise UsageError(f"splice_single_frame is one of {', '.join(get_args(SingleFrame))}; got {which!r}")
    note = f"only the {which} frame is taken; fps and num_frames have no effect" if ignored else None
    return Sampling((places[which],), None, None, note)


def _requested(
    total_frames: int, video_fps: Fraction, fps: float | None, num_frames: int | None
) -> tuple[int, str]:
    """Return the number of frames requested, and the request in words."""
    if fps is not None:
        duration_s = total_frames / max(1e-6, float(video_fps))
        return max(1, int(duration_s * fps)), f"fps {fps:g}"
    count = DEFAULT_FRAMES if num_frames is None else num_frames
    return count, f"num_frames {count}"


def _spread(total_frames: int, count: int) -> tuple[int, ...]:
    if count >= total_frames:
        return tuple(range(total_frames))
    if count == 1:
        return (0,)
    places = np.linspace(0, total_frames - 1, count)
    return tuple(int(index) for index in np.unique(np.round(places).astype(int)))


def _sampling(indices: tuple[int, ...], video_fps: Fraction, note: str | None) -> Sampling:
    if len(indices) == 1:
        return Sampling(indices, None, None, note)
    rate = float(video_fps)
    duration_s = indices[-1] / rate - indices[0] / rate
    return Sampling(indices, duration_s, (len(indices) - 1) / duration_s, note)
