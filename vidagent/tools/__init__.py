"""What the agent can do with one opened video: overview, clip, resample, crop, search, answer."""

from __future__ import annotations

from langchain_core.tools import StructuredTool

from vidagent.tools import answer, clip, crop, overview, resample, search
from vidagent.tools.context import Caps, ToolContext
from vidagent.tools.result import Look

__all__ = ["MAKERS", "NAMES", "Caps", "Look", "ToolContext", "make_tools"]

MAKERS = {
    "overview": overview.make,
    "search": search.make,
    "clip": clip.make,
    "resample": resample.make,
    "crop": crop.make,
    "answer": answer.make,
}
"""What makes each tool over one video, by its name."""
NAMES = tuple(MAKERS)


def make_tools(context: ToolContext) -> dict[str, StructuredTool]:
    """Make all tools over one video, by name."""
    return {name: make(context) for name, make in MAKERS.items()}
