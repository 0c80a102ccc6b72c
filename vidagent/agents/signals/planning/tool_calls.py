"""Tool calls of the embedded planner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages.tool import ToolCall, tool_call

from vidagent.agents.signals.planning.earlier_looks import Past
from vidagent.agents.signals.planning.intervals import Window


def _call(name: str, **args: Any) -> ToolCall:  # noqa: ANN401 - the arguments of any tool
    return tool_call(name=name, args=args, id=None)


def overview(question: str) -> ToolCall:
    """Sample the whole video."""
    return _call("overview", question=question)


def search(query: str, page: int) -> ToolCall:
    """Look at one page of the likeliest moments."""
    return _call("search", query=query, page=page)


def clip(start_s: float, end_s: float, question: str) -> ToolCall:
    """Look at a time range."""
    return _call("clip", start_s=start_s, end_s=end_s, question=question)


def closer(window: Window, question: str, past: Past) -> ToolCall:
    """Look at a window at its frame rate, or at every frame; use the other tool if one of the two is missing."""
    fps = window.fps or round(1 / past.frame_s, 4)
    if not past.has("resample") or (window.fps is None and past.has("clip")):
        return clip(window.start_s, window.end_s, question)
    return _call("resample", start_s=window.start_s, end_s=window.end_s, fps=fps, question=question)


def crop(time_s: float, grid: str, question: str) -> ToolCall:
    """Look at part of a frame."""
    return _call("crop", time_s=time_s, grid=grid, question=question)


def answer(
    found: str,
    text: str,
    *,
    claims: Sequence[tuple[str, Sequence[str], float]] = (),
    parts: Sequence[dict[str, Any]] = (),
    spans: Sequence[tuple[float, float]] = (),
    count: int | None = None,
    choice: int | None = None,
    confidence: float = 0.5,
) -> ToolCall:
    """Answer; a claim is its text, the ids of the looks that show it, and its time in seconds."""
    return _call(
        "answer",
        found=found,
        answer=text,
        claims=[{"text": claim, "ledger": list(looks), "time_s": at_s} for claim, looks, at_s in claims],
        spans=[{"start_s": start_s, "end_s": end_s} for start_s, end_s in spans],
        parts=list(parts),
        count=count,
        choice=choice,
        confidence=confidence,
    )
