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
    """One opened video whose pictures can be had by time.

    Times are seconds on the player's clock. Boxes are source pixels of the upright picture; they are cut out
    before the picture is scaled. `max_side_px` bounds the longer side and never enlarges.
    """

    @property
    def frames_decoded(self) -> int:
        """Pictures decoded since opening, those on the way included."""
        ...

    def frames_at(
        self,
        times_s: Sequence[float],
        *,
        snap: Snap = "exact",
        max_side_px: int | None = None,
        box_px: Box | None = None,
    ) -> list[Frame]:
        """Return the picture a player shows at each time, in the order asked.

        That is the last one with PTS at or before the time; before the first the first, past the end the last.
        With `snap="keyframe"`, the keyframe at or before the time, with its own true time.

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
