"""The live part of the screen during a run: the status line, and below it the answer as it is written."""

from __future__ import annotations

import re
from itertools import takewhile

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.spinner import Spinner
from rich.text import Text

from vidagent.text import one_line, without_controls

_MAX_CHARS = 4000
"""Characters remembered of a text: no terminal shows more."""
_MAX_LINES = 12
_MIN_THOUGHT_CELLS = 12
"""Cells below which a thought is left out, as it could not be read."""
_SPINNER = "dots"
_SPINNER_CELLS = 2
_MARGIN_CELLS = 1
"""The last column stays empty: some terminals wrap once it is written."""
_JOINERS = re.compile(
    r"[\xad\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0000-\U000e01ef]"
)
"""Characters that merge with their neighbours on some terminals and not on others, so that the width is uncertain."""


class LiveDisplay:
    """The part of the screen that is redrawn many times a second; it never wraps and never scrolls."""

    def __init__(self, doing: str) -> None:
        """Start with the first status."""
        self._spinner = Spinner(_SPINNER)
        self._doing = doing
        self._thought = ""
        self._answer = ""

    def set_status(self, doing: str) -> None:
        """Show a status."""
        self._doing = doing

    def append_thought(self, words: str) -> None:
        """Append to the thought; the status line shows its end."""
        self._thought = (self._thought + words)[-_MAX_CHARS:]

    def clear_thought(self) -> None:
        """Remove the thought."""
        self._thought = ""

    def append_answer(self, words: str) -> None:
        """Append to the answer."""
        self._answer = (self._answer + words)[-_MAX_CHARS:]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the status line and the last lines of the answer, as much as there is room for."""
        width = max(options.max_width - _MARGIN_CELLS, _SPINNER_CELLS + 1)
        self._spinner.text = self._status(width - _SPINNER_CELLS)
        yield self._spinner
        most = max(0, min(_MAX_LINES, options.size.height - 3))
        answer = Text(_fixed_width(self._answer).strip().expandtabs(4))
        if answer and most:
            yield from answer.wrap(console, width, no_wrap=False, overflow="fold")[-most:]

    def _status(self, cells: int) -> Text:
        """Return the status, followed by the end of the thought, which gets at least half of the line."""
        status = Text(one_line(_fixed_width(self._doing)))
        thought = one_line(_fixed_width(self._thought)) if cells >= 2 * _MIN_THOUGHT_CELLS else ""
        status.truncate(cells // 2 if thought else cells, overflow="ellipsis")
        if thought:
            status.append(f" {_end_of(thought, cells - status.cell_len - 1)}", style="dim")
        return status


def _fixed_width(text: str) -> str:
    """Remove characters that make the width on the screen uncertain."""
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
