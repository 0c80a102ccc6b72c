"""What moves on a terminal while a run goes on: the status line, and under it the answer as it is written."""

from __future__ import annotations

import re
from itertools import takewhile

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.spinner import Spinner
from rich.text import Text

from vidagent.text import one_line, without_controls

_KEPT_CHARS = 4000
"""How much of a text is kept: no terminal shows more of it."""
_MOST_LINES = 12
_LEAST_THOUGHT = 12
"""Cells below which a thought is left out, as nobody could read it."""
_SPINNER = "dots"
_SPINNER_CELLS = 2
_MARGIN_CELLS = 1
"""The last column stays empty: some terminals go on to the next line once it is written."""
_JOINERS = re.compile(
    r"[\xad\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0000-\U000e01ef]"
)
"""Characters that merge with their neighbours on some terminals and not on others, so that no width is sure."""


class Scene:
    """The part of the screen that is drawn anew many times a second: it never wraps and never scrolls."""

    def __init__(self, doing: str) -> None:
        """Start with what is going on first."""
        self._spinner = Spinner(_SPINNER)
        self._doing = doing
        self._thought = ""
        self._answer = ""

    def do(self, doing: str) -> None:
        """Show what is going on."""
        self._doing = doing

    def think(self, words: str) -> None:
        """Show the next words of a thought: only its end stays on the status line."""
        self._thought = (self._thought + words)[-_KEPT_CHARS:]

    def stop_thinking(self) -> None:
        """Take the thought away."""
        self._thought = ""

    def say(self, words: str) -> None:
        """Show the next words of the answer."""
        self._answer = (self._answer + words)[-_KEPT_CHARS:]

    def unsay(self) -> None:
        """Take the answer back."""
        self._answer = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the status line and the last lines of the answer, as much as there is room for."""
        width = max(options.max_width - _MARGIN_CELLS, _SPINNER_CELLS + 1)
        self._spinner.text = self._status(width - _SPINNER_CELLS)
        yield self._spinner
        most = max(0, min(_MOST_LINES, options.size.height - 3))
        answer = Text(_steady(self._answer).strip().expandtabs(4))
        if answer and most:
            yield from answer.wrap(console, width, no_wrap=False, overflow="fold")[-most:]

    def _status(self, cells: int) -> Text:
        """Return what is going on, and after it as much of a thought's end as there is room for: at least half."""
        status = Text(one_line(_steady(self._doing)))
        thought = one_line(_steady(self._thought)) if cells >= 2 * _LEAST_THOUGHT else ""
        status.truncate(cells // 2 if thought else cells, overflow="ellipsis")
        if thought:
            status.append(f" {_end_of(thought, cells - status.cell_len - 1)}", style="dim")
        return status


def _steady(text: str) -> str:
    """Return a text of which the width on the screen is known."""
    return _JOINERS.sub("", without_controls(text))


def _end_of(text: str, cells: int) -> str:
    """Return as much of a text's end as fits."""
    if cell_len(text) <= cells:
        return text
    left = cells - 1

    def fits(char: str) -> bool:
        nonlocal left
        left -= cell_len(char)
        return left >= 0

    end = "".join(takewhile(fits, reversed(text)))[::-1]
    return f"…{end.lstrip()}"
