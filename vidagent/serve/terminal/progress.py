"""Live progress on stderr: a scene on a terminal, and one line for each look and verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vidagent.serve.terminal.console import Terminal
from vidagent.serve.terminal.event_text import Telling
from vidagent.serve.terminal.live_display import Scene
from vidagent.text import counted, one_line
from vidagent.video.clock import format_time

if TYPE_CHECKING:
    from vidagent.graphs.events import Event

_PASSING = frozenset({"progress", "step", "look", "claim", "answer"})
"""Events that a later one completes: they live in the status line, and stay on the screen only with `-v`."""
_STYLES = {"model": "cyan", "observation": "dim", "note": "yellow"}
_FRAMES_A_SECOND = 12.5
_FOUND = {True: "found", False: "nothing", None: "unclear"}


class Progress(Telling):
    """Shows the events of a run as they come; a context manager, and the `on_event` of a run.

    Args:
        console: Where to show them.
        quiet: Show nothing.
        verbose: Keep every event as a line.
        doing: What is going on at first.
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
        self._scene = Scene(doing)
        super().__init__(console, lambda: self._scene, quiet=quiet, redraws_a_second=_FRAMES_A_SECOND)

    def doing(self, text: str) -> None:
        """Show what is going on, on the status line if there is one."""
        self._scene.do(text)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if event.kind == "thought":
            self._scene.think(event.text)
            return
        self._scene.stop_thinking()
        if event.kind == "token":
            self._answer(event)
        else:
            self._happening(event)

    def _answer(self, event: Event) -> None:
        if event.data.get("restart"):
            self._scene.unsay()
        else:
            self._scene.say(event.text)

    def _happening(self, event: Event) -> None:
        text = one_line(event.text)
        if event.kind == "look":
            self._looks[event.data["id"]] = _look(event.data)
        if event.kind == "observation":
            text = f"{self._looks.pop(event.data['id'], '')} {_FOUND[event.data['found']]}: {text}"
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
    rate = f" at {data['fps']:.3g} fps" if data["fps"] else ""
    return f"{data['tool']} {span}, {counted(data['frames'], 'frame')}{rate};"
