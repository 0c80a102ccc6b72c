"""The overview tool: the whole video at a glance."""

from __future__ import annotations

from langchain_core.tools import StructuredTool

from vidagent.tools.arguments import Question
from vidagent.tools.context import Desk
from vidagent.tools.factory import make_tool
from vidagent.tools.frame_choice import Window
from vidagent.tools.result import Look

_KEYFRAMES_ENOUGH = 0.75


def look_over(desk: Desk, question: str) -> Look:
    """Show frames spread evenly over the whole video.

    Long videos are read at keyframes only, which is many times faster; each picture keeps its true time.
    """
    whole = Window(0.0, desk.duration_s)
    most = desk.grant(desk.caps.overview_frames)
    chosen = desk.spread(whole, most)
    stills = desk.pictures(chosen.times_s, snap="keyframe") if desk.frame_times(whole) is None else ()
    if len(stills) < _KEYFRAMES_ENOUGH * len(chosen.times_s):
        stills = desk.pictures(chosen.times_s)
    fps = len(stills) / max(desk.duration_s, 1e-3)
    return Look("overview", question, 0.0, desk.duration_s, stills, fps, chosen.every_frame)


def make(desk: Desk) -> StructuredTool:
    """Make the tool over one video."""

    def overview(question: Question) -> Look:
        """Look at {frames} frames spread evenly over the whole video ({duration}).

        Use it first, to learn what the video is and roughly where things are. Events shorter than the gap
        between two frames ({gap:.1f} s) can be missed: use search for those.

        Args:
            question: What to look for, in one self-contained sentence.
        """
        return look_over(desk, question)

    frames = desk.caps.overview_frames
    return make_tool(
        overview, frames=frames, duration=desk.says(desk.duration_s), gap=desk.duration_s / frames
    )
