"""The clip tool: a time range, evenly sampled."""

from __future__ import annotations

from langchain_core.tools import StructuredTool

from vidagent.tools.context import ToolContext
from vidagent.tools.factory import Question, Seconds, make_tool
from vidagent.tools.result import Look


def make(context: ToolContext) -> StructuredTool:
    """Make the tool over one video."""

    def clip(start_s: Seconds, end_s: Seconds, question: Question) -> Look:
        """Look at a time range: up to {frames} frames spread evenly over it, its first and last among them.

        The shorter the range, the denser they are; of a range of up to {frames} frames, every frame is shown.

        Args:
            start_s: Start of the range in seconds, from 0 to {duration:.3f}.
            end_s: End of the range in seconds, greater than start_s.
            question: What to look for, in one self-contained sentence.
        """
        window = context.window(start_s, end_s)
        chosen = context.spread(window, context.grant(context.caps.frames))
        return context.look("clip", question, window, chosen)

    return make_tool(clip, frames=context.caps.frames, duration=context.duration_s)
