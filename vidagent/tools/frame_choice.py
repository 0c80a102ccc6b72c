"""Which frames stand for a range of a video: all of them, evenly spread ones, or so many a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidagent.errors import ToolError
from vidagent.video.video import Video

_SHORT_S = 120.0
_NOTHING: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """A range of the video after clamping, with what was changed about it."""

    start_s: float
    end_s: float
    notes: tuple[str, ...] = _NOTHING


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
    notes: tuple[str, ...] = _NOTHING


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
        """Return the time of every frame in the window, or None where it is too long to list."""
        if window.end_s - window.start_s > _SHORT_S:
            return None
        return [float(t) for t in self.video.frame_times(window.start_s, window.end_s)]

    def spread(self, window: Window, most: int) -> tuple[list[float], bool]:
        """Choose at most `most` evenly spaced frame times, the first and last frame among them.

        Returns:
            The times, and whether they are every frame of the window.
        """
        known = self.frame_times(window)
        if known is None:
            last = max(window.start_s, window.end_s - self.video.info.frame_s)
            return [float(t) for t in np.linspace(window.start_s, last, most)], False
        if not known:
            return [window.start_s], False
        if len(known) <= most:
            return known, True
        places = np.unique(np.round(np.linspace(0, len(known) - 1, most)).astype(int))
        return [known[place] for place in places], False

    def at_rate(self, window: Window, fps: float, most: int) -> Chosen:
        """Choose frame times at `fps`, slower where `most` frames do not reach."""
        known = self.frame_times(window)
        if known == []:
            return Chosen([window.start_s], fps, every_frame=False)
        length_s = window.end_s - window.start_s
        used_fps = min(fps, most / length_s)
        if known is not None and len(known) <= most and used_fps >= 0.99 * len(known) / length_s:
            return Chosen(known, len(known) / length_s, every_frame=True)
        count = max(1, min(most, round(length_s * used_fps)))
        notes: tuple[str, ...] = ()
        if used_fps < 0.99 * fps:
            notes = (f"fps lowered from {fps:g} to {used_fps:.3g} to stay within {count} frames",)
        times = [window.start_s + place / used_fps for place in range(count)]
        return Chosen(times, used_fps, every_frame=False, notes=notes)
