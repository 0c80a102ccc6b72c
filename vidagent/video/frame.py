"""A decoded picture and its presentation time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a video.

    Args:
        time_s: Exact presentation time on the player's clock.
        rgb: Pixels, `(height, width, 3)` uint8, upright.
        damaged: Whether the file's data are damaged there, so that it shows what was never filmed.
    """

    time_s: float
    rgb: NDArray[np.uint8]
    damaged: bool = False


def fit_wh(size_wh: tuple[int, int], max_side_px: int | None) -> tuple[int, int]:
    """Return the size scaled so that its longer side is at most `max_side_px`; never larger, same aspect."""
    longer = max(size_wh)
    if max_side_px is None or longer <= max_side_px:
        return size_wh
    width, height = (max(1, round(side * max_side_px / longer)) for side in size_wh)
    return width, height
