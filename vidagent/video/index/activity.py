"""Where a video is busy, told from the sizes of its packets without decoding a frame.

An encoder spends bytes on what changes, so bytes a second, keyframes left out, follow the movement in the
picture; a span with almost none is still.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidagent.types import Span
from vidagent.video.packets import Packets

MOST_BINS = 3600
_STILL_SHARE = 0.15
_ABOUT_AS_LITTLE = 1.3
_FAR_LESS = 0.1


@dataclass(frozen=True, slots=True)
class Activity:
    """Bytes of change in bins of equal length.

    Args:
        bin_s: Length of a bin in seconds; a second, or more for videos over an hour.
        bytes_per_s: Bytes a second in each bin, keyframes left out, float32 of shape `(bins,)`.
    """

    bin_s: float
    bytes_per_s: NDArray[np.float32]

    def busiest(self, most: int) -> list[Span]:
        """Return the bins with most change, busiest first, none next to another."""
        chosen: list[int] = []
        for index in np.argsort(-self.bytes_per_s, kind="stable"):
            if self.bytes_per_s[index] <= 0 or len(chosen) == most:
                break
            if all(abs(int(index) - other) > 1 for other in chosen):
                chosen.append(int(index))
        return [self._span(index, index + 1) for index in chosen]

    def stillest(self) -> Span | None:
        """Return the longest run of bins with next to no change, or None if none stands out.

        That is under 15% of the median; or, as even a frame that repeats the last one has some 30 to 60 bytes, about
        as little as the quietest bins, where these have under a tenth of what busy ones have.
        """
        if not self.bytes_per_s.size:
            return None
        quiet, median, busy = (float(level) for level in np.percentile(self.bytes_per_s, (5, 50, 90)))
        floor = _ABOUT_AS_LITTLE * quiet if quiet < _FAR_LESS * busy else 0.0
        still = self.bytes_per_s <= max(_STILL_SHARE * median, floor)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], still.view(np.int8), [0]])))
        runs = edges.reshape(-1, 2)
        if not len(runs):
            return None
        first, last = runs[int(np.argmax(runs[:, 1] - runs[:, 0]))]
        return self._span(int(first), int(last))

    def _span(self, first: int, last: int) -> Span:
        return Span(first * self.bin_s, last * self.bin_s)


def measure(packets: Packets, duration_s: float) -> Activity:
    """Add up the packets of a video of `duration_s` seconds."""
    bins = max(1, min(MOST_BINS, int(duration_s)))
    bin_s = duration_s / bins if duration_s > MOST_BINS else 1.0
    places = np.clip((packets.times_s / bin_s).astype(np.int64), 0, bins - 1)
    weights = np.where(packets.keyframes, 0, packets.sizes)
    total = np.bincount(places, weights=weights, minlength=bins)
    lengths_s = np.full(bins, bin_s)
    lengths_s[-1] = max(duration_s - (bins - 1) * bin_s, 1e-3)  # what is left over belongs to the last bin
    return Activity(bin_s, (total / lengths_s).astype(np.float32))
