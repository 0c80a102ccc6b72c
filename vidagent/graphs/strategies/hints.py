"""What the index says of where something short may be, before any frame there is looked at."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise, zip_longest

from vidagent.graphs.state import Run

SCAN_AT_ONCE_S = 120.0
"""Videos up to this long are scanned in the survey, which takes about a second; of longer ones the planner is told no
shots, even if an earlier search left a scan in the cache: what it is told does not depend on the cache."""
_FEW = 8
"""Moments stand out if a range has no more than so many; hundreds, as in handheld footage, say nothing."""


def hinted_times(run: Run, start_s: float, end_s: float, most: int) -> list[float]:
    """Return times of a range at which something short may show, in order.

    They are the moments of the scan, if there is one, and the middles and ends of the seconds with the most change, by
    worth in turn.
    """
    moments = [moment.time_s for moment in run.index.scan().moments] if run.index.scanned() else []
    busy = run.index.activity().busy_times(most)
    ranked = (
        t for pair in zip_longest(moments, busy) for t in pair if t is not None and start_s <= t < end_s
    )
    return sorted(list(dict.fromkeys(ranked))[:most])


def unseen_hints(run: Run, seen_s: Sequence[float], start_s: float, end_s: float, near_s: float) -> bool:
    """Tell whether something shorter than the steps between the frames seen may be there.

    A shot in which no frame was seen says so, and a moment that stands out and has no frame seen near it.

    Args:
        run: The run.
        seen_s: Times of the frames seen, in order.
        start_s: Start of the range.
        end_s: End of the range.
        near_s: How near to a moment a frame has to be.
    """
    if not run.index.scanned():
        return False
    scan = run.index.scan()
    shots = pairwise([start_s, *(cut for cut in scan.cuts_s if start_s < cut < end_s), end_s])
    if any(not _any_within(seen_s, first_s, after_s) for first_s, after_s in shots):
        return True
    moments = [moment.time_s for moment in scan.moments if start_s <= moment.time_s < end_s]
    return len(moments) <= _FEW and any(_missed(seen_s, moments, near_s))


def _missed(seen_s: Sequence[float], moments: Sequence[float], near_s: float) -> Iterator[bool]:
    return (not _any_within(seen_s, t - near_s, t + near_s) for t in moments)


def _any_within(seen_s: Sequence[float], start_s: float, end_s: float) -> bool:
    place = bisect_left(seen_s, start_s)
    return place < len(seen_s) and seen_s[place] < end_s
