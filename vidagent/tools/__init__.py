"""What the agent can do with one opened video: overview, clip, resample, crop, search, answer."""

from __future__ import annotations

from langchain_core.tools import StructuredTool

from vidagent.tools import answer, clip, crop, overview, resample, search
from vidagent.tools.context import Caps, Desk
from vidagent.tools.result import Look

__all__ = ["NAMES", "Caps", "Desk", "Look", "make_tool", "make_tools"]

_MAKERS = {
    "overview": overview.make,
    "search": search.make,
    "clip": clip.make,
    "resample": resample.make,
    "crop": crop.make,
    "answer": answer.make,
}
NAMES = tuple(_MAKERS)


def make_tool(name: str, desk: Desk) -> StructuredTool:
    """Make one tool over one video."""
    return _MAKERS[name](desk)


def make_tools(desk: Desk) -> dict[str, StructuredTool]:
    """Make all tools over one video, by name."""
    return {name: make(desk) for name, make in _MAKERS.items()}
