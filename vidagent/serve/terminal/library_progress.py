"""Progress of indexing a library on stderr: a live line on a terminal, else a line every ten seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress_bar import ProgressBar
from rich.table import Table

from vidagent.serve.terminal.console import Terminal
from vidagent.serve.terminal.progress import ProgressDisplay
from vidagent.serve.terminal.rate import Rate, span
from vidagent.text import counted

if TYPE_CHECKING:
    from vidagent.library.indexing import VideoDone

_EVERY_S = 10.0
_BAR_COLUMNS = 24


class LibraryProgress(ProgressDisplay):
    """Shows videos read, rate, time left and errors; a context manager.

    Args:
        console: Where to show it.
        workers: How many videos are read at once.
        quiet: Show nothing.
        clock: Returns the time, in seconds.
    """

    def __init__(
        self,
        console: Terminal,
        workers: int,
        *,
        quiet: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock."""
        self._workers, self._clock = workers, clock
        self._total = self._done = self._failed = 0
        self._began_s = self._shown_s = clock()
        self._rate = Rate(0, workers, clock)
        self._doing: dict[Path, str] = {}
        super().__init__(console, self._row, quiet=quiet)

    def start(self, total: int) -> None:
        """Set how many videos are to be read."""
        self._total, self._began_s = total, self._clock()
        self._rate = Rate(total, self._workers, self._clock)

    def doing(self, path: Path, what: str, share: float) -> None:
        """Show what is being done with a video; called in other threads."""
        self._doing[path] = f"{path.name}: {what}, {share:.0%}"
        self._tell_now_and_then()

    def add(self, one: VideoDone) -> None:
        """Count a video that was read, or could not be, which is told."""
        self._done += 1
        self._doing.pop(one.path, None)
        self._total = max(self._total, self._done)
        if one.error is None:
            self._rate.add()
        else:
            self._failed += 1
            self.tell(f"failed    {one.error}", style="yellow")
        self._tell_now_and_then()

    def _tell_now_and_then(self) -> None:
        now_s = self._clock()
        if self._live is None and now_s - self._shown_s >= _EVERY_S:
            self._shown_s = now_s
            self.tell(self._under_way())

    def summary(self) -> str:
        """Return what was read, in words."""
        spent = span(self._clock() - self._began_s)
        failed = f", {counted(self._failed, 'video')} failed" if self._failed else ""
        return f"indexed   {counted(self._done - self._failed, 'video')} in {spent}{failed}"

    def _under_way(self) -> str:
        parts = [f"{self._done:,} of {counted(self._total, 'video')}"]
        left, rate = self._total - self._done, self._rate.per_second
        if rate is not None and left:
            parts += [f"{60 * rate:.1f}/min", f"{span(left / rate)} left"]
        if self._failed:
            parts.append(f"{self._failed:,} failed")
        now = next(iter(list(self._doing.values())), None)
        return ", ".join(parts) + (f"; {now}" if now else "")

    def _row(self) -> Table:
        row = Table.grid(padding=(0, 1))
        row.add_row(ProgressBar(max(1, self._total), self._done, width=_BAR_COLUMNS), self._under_way())
        return row
