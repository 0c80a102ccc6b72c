"""Survey: describe for the planner what is known of a video before anything is looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from vidagent.graphs.budget import StepMeter
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run, Update
from vidagent.text import counted
from vidagent.tools.overview import look_over
from vidagent.video.clock import format_time

OVERVIEW = "L0"
"""The ledger entry of the overview that the planner is shown."""

SCAN_AT_ONCE_S = 120.0
"""Videos up to this long are scanned in the survey, which takes about a second; longer ones on the first search."""


async def survey(progress: Progress, run: Run, meter: StepMeter) -> Update:
    """Read the container and the index, and, if the planner sees pictures, look over the whole video."""
    run.tell("step", "surveying the video", "survey")
    update: Update = {"facts": await asyncio.to_thread(describe, run)}
    frames = run.meter.share(run.caps.overview_frames)
    known = any(entry.id == OVERVIEW for entry in progress.entries)
    if run.client.profile.plan_sees_overview and frames and not known:
        look = await asyncio.to_thread(look_over, run.desk(lambda _: frames), "")
        update["ledger"] = [Entry(OVERVIEW, look, None).to_dict()]
    meter.decoded(run.video.frames_decoded)
    return update


def describe(run: Run) -> str:
    """Describe duration, size, shots, activity and subtitles, one line each."""
    return "\n".join(_lines(run))


def _lines(run: Run) -> Iterator[str]:
    info = run.video.info
    yield f"duration {info.duration_s:.3f} s ({format_time(info.duration_s)})"
    yield f"{info.width}x{info.height}, {float(info.fps):.3f} frames a second, {info.codec}"
    if not run.client.profile.lacks("index"):
        yield from _indexed(run)


def _indexed(run: Run) -> Iterator[str]:
    info = run.video.info
    if info.duration_s <= SCAN_AT_ONCE_S or run.index.scanned():
        scan = run.index.scan()
        cuts = ", ".join(f"{cut:.3f}" for cut in scan.cuts_s[:40])
        yield counted(len(scan.cuts_s) + 1, "shot") + (f", cuts at {cuts} s" if cuts else "")
    busy = ", ".join(f"{span.start_s:.0f}-{span.end_s:.0f}" for span in run.index.activity().busiest(6))
    if busy:
        yield f"most movement at {busy} s"
    cues = run.index.cues()
    yield f"{len(cues)} subtitle lines (search reads them)" if cues else "no subtitles"
    speech = run.index.spoken() if info.audio else None
    if speech is not None and not speech.complete:
        yield "speech is not all transcribed yet; a search for what is said has it transcribed"
    elif speech is not None:
        yield f"{len(speech.cues)} lines of speech transcribed (search for what is said reads them)"
