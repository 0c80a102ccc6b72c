"""The rate at which things end, such as the lines of a batch, and the time left."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta

_LEAST, _LEAST_SHARE, _LEAST_MOST = 3, 0.02, 50
"""Things that end before a rate is shown: 2% of all, from 3 to 50."""
_RATE_LINES = 60


class Rate:
    """The rate of the last things that ended.

    Lines that begin together end at about the same time, after the start-up and after as long as a line takes: the
    first so many are skipped, as neither tells how fast lines follow each other.

    Args:
        lines: How many are to end.
        side_by_side: How many are under way at once.
        clock: Returns the time, in seconds.
    """

    def __init__(self, lines: int, side_by_side: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Wait for the first lines."""
        self._clock, self._skip = clock, side_by_side - 1
        self._least = min(max(_LEAST, math.ceil(lines * _LEAST_SHARE)), _LEAST_MOST)
        self._ends_s: deque[float] = deque(maxlen=max(_RATE_LINES, 4 * side_by_side))

    def add(self) -> None:
        """Count a line that ended now."""
        if self._skip:
            self._skip -= 1
        else:
            self._ends_s.append(self._clock())

    @property
    def per_second(self) -> float | None:
        """Lines a second, or None while too few have ended; less from the moment that the next one is overdue."""
        ended = len(self._ends_s) - 1
        if ended < self._least:
            return None
        began_s, last_s = self._ends_s[0], self._ends_s[-1]
        overdue = (self._clock() - began_s) / (ended + 1)
        return 1 / max((last_s - began_s) / ended, overdue, 1e-6)


def span(seconds: float) -> str:
    """Return a duration as `0:01:30`."""
    return str(timedelta(seconds=round(seconds)))
