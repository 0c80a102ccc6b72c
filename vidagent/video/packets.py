"""Coded pictures: when each is shown, its size, and whether it stands alone."""

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
        times_s: Seconds on the clock, float64.
        sizes: Bytes of each, int32.
        keyframes: Whether each can be decoded alone, bool.
        exact_times: Whether `times_s` are presentation times. Else they come from a sample table, which holds
            decoding times: right in number and spacing, off by the reordering of B-frames.
    """

    times_s: NDArray[np.float64]
    sizes: NDArray[np.int32]
    keyframes: NDArray[np.bool_]
    exact_times: bool
