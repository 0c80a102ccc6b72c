"""Progress of a batch on stderr: a live line on a terminal, else a line every ten seconds."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType

from rich.progress_bar import ProgressBar
from rich.table import Table

from vidagent.serve.batch.output_file import Result
from vidagent.serve.batch.summary import Tally, outcome
from vidagent.serve.terminal.console import Terminal
from vidagent.serve.terminal.progress import ProgressDisplay
from vidagent.text import counted

_EVERY_S = 10.0
_BAR_COLUMNS = 24
_LEAST, _LEAST_SHARE, _LEAST_MOST = 3, 0.02, 50
"""Lines before a rate is shown: 2% of all, from 3 to 50."""
_RATE_LINES = 60
_NEVER_ASKED = frozenset({"video", "usage"})
"""Errors of lines that cost no time, and often come many at once."""


class BatchProgress(ProgressDisplay):
    """Shows lines done, rate, time left, errors and tokens; a context manager.

    Args:
        console: Where to show it.
        total: Lines of the input.
        done: How many were done before.
        side_by_side: How many are under way at once.
        quiet: Show nothing.
        clock: Returns the time, in seconds.
    """

    def __init__(
        self,
        console: Terminal,
        total: int,
        done: int,
        side_by_side: int,
        *,
        quiet: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock."""
        self._total, self._before, self._clock = total, done, clock
        self._tally, self._rate = Tally(), Rate(total - done, side_by_side, clock)
        self._began_s = self._shown_s = clock()
        super().__init__(console, self._row, quiet=quiet)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the moving line away; leave one that stays."""
        super().__exit__(kind, error, trace)
        if self._tally.lines:
            spent_s = self._clock() - self._began_s
            rate = 60 * self._tally.lines / max(spent_s, 1e-3)
            self.tell(self._line(f" in {_span(spent_s)}", f"{rate:.1f}/min"))

    def add(self, result: Result) -> None:
        """Count a line that is done."""
        self._tally.add(result)
        if outcome(result) not in _NEVER_ASKED:
            self._rate.add()
        now_s = self._clock()
        if self._live is None and now_s - self._shown_s >= _EVERY_S:
            self._shown_s = now_s
            self.tell(self._under_way())

    def _under_way(self) -> str:
        left, rate = self._total - self._before - self._tally.lines, self._rate.per_second
        if rate is None or not left:
            return self._line()
        return self._line("", f"{60 * rate:.1f}/min", f"{_span(left / rate)} left")

    def _line(self, after: str = "", *pace: str) -> str:
        parts = [f"{self._before + self._tally.lines} of {self._total} lines{after}", *pace]
        if self._tally.errors:
            parts.append(counted(self._tally.errors, "error"))
        parts.append(f"{self._tally.costs['model_calls']:,} calls")
        if self._tally.tokens:
            parts.append(f"{self._tally.tokens:,} tokens")
        return ", ".join(parts)

    def _row(self) -> Table:
        row = Table.grid(padding=(0, 1))
        done = self._before + self._tally.lines
        row.add_row(ProgressBar(self._total, done, width=_BAR_COLUMNS), self._under_way())
        return row


class Rate:
    """The rate of the last lines that ended.

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


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
