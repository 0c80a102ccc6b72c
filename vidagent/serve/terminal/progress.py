"""Progress on stderr: one line for each look and verdict, and a live display on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import RenderableType
from rich.live import Live

from vidagent.errors import ModelError
from vidagent.serve.terminal import console
from vidagent.serve.terminal.console import Terminal
from vidagent.serve.terminal.interruption import Findings
from vidagent.serve.terminal.live_display import LiveDisplay
from vidagent.text import counted, one_line, short_number
from vidagent.video.clock import format_time

if TYPE_CHECKING:
    from vidagent.graphs.events import Event

_PASSING = frozenset({"progress", "step", "look", "claim", "answer"})
"""Events that a later one completes: shown in the status line, and as lines only with `-v`."""
_STYLES = {"model": "cyan", "observation": "dim", "note": "yellow"}
_REDRAWS_PER_SECOND = 12.5
_FOUND = {True: " found", False: " nothing", None: ""}


class ProgressDisplay:
    """Lines that stay, and below them a live part on a terminal; a context manager, which removes it at the end.

    Args:
        console: Where to show it.
        live_part: Returns the live part as it is now.
        quiet: Show nothing.
        redraws_per_second: How often the live part is drawn.
    """

    def __init__(
        self,
        console: Terminal,
        live_part: Callable[[], RenderableType],
        *,
        quiet: bool,
        redraws_per_second: float = 4.0,
    ) -> None:
        """Find out whether a live part can be shown."""
        self._console, self._quiet = console, quiet
        is_live = console.is_interactive and console.file.isatty() and not quiet
        self._live = (
            Live(
                console=console,
                get_renderable=live_part,
                refresh_per_second=redraws_per_second,
                transient=True,
            )
            if is_live
            else None
        )

    @property
    def live(self) -> bool:
        """Whether there is a live part."""
        return self._live is not None

    def __enter__(self) -> Self:
        """Start the live part."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the live part."""
        if self._live is not None:
            self._live.stop()

    def tell(self, text: str, style: str = "") -> None:
        """Print a line that stays, unless asked to be quiet."""
        if not self._quiet:
            self._console.say(text, style=style)


class Progress(ProgressDisplay):
    """Shows the events of a run as they come; a context manager, and the `on_event` of a run.

    Args:
        console: Where to show them.
        quiet: Show nothing.
        verbose: Keep every event as a line.
        doing: The first status.

    Attributes:
        findings: What the events say of the run so far.
    """

    def __init__(
        self,
        console: Terminal,
        *,
        quiet: bool = False,
        verbose: bool = False,
        doing: str = "opening the video",
    ) -> None:
        """Remember how much to show."""
        self._verbose = verbose
        self._looks: dict[int, str] = {}
        self._video = ""
        self.findings = Findings()
        self._display = LiveDisplay(doing)
        super().__init__(console, lambda: self._display, quiet=quiet, redraws_per_second=_REDRAWS_PER_SECOND)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the live part; of a run that was interrupted or lost its model, tell how to go on."""
        super().__exit__(kind, error, trace)
        if kind is not None and issubclass(kind, KeyboardInterrupt | ModelError):
            for line in self.findings.lines():
                self.tell(line)

    def doing(self, text: str) -> None:
        """Show a status, if there is a status line."""
        self._display.set_status(text)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        self.findings.add(event)
        if event.kind == "thought":
            self._display.append_thought(event.text)
            return
        self._display.clear_thought()
        if event.kind == "token":
            self._display.append_answer(event.text)
        else:
            self._show_event(event)

    def _show_event(self, event: Event) -> None:
        text = one_line(event.text)
        if event.kind == "look":
            self._looks[event.data["id"]] = _look(event.data)
        if event.kind == "observation":
            text = f"{self._looks.pop(event.data['id'], '')}{_FOUND[event.data['found']]}: {text}"
        if event.kind == "video":
            self._video = "" if "status" in event.data else text
        if event.kind in _PASSING or event.kind == "video":
            self.doing(f"{self._video}: {text}" if self._video and event.kind != "video" else text)
        if event.kind not in _PASSING or self._verbose:
            label = {"observation": "looked"}.get(event.kind, event.kind)
            self.tell(f"{label:<8}  {text.removeprefix(f'{label} ')}", style=_STYLES.get(event.kind, ""))


def _look(data: dict[str, Any]) -> str:
    """Say which frames a look showed: the tool, the span, how many and how dense."""
    span = f"{format_time(data['start_s'])} to {format_time(data['end_s'])}"
    at = f" at {short_number(data['fps'])} fps" if data["fps"] else ""
    return f"{data['tool']} {span}, {counted(data['frames'], 'frame')}{at};"


def command_progress(*, quiet: bool, verbose: bool) -> Progress:
    """Return a command's progress on stderr; the flags choose its log records, too."""
    console.loudness(quiet=quiet, verbose=verbose)
    return Progress(console.stderr(), quiet=quiet, verbose=verbose)
