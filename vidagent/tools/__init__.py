"""What the agent can do with one opened video: overview, clip, resample, crop, search, answer."""

from __future__ import annotations

from langchain_core.tools import StructuredTool

from vidagent.tools import answer, clip, crop, overview, resample, search
from vidagent.tools.desk import Caps, Desk
from vidagent.tools.result import Look

__all__ = ["Caps", "Desk", "Look", "make_tools"]


def make_tools(desk: Desk) -> dict[str, StructuredTool]:
    """Make all tools over one video, by name."""
    makers = (overview, search, clip, resample, crop, answer)
    return {tool.name: tool for tool in (maker.make(desk) for maker in makers)}
