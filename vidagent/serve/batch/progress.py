"""Progress of a batch on stderr: a live line on a terminal, else a line every ten seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.progress_bar import ProgressBar
from rich.table import Table

from vidagent.serve.batch.output_file import Result
from vidagent.serve.batch.summary import Tally, outcome
from vidagent.serve.terminal.console import Terminal
from vidagent.serve.terminal.progress import ProgressDisplay
from vidagent.serve.terminal.rate import Rate, span
from vidagent.text import counted

_EVERY_S = 10.0
_BAR_COLUMNS = 24
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
            self.tell(self._line(f" in {span(spent_s)}", f"{rate:.1f}/min"))

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
        return self._line("", f"{60 * rate:.1f}/min", f"{span(left / rate)} left")

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
