"""Live progress on stderr: a status line on a terminal, and one line for each look and verdict."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.status import Status
from rich.text import Text

from vidagent.serve.terminal import Terminal, one_line
from vidagent.video.clock import format_time

if TYPE_CHECKING:
    from vidagent.graphs.events import Event

__all__ = ["Progress"]

_PASSING = frozenset({"progress", "step", "look", "claim", "answer"})
"""Events that a later one completes: they live in the status line, and stay on the screen only with `-v`."""
_STYLES = {"model": "cyan", "observation": "dim", "note": "yellow"}
_FOUND = {True: "found", False: "nothing", None: "unclear"}


class Progress:
    """Shows the events of a run as they come; a context manager, and the `on_event` of a run.

    Args:
        console: Where to show them.
        quiet: Show nothing.
        verbose: Keep every event as a line.
    """

    def __init__(self, console: Terminal, *, quiet: bool = False, verbose: bool = False) -> None:
        """Remember how much to show."""
        self._console = console
        self._quiet = quiet
        self._verbose = verbose
        self._looks: dict[int, str] = {}
        live = console.is_terminal and not console.is_dumb_terminal and not quiet
        self._status = Status(_fitted("opening the video"), console=console) if live else None

    def __enter__(self) -> Self:
        """Start the status line."""
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the status line away."""
        if self._status is not None:
            self._status.stop()

    def tell(self, text: str, style: str = "") -> None:
        """Show a line that stays, unless asked to be quiet."""
        if not self._quiet:
            self._console.say(text, style=style)

    def doing(self, text: str) -> None:
        """Show what is going on, on the status line if there is one."""
        if self._status is not None:
            self._status.update(_fitted(text))

    def __call__(self, event: Event) -> None:
        """Show one event."""
        text = one_line(event.text)
        if event.kind == "look":
            self._looks[event.data["id"]] = _look(event.data)
        if event.kind == "observation":
            text = f"{self._looks.pop(event.data['id'], '')} {_FOUND[event.data['found']]}: {text}"
        if event.kind in _PASSING:
            self.doing(text)
        if event.kind not in _PASSING or self._verbose:
            label = {"observation": "looked"}.get(event.kind, event.kind)
            self.tell(f"{label:<8}  {text.removeprefix(f'{label} ')}", style=_STYLES.get(event.kind, ""))


def _look(data: dict[str, Any]) -> str:
    """Say which frames a look showed: the tool, the span, how many and how dense."""
    span = f"{format_time(data['start_s'])} to {format_time(data['end_s'])}"
    rate = f" at {data['fps']:.3g} fps" if data["fps"] else ""
    return f"{data['tool']} {span}, {data['frames']} frames{rate};"


def _fitted(text: str) -> Text:
    """Return text that is cut, not wrapped, where the terminal ends: a live line must stay one line."""
    return Text(text, no_wrap=True, overflow="ellipsis")
