"""Coded pictures: presentation times, sizes and keyframe flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Packets:
    """The coded pictures of a video, in the order of `times_s`.

    Args:
        times_s: Seconds on the player's clock, float64.
        sizes: Size of each in bytes, int32.
        keyframes: Whether each can be decoded alone, bool.
        exact_times: Whether `times_s` are presentation times. Otherwise they are decoding times from a sample
            table: right in number and spacing, off by the reordering of B-frames.
    """

    times_s: NDArray[np.float64]
    sizes: NDArray[np.int32]
    keyframes: NDArray[np.bool_]
    exact_times: bool
