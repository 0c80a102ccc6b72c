"""The overview tool: the whole video at a glance."""

from __future__ import annotations

from langchain_core.tools import StructuredTool

from vidagent.images.shown_frame import ShownFrame
from vidagent.tools.context import ToolContext, Window
from vidagent.tools.factory import Question, make_tool
from vidagent.tools.result import Look
from vidagent.video.clock import format_time

_ENOUGH_KEYFRAMES = 0.75
"""Share of the frames wanted; with fewer keyframes than that, frames at the exact times are decoded instead."""


def look_over(context: ToolContext, question: str) -> Look:
    """Show frames spread evenly over the whole video.

    Long videos are read at keyframes only, which is many times faster; each picture keeps its true time.
    """
    whole = Window(0.0, context.duration_s)
    most = context.grant(context.caps.overview_frames)
    chosen = context.spread(whole, most)
    stills, notes = tuple[ShownFrame, ...](), tuple[str, ...]()
    if context.frame_times(whole) is None:
        stills, notes = context.pictures(chosen.times_s, snap="keyframe")
    if len(stills) < _ENOUGH_KEYFRAMES * len(chosen.times_s):
        stills, notes = context.pictures(chosen.times_s)
    every = chosen.every_frame and len(stills) == len(chosen.times_s)
    fps = len(stills) / max(context.duration_s, 1e-3)
    return Look("overview", question, 0.0, context.duration_s, stills, fps, every, notes=notes)


def make(context: ToolContext) -> StructuredTool:
    """Make the tool over one video."""

    def overview(question: Question) -> Look:
        """Look at {frames} frames spread evenly over the whole video ({duration}).

        Use it to learn what the video is and roughly where things are, if no overview was given. Events shorter
        than the gap between two frames ({gap:.1f} s) can be missed: use search for those.

        Args:
            question: What to look for, in one self-contained sentence.
        """
        return look_over(context, question)

    frames, length_s = context.caps.overview_frames, context.duration_s
    duration = f"{length_s:.3f} s ({format_time(length_s)})"
    return make_tool(overview, frames=frames, duration=duration, gap=length_s / frames)
