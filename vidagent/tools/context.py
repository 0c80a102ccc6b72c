"""What the tools work over: one opened video, the frames chosen from it, and where their pictures go.

The model sees none of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidagent.errors import ToolError
from vidagent.images import jpeg
from vidagent.images.box_forms import BoxForm
from vidagent.images.resize import enlarge, fit
from vidagent.images.shown_frame import ShownFrame
from vidagent.images.store import FrameStore
from vidagent.images.tiles import crop
from vidagent.text import counted, short_number
from vidagent.tools.data_schema import Schema
from vidagent.tools.result import Look
from vidagent.types import Box
from vidagent.video.clock import names
from vidagent.video.frame import Frame
from vidagent.video.index.video_index import Index
from vidagent.video.video import Video

_SHORT_S = 120.0
_NEAR_S = 0.002
"""More than a printed time may lie before or after the frame that it names."""
_ALMOST = 0.99
"""Rates this near to each other count as equal, as they are printed rounded."""


@dataclass(frozen=True, slots=True)
class Window:
    """A range of the video after clamping, with notes on what was changed."""

    start_s: float
    end_s: float
    notes: tuple[str, ...] = ()

    @property
    def length_s(self) -> float:
        """Seconds from start to end."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Chosen:
    """Frame times of a window, with what was changed of what was asked for.

    Args:
        times_s: The times.
        fps: Their rate.
        every_frame: Whether they are every frame of the window.
        notes: What was changed, one line each.
    """

    times_s: list[float]
    fps: float
    every_frame: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Timeline:
    """The times of a video's frames.

    Args:
        video: The opened video.
    """

    video: Video

    @property
    def duration_s(self) -> float:
        """Length of the video in seconds."""
        return self.video.info.duration_s

    def window(self, start_s: float, end_s: float) -> Window:
        """Clamp a range to the video.

        Raises:
            ToolError: If it is empty, or lies behind the end; the text says what is legal.
        """
        if end_s <= start_s:
            raise ToolError(f"end_s must be greater than start_s; got {start_s:g} to {end_s:g}")
        if start_s >= self.duration_s:
            raise ToolError(f"the video ends at {self.duration_s:.3f} s; got a start of {start_s:g}")
        notes: tuple[str, ...] = ()
        if end_s > self.duration_s:
            notes = (f"end clamped to the end of the video, {self.duration_s:.3f} s",)
        return Window(max(0.0, start_s), min(end_s, self.duration_s), notes)

    def frame_times(self, window: Window) -> list[float] | None:
        """Return the time of every frame in the window, or None if it is too long to list."""
        if window.length_s > _SHORT_S:
            return None
        return [float(t) for t in self.video.frame_times(window.start_s, window.end_s)]

    def spread(self, window: Window, most: int) -> Chosen:
        """Choose at most `most` evenly spaced frame times, the first and last frame among them.

        If both bounds are frame times, the last is the frame at the end of the range.
        """
        known, end = self.frame_times(window), self._end_frame(window)
        if known is None:
            last_s = max(window.start_s, window.end_s - self.video.info.frame_s) if end is None else end
            return self._even(window, np.linspace(window.start_s, last_s, most).tolist(), end)
        if not known:
            return Chosen([window.start_s], 1 / window.length_s, every_frame=False)
        if len(known) <= most:
            return self._every_frame(window, known, end, most)
        if end is not None and most > 1:
            known.append(end)
        places = np.unique(np.round(np.linspace(0, len(known) - 1, most)).astype(int))
        return self._even(window, [known[place] for place in places], end)

    def at_rate(self, window: Window, fps: float, most: int) -> Chosen:
        """Choose frame times at `fps`, slower if that takes more than `most` frames.

        At the rate of the video, or of this part of it, these are all frames of the window. If both bounds are frame
        times, both frames are among those chosen.
        """
        known, end = self.frame_times(window), self._end_frame(window)
        if known == []:
            return Chosen([window.start_s], fps, every_frame=False)
        if known is not None and len(known) <= most:
            every = self._every_frame(window, known, end, most)
            if fps >= _ALMOST * min(every.fps, float(self.video.info.fps)):
                return every
        first_s = known[0] if known and names(window.start_s, known[0]) else window.start_s
        if end is not None and most > 1:
            steps = max(1, min(most - 1, math.ceil(_ALMOST * window.length_s * fps)))
            times = np.linspace(first_s, end, steps + 1).tolist()
            used_fps = steps / window.length_s
        else:
            used_fps = min(fps, most / window.length_s)
            count = max(1, min(most, round(window.length_s * used_fps)))
            times = [first_s + place / used_fps for place in range(count)]
        lowered = (
            f"fps lowered from {fps:g} to {short_number(used_fps)} to stay within {counted(most, 'frame')}"
        )
        return Chosen(
            times, used_fps, every_frame=False, notes=(lowered,) if used_fps < _ALMOST * fps else ()
        )

    def _end_frame(self, window: Window) -> float | None:
        """Return the time of the frame at the end of a range between two frames; None if a bound is no frame time."""
        return self._named(window.end_s) if self._named(window.start_s) is not None else None

    def _named(self, t_s: float) -> float | None:
        """Return the exact time of the frame that a time, perhaps as printed, names."""
        near = self.video.frame_times(t_s - _NEAR_S, t_s + _NEAR_S)
        return next((float(frame_s) for frame_s in near if names(t_s, frame_s)), None)

    def _every_frame(self, window: Window, known: list[float], end: float | None, most: int) -> Chosen:
        """Choose all frames of a window, and the one at its end if there is room for it."""
        fits = end is not None and len(known) < most
        left_out = (f"no room for the frame at {end:.3f} s",) if end is not None and not fits else ()
        times = [*known, end] if end is not None and fits else known
        return Chosen(times, len(known) / window.length_s, every_frame=True, notes=left_out)

    def _even(self, window: Window, times_s: list[float], end: float | None) -> Chosen:
        steps = len(times_s) if end is None or len(times_s) == 1 else len(times_s) - 1
        return Chosen(times_s, steps / window.length_s, every_frame=False)


