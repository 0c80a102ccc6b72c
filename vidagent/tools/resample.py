"""The resample tool: a short range at a chosen frame rate, for times exact to a frame."""

from __future__ import annotations

from langchain_core.tools import StructuredTool

from vidagent.tools.context import ToolContext
from vidagent.tools.factory import Fps, Question, Seconds, make_tool
from vidagent.tools.result import Look


def make(context: ToolContext) -> StructuredTool:
    """Make the tool over one video."""

    def resample(start_s: Seconds, end_s: Seconds, fps: Fps, question: Question) -> Look:
        """Look at a short range at a higher frame rate, to tell exactly when something starts or ends.

        At most {frames} frames: over a longer range the rate is lowered, and the result says so. The video has
        {video_fps:.3f} frames a second; at that rate every frame of the range is shown. Frames at start_s and end_s
        are among them at any rate.

        Args:
            start_s: Start of the range in seconds, from 0 to {duration:.3f}.
            end_s: End of the range in seconds, greater than start_s.
            fps: Frames a second, up to {video_fps:.3f}.
            question: What to look for, in one self-contained sentence.
        """
        window = context.window(start_s, end_s)
        chosen = context.at_rate(window, fps, context.grant(context.caps.frames))
        return context.look("resample", question, window, chosen)

    video_fps = float(context.video.info.fps)
    return make_tool(resample, frames=context.caps.frames, video_fps=video_fps, duration=context.duration_s)
