"""How far a batch is, on stderr: a line that moves on a terminal, a line now and then where nobody looks."""

from __future__ import annotations

import time
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from vidagent.serve.batch.results import Result
from vidagent.serve.batch.summary import Tally
from vidagent.serve.terminal import Terminal

__all__ = ["Progress"]

_EVERY_S = 10.0
_BAR_COLUMNS = 24


class Progress:
    """Tells lines done, rate, time left, errors and tokens; a context manager.

    Args:
        console: Where to tell it.
        total: Lines of the input.
        done: How many were done before.
        quiet: Tell nothing.
    """

    def __init__(self, console: Terminal, total: int, done: int, *, quiet: bool) -> None:
        """Start the clock."""
        self._console, self._total, self._before, self._quiet = console, total, done, quiet
        self._tally, self._began_s, self._told_s = Tally(), time.monotonic(), time.monotonic()
        moves = console.is_interactive and console.file.isatty() and not quiet
        self._live = Live(console=console, get_renderable=self._row, transient=True) if moves else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the moving line away; leave one that stays."""
        if self._live is not None:
            self._live.stop()
        if self._tally.lines:
            self.tell(self._line())

    def tell(self, text: str) -> None:
        """Print a line that stays, unless asked to be quiet."""
        if not self._quiet:
            self._console.say(text)

    def add(self, result: Result) -> None:
        """Count a line that is done."""
        self._tally.add(result)
        now_s = time.monotonic()
        if self._live is None and now_s - self._told_s >= _EVERY_S:
            self._told_s = now_s
            self.tell(self._line())

    def _line(self) -> str:
        done, spent_s = self._tally.lines, time.monotonic() - self._began_s
        left = self._total - self._before - done
        parts = [f"{self._before + done} of {self._total} lines", f"{60 * done / max(spent_s, 1e-3):.1f}/min"]
        if done and left:
            parts.append(f"{timedelta(seconds=round(left * spent_s / done))} left")
        if self._tally.errors:
            parts.append(f"{self._tally.errors} errors")
        parts.append(f"{self._tally.costs['model_calls']:,} calls")
        if self._tally.tokens:
            parts.append(f"{self._tally.tokens:,} tokens")
        return ", ".join(parts)

    def _row(self) -> Table:
        row = Table.grid(padding=(0, 1))
        done = self._before + self._tally.lines
        row.add_row(ProgressBar(self._total, done, width=_BAR_COLUMNS), self._line())
        return row