def intact(frames: Iterable[Frame]) -> tuple[list[Frame], tuple[str, ...]]:
    """Return the frames that are not damaged, each once and in order of time, and notes on those left out.

    Raises:
        ToolError: If all of them are damaged.
    """
    once = {frame.time_s: frame for frame in frames}
    kept = [once[time_s] for time_s in sorted(once) if not once[time_s].damaged]
    lost = sorted(once.keys() - {frame.time_s for frame in kept})
    if not lost:
        return kept, ()
    span = f"{lost[0]:.3f} s" if len(lost) == 1 else f"{lost[0]:.3f}-{lost[-1]:.3f} s"
    note = f"{counted(len(lost), 'frame')} damaged in the file, not shown: {span}"
    if not kept:
        raise ToolError(f"{note}; look at another time")
    return kept, (note,)


@dataclass(frozen=True)
class Caps:
    """How many pictures, and how large, the model is shown at once.

    Args:
        frames: Most pictures in one call.
        overview_frames: Pictures in an overview of the whole video.
        side_px: Longer side of a frame as shown.
        crop_side_px: Longer side of a crop as shown; smaller ones are enlarged up to it.
        tiles: Most crops of one frame in one call.
        boxes: The form in which the model writes boxes.
    """

    frames: int = 32
    overview_frames: int = 64
    side_px: int = 768
    crop_side_px: int = 1024
    tiles: int = 12
    boxes: BoxForm = "x_first"


@dataclass(frozen=True, slots=True)
class ToolContext(Timeline):
    """What a tool works with.

    Args:
        video: The opened video.
        index: Its index.
        store: Where the JPEGs are stored.
        caps: What the model can take.
        grant: Takes the number of pictures wanted and returns how many the frame budget allows; raises
            `BudgetSpent` if it allows none.
        schema: What the data of the answer follows, if data is wanted.
    """

    index: Index
    store: FrameStore
    caps: Caps
    grant: Callable[[int], int]
    schema: Schema | None = None

    def pictures(
        self, times_s: Sequence[float], *, snap: Literal["exact", "keyframe"] = "exact"
    ) -> tuple[tuple[ShownFrame, ...], tuple[str, ...]]:
        """Decode the frames shown at these times and store them as JPEGs; each frame once, in order of time.

        Returns:
            The frames, and notes on those that are left out because the file is damaged there.

        Raises:
            ToolError: If all of them are damaged.
        """
        frames = self.video.frames_at(sorted(times_s), snap=snap, max_side_px=self.caps.side_px)
        whole = (0, 0, self.video.info.width, self.video.info.height)
        shown, notes = intact(frames)
        return tuple(self._shown(frame.time_s, frame.rgb, whole, cropped=False) for frame in shown), notes

    def look(self, tool: str, question: str, window: Window, chosen: Chosen) -> Look:
        """Show the chosen frames of a range."""
        stills, damage = self.pictures(chosen.times_s)
        every = chosen.every_frame and len(stills) == len(chosen.times_s)
        notes = (*window.notes, *chosen.notes, *damage)
        return Look(tool, question, window.start_s, window.end_s, stills, chosen.fps, every, notes=notes)

    def crops(self, time_s: float, boxes: Sequence[Box]) -> tuple[ShownFrame, ...]:
        """Cut boxes out of the frame shown at a time, at full resolution or enlarged, and store them as JPEGs.

        Raises:
            ToolError: If the frame is damaged.
        """
        (frame,), _ = intact(self.video.frames_at([time_s]))
        info, side_px = self.video.info, self.caps.crop_side_px
        least_px = round(side_px / math.sqrt(len(boxes)))
        whole = (0, 0, info.width, info.height)
        return tuple(
            self._shown(
                frame.time_s,
                fit(frame.rgb, side_px)
                if box == whole
                else enlarge(fit(crop(frame.rgb, box), side_px), least_px),
                box,
                cropped=box != whole,
            )
            for box in boxes
        )

    def _shown(self, time_s: float, rgb: NDArray[np.uint8], box_px: Box, *, cropped: bool) -> ShownFrame:
        data = jpeg.encode(rgb)
        return ShownFrame(time_s, self.store.put(data), (rgb.shape[1], rgb.shape[0]), box_px, cropped, data)
