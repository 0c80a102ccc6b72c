"""Ask questions about videos of any length and get answers with the frames that prove them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vidagent.errors import ModelError, UsageError, VidagentError, VideoError
from vidagent.types import Answer, Budget

if TYPE_CHECKING:
    from vidagent.api import aanalyze_video, analyze_video, astream_video

__all__ = [
    "Answer",
    "Budget",
    "ModelError",
    "UsageError",
    "VidagentError",
    "VideoError",
    "aanalyze_video",
    "analyze_video",
    "astream_video",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the module attribute protocol (PEP 562)
    """Import the API on first use, so that `import vidagent` stays cheap."""
    if name in {"analyze_video", "aanalyze_video", "astream_video"}:
        from vidagent import api

        return getattr(api, name)
    raise AttributeError(f"module 'vidagent' has no attribute {name!r}")
