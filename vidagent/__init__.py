"""Ask questions about videos of any length and get answers with the frames that prove them.

    from vidagent import Budget, analyze_video

    answer = analyze_video("talk.mp4", "When does the speaker show the chart?", budget=Budget(seconds=60))

`analyze_video` answers, `aanalyze_video` is its coroutine, `astream_video` yields events on the way, `summarize_video`
tells what happens in a video, and `VLM` asks a vision-language model directly, without the agent. `as_tool` and
`as_graph` make the agent a part of others. `vidagent.api` has more: facts, frames and indexes of videos, cost
estimates, earlier runs and sessions.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vidagent.errors import ModelError, UsageError, VidagentError, VideoError

if TYPE_CHECKING:
    from vidagent.api import (
        VLM,
        Available,
        Diagnosis,
        DryRun,
        DryRuns,
        Event,
        Finding,
        Hit,
        Hits,
        IndexReport,
        Library,
        Picture,
        Probe,
        RecordedRun,
        RunExport,
        Seen,
        Session,
        Size,
        Stop,
        TextTrack,
        Tracks,
        Transcript,
        aanalyze_video,
        analyze_video,
        as_graph,
        as_tool,
        astream_video,
        asummarize_video,
        summarize_video,
    )
    from vidagent.summary import Chapter, Highlight, Sentence, Summary
    from vidagent.types import (
        Answer,
        Budget,
        BudgetReport,
        Coverage,
        DataField,
        Evidence,
        Part,
        Span,
        StepUsage,
        UnreadVideo,
        Usage,
        VideoInfo,
    )

    __version__: str

__all__ = [
    "VLM",
    "Answer",
    "Available",
    "Budget",
    "BudgetReport",
    "Chapter",
    "Coverage",
    "DataField",
    "Diagnosis",
    "DryRun",
    "DryRuns",
    "Event",
    "Evidence",
    "Finding",
    "Highlight",
    "Hit",
    "Hits",
    "IndexReport",
    "Library",
    "ModelError",
    "Part",
    "Picture",
    "Probe",
    "RecordedRun",
    "RunExport",
    "Seen",
    "Sentence",
    "Session",
    "Size",
    "Span",
    "StepUsage",
    "Stop",
    "Summary",
    "TextTrack",
    "Tracks",
    "Transcript",
    "UnreadVideo",
    "Usage",
    "UsageError",
    "VidagentError",
    "VideoError",
    "VideoInfo",
    "__version__",
    "aanalyze_video",
    "analyze_video",
    "as_graph",
    "as_tool",
    "astream_video",
    "asummarize_video",
    "summarize_video",
]

_TYPES = {
    "Answer",
    "Budget",
    "BudgetReport",
    "Coverage",
    "DataField",
    "Evidence",
    "Part",
    "Span",
    "StepUsage",
    "UnreadVideo",
    "Usage",
    "VideoInfo",
}
"""Names that need nothing of the agent: the decoding process starts without it."""
_SUMMARY = {"Chapter", "Highlight", "Sentence", "Summary"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the module attribute protocol (PEP 562)
    """Import the rest on first use, so that `import vidagent` stays cheap."""
    if name == "__version__":
        return import_module("importlib.metadata").version("vidagent")
    if name in _TYPES:
        return getattr(import_module("vidagent.types"), name)
    if name in _SUMMARY:
        return getattr(import_module("vidagent.summary"), name)
    if name in __all__:
        return getattr(import_module("vidagent.api"), name)
    raise AttributeError(f"module 'vidagent' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, also those not imported yet."""
    return sorted({*globals(), *__all__})
