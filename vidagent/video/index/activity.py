"""Activity of a video, measured by packet sizes without decoding a frame.

An encoder spends bytes on change, so bytes per second without keyframes follow the movement in the picture; a span
with almost none is still.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidagent.types import Span
from vidagent.video.packets import Packets

MOST_BINS = 3600
_STILL_SHARE = 0.15
_QUIET_FACTOR = 1.3
_QUIET_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Activity:
    """Bytes of change in bins of equal length.

    Args:
        bin_s: Length of a bin in seconds: 1, or more for videos over an hour.
        bytes_per_s: Bytes per second in each bin without keyframes, float32 of shape `(bins,)`.
    """

    bin_s: float
    bytes_per_s: NDArray[np.float32]

    def busiest(self, most: int) -> list[Span]:
        """Return the bins with the most change, busiest first, no two adjacent."""
        chosen: list[int] = []
        for index in np.argsort(-self.bytes_per_s, kind="stable"):
            if self.bytes_per_s[index] <= 0 or len(chosen) == most:
                break
            if all(abs(int(index) - other) > 1 for other in chosen):
                chosen.append(int(index))
        return [self._span(index, index + 1) for index in chosen]

    def busy_times(self, most: int) -> list[float]:
        """Return the ends and middles, in seconds, of the bins with the most change, busiest first.

        What comes into the picture in a bin is there at its end, unless it is gone again, and then in its middle.
        """
        spans = self.busiest(most)
        return [t for span in spans for t in (span.end_s, (span.start_s + span.end_s) / 2)][:most]

    def stillest(self) -> Span | None:
        """Return the longest run of bins with almost no change, or None if none stands out.

        The limit is 15% of the median. As even a repeated frame takes 30 to 60 bytes, it is at least 1.3 times the
        5th percentile if that is under a tenth of the 90th.
        """
        if not self.bytes_per_s.size:
            return None
        quiet, median, busy = (float(level) for level in np.percentile(self.bytes_per_s, (5, 50, 90)))
        floor = _QUIET_FACTOR * quiet if quiet < _QUIET_SHARE * busy else 0.0
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
    lengths_s[-1] = max(duration_s - (bins - 1) * bin_s, 1e-3)  # the last bin takes the remainder
    return Activity(bin_s, (total / lengths_s).astype(np.float32))
