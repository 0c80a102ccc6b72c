"""What the tools work over: one opened video, its index, and where pictures are kept. The model sees none of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidagent.images import jpeg
from vidagent.images.resize import fit
from vidagent.images.shown_frame import ShownFrame
from vidagent.images.store import FrameStore
from vidagent.images.tiles import crop
from vidagent.tools.frame_choice import Timeline
from vidagent.types import Box
from vidagent.video.clock import format_time
from vidagent.video.index.video_index import Index


@dataclass(frozen=True)
class Caps:
    """What the model can take.

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
class Desk(Timeline):
    """The video with all that belongs to it.

    Args:
        video: The opened video.
        index: Its index.
        store: Keeps the pictures.
        caps: What the model can take.
        grant: Asked for a number of pictures, says how many the frame budget still allows; raises
            `BudgetSpent` when none.
    """

    index: Index
    store: FrameStore
    caps: Caps
    grant: Callable[[int], int]

    def pictures(
        self, times_s: Sequence[float], *, snap: Literal["exact", "keyframe"] = "exact"
    ) -> tuple[ShownFrame, ...]:
        """Decode the frames shown at these times and keep them as JPEG; each frame once, in order of time."""
        frames = self.video.frames_at(sorted(times_s), snap=snap, max_side_px=self.caps.side_px)
        once = {frame.time_s: frame.rgb for frame in frames}
        return tuple(self._keep(time_s, once[time_s], self._whole) for time_s in sorted(once))

    def parts(self, time_s: float, boxes: Sequence[Box]) -> tuple[ShownFrame, ...]:
        """Cut parts out of the frame shown at a time, at full resolution, and keep them as JPEG."""
        frame = self.video.frames_at([time_s])[0]
        side_px = self.caps.crop_side_px
        return tuple(self._keep(frame.time_s, fit(crop(frame.rgb, box), side_px), box) for box in boxes)

    @property
    def _whole(self) -> Box:
        return (0, 0, self.video.info.width, self.video.info.height)

    def _keep(self, time_s: float, rgb: NDArray[np.uint8], box_px: Box) -> ShownFrame:
        data, size_wh = jpeg.encode(rgb), (rgb.shape[1], rgb.shape[0])
        return ShownFrame(time_s, self.store.put(data), size_wh, box_px, box_px != self._whole, data)

    def says(self, time_s: float) -> str:
        """Write a time for people and models alike."""
        return f"{time_s:.3f} s ({format_time(time_s)})"
