"""The survey: what is known of a video before anything is looked at, in words for the planner."""

from __future__ import annotations

from collections.abc import Iterator

from vidagent.graphs.state import Run
from vidagent.video.clock import format_time

__all__ = ["describe"]

SCAN_AT_ONCE_S = 120.0
"""Videos up to this long are scanned in the survey, which takes about a second; longer ones when search asks."""


def describe(run: Run) -> str:
    """Say duration, size, shots, activity and subtitles, one line each."""
    return "\n".join(_lines(run))


def _lines(run: Run) -> Iterator[str]:
    info = run.video.info
    yield f"duration {info.duration_s:.3f} s ({format_time(info.duration_s)})"
    yield f"{info.width}x{info.height}, {float(info.fps):.3f} frames a second, {info.codec}"
    if info.duration_s <= SCAN_AT_ONCE_S or run.index.scanned():
        scan = run.index.scan()
        cuts = ", ".join(f"{cut:.3f}" for cut in scan.cuts_s[:40])
        yield f"{len(scan.cuts_s) + 1} shots" + (f", cuts at {cuts} s" if cuts else "")
    busy = ", ".join(f"{span.start_s:.0f}-{span.end_s:.0f}" for span in run.index.activity().busiest(6))
    if busy:
        yield f"most movement at {busy} s"
    cues = run.index.cues()
    yield f"{len(cues)} subtitle lines (search reads them)" if cues else "no subtitles"
