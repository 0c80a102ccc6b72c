"""The interface of all decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from vidagent.types import Box
    from vidagent.video.frame import Frame

DecoderName = Literal["pyav", "decord", "torchcodec"]
Snap = Literal["exact", "keyframe"]
DECODERS: tuple[DecoderName, ...] = ("pyav", "decord", "torchcodec")


class Decoder(Protocol):
    """An opened video that returns pictures by time.

    Times are seconds on the player's clock. Boxes are source pixels of the upright picture, which is cropped before
    it is scaled. `max_side_px` bounds the longer side and never enlarges.
    """

    @property
    def frames_decoded(self) -> int:
        """Pictures decoded since opening, including those on the way to a target."""
        ...

    def frames_at(
        self,
        times_s: Sequence[float],
        *,
        snap: Snap = "exact",
        max_side_px: int | None = None,
        box_px: Box | None = None,
    ) -> list[Frame]:
        """Return the picture a player shows at each time, in the given order.

        That is the last picture with PTS at or before the time, or the first picture if the time is earlier.
        With `snap="keyframe"`, it is the keyframe at or before the time, with its own true time.

        Raises:
            VideoError: If the video cannot be decoded.
        """
        ...

    def frames_between(
        self, start_s: float, end_s: float, *, max_side_px: int | None = None, stride: int = 1
    ) -> Iterator[Frame]:
        """Yield every `stride`-th picture whose PTS lies in `[start_s, end_s)`, in order, in one pass."""
        ...

    def frame_times(self, start_s: float, end_s: float) -> NDArray[np.float64]:
        """Return the PTS, in seconds and sorted, of every picture in `[start_s, end_s)`; nothing is decoded."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...
