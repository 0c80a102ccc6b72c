"""What both kinds of progress do on stderr: lines that stay, and under them a part that moves where somebody looks."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import RenderableType
from rich.live import Live

from vidagent.serve.terminal.console import Terminal


class Telling:
    """Tells how something goes on; a context manager, at whose end the moving part is taken away.

    Args:
        console: Where to tell it.
        moving: Returns what moves, as it stands now; called at once where somebody looks.
        quiet: Tell nothing.
        redraws_a_second: How often the moving part is drawn.
    """

    def __init__(
        self,
        console: Terminal,
        moving: Callable[[], RenderableType],
        *,
        quiet: bool,
        redraws_a_second: float = 4.0,
    ) -> None:
        """Find out whether somebody looks."""
        self._console, self._quiet = console, quiet
        moves = console.is_interactive and console.file.isatty() and not quiet
        self._live = (
            Live(
                console=console,
                get_renderable=moving,
                refresh_per_second=redraws_a_second,
                transient=True,
            )
            if moves
            else None
        )

    @property
    def live(self) -> bool:
        """Whether somebody may be looking."""
        return self._live is not None

    def __enter__(self) -> Self:
        """Start what moves."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take away what moves."""
        if self._live is not None:
            self._live.stop()

    def tell(self, text: str, style: str = "") -> None:
        """Print a line that stays, unless asked to be quiet."""
        if not self._quiet:
            self._console.say(text, style=style)
