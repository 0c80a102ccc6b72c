"""The result of a tool: frames to look at with a question, and facts that need no looking."""

from __future__ import annotations

from dataclasses import dataclass

from vidagent.images.shown_frame import ShownFrame


@dataclass(frozen=True, slots=True)
class Look:
    """One use of a tool, as it was done.

    Args:
        tool: Name of the tool.
        question: What the pictures are asked, or what was searched for.
        start_s: Start of the window looked at, after clamping.
        end_s: Its end.
        stills: The frames, in order of time.
        fps: Frames a second; None if they are not evenly spaced.
        every_frame: Whether every frame of the window is among them.
        facts: What is known without looking, one line each: subtitles, shots, movement.
        notes: What was changed of the request, one line each.
    """

    tool: str
    question: str
    start_s: float
    end_s: float
    stills: tuple[ShownFrame, ...] = ()
    fps: float | None = None
    every_frame: bool = False
    facts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
