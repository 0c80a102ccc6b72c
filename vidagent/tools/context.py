"""What the tools work over: one opened video, the frames chosen from it, and where their pictures go.

The model sees none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidagent.errors import ToolError
from vidagent.images import jpeg
from vidagent.images.resize import fit
from vidagent.images.shown_frame import ShownFrame
from vidagent.images.store import FrameStore
from vidagent.images.tiles import crop
from vidagent.text import counted, short_number
from vidagent.types import Box
from vidagent.video.clock import names
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
        """Choose at most `most` evenly spaced frame times, the first and last frame among them."""
        known = self.frame_times(window)
        if known is None:
            last_s = max(window.start_s, window.end_s - self.video.info.frame_s)
            times = np.linspace(window.start_s, last_s, most).tolist()
            return Chosen(times, most / window.length_s, every_frame=False)
        if not known:
            return Chosen([window.start_s], 1 / window.length_s, every_frame=False)
        if len(known) <= most:
            return self._every_frame(window, known, most)
        places = np.unique(np.round(np.linspace(0, len(known) - 1, most)).astype(int))
        return Chosen([known[place] for place in places], len(places) / window.length_s, every_frame=False)

    def at_rate(self, window: Window, fps: float, most: int) -> Chosen:
        """Choose frame times at `fps`, slower if that takes more than `most` frames.

        At the rate of the video, or of this part of it, these are all frames of the window.
        """
        known = self.frame_times(window)
        if known == []:
            return Chosen([window.start_s], fps, every_frame=False)
        if known is not None and len(known) <= most:
            every = self._every_frame(window, known, most)
            if fps >= _ALMOST * min(every.fps, float(self.video.info.fps)):
                return every
        used_fps = min(fps, most / window.length_s)
        count = max(1, min(most, round(window.length_s * used_fps)))
        notes: tuple[str, ...] = ()
        if used_fps < _ALMOST * fps:
            notes = (
                f"fps lowered from {fps:g} to {short_number(used_fps)} to stay within {counted(count, 'frame')}",
            )
        first_s = known[0] if known and names(window.start_s, known[0]) else window.start_s
        times = [first_s + place / used_fps for place in range(count)]
        return Chosen(times, used_fps, every_frame=False, notes=notes)

    def _every_frame(self, window: Window, known: list[float], most: int) -> Chosen:
        """Choose all frames of a window, of which `known` are those before its end.

        Where both bounds name frames, the range is one between two frames, and the frame at its end is among them.
        """
        at_end: list[float] = []
        if names(window.start_s, known[0]) and len(known) < most:
            near = self.video.frame_times(window.end_s - _NEAR_S, window.end_s + _NEAR_S)
            at_end = [float(t) for t in near if names(window.end_s, t) and t > known[-1]]
        return Chosen([*known, *at_end[:1]], len(known) / window.length_s, every_frame=True)


@dataclass(frozen=True)
class Caps:
    """How many pictures, and how large, the model is shown at once.

    Args:
        frames: Most pictures in one call.
        overview_frames: Pictures in an overview of the whole video.
        side_px: Longer side of a frame as shown.
        crop_side_px: Longer side of a crop as shown.
        tiles: Most crops of one frame in one call.
    """

    frames: int = 32
    overview_frames: int = 64
    side_px: int = 768
    crop_side_px: int = 1024
    tiles: int = 12


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
    """

    index: Index
    store: FrameStore
    caps: Caps
    grant: Callable[[int], int]

    def pictures(
        self, times_s: Sequence[float], *, snap: Literal["exact", "keyframe"] = "exact"
    ) -> tuple[ShownFrame, ...]:
        """Decode the frames shown at these times and store them as JPEGs; each frame once, in order of time."""
        frames = self.video.frames_at(sorted(times_s), snap=snap, max_side_px=self.caps.side_px)
        once = {frame.time_s: frame.rgb for frame in frames}
        whole = (0, 0, self.video.info.width, self.video.info.height)
        return tuple(self._shown(time_s, once[time_s], whole, cropped=False) for time_s in sorted(once))

    def crops(self, time_s: float, boxes: Sequence[Box]) -> tuple[ShownFrame, ...]:
        """Cut boxes out of the frame shown at a time, at full resolution, and store them as JPEGs."""
        frame = self.video.frames_at([time_s])[0]
        info, side_px = self.video.info, self.caps.crop_side_px
        return tuple(
            self._shown(
                frame.time_s,
                fit(crop(frame.rgb, box), side_px),
                box,
                cropped=box != (0, 0, info.width, info.height),
            )
            for box in boxes
        )

    def _shown(self, time_s: float, rgb: NDArray[np.uint8], box_px: Box, *, cropped: bool) -> ShownFrame:
        data = jpeg.encode(rgb)
        return ShownFrame(time_s, self.store.put(data), (rgb.shape[1], rgb.shape[0]), box_px, cropped, data)
