"""Survey: describe for the planner what is known of a video before anything is looked at."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator, Sequence

from pydantic import TypeAdapter

from vidagent.agents.prompting.messages import TEXTS_KNOWN
from vidagent.agents.prompting.replies import Observation, Scene
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run, Update
from vidagent.graphs.strategies.hints import SCAN_AT_ONCE_S
from vidagent.images.grid import make_grids
from vidagent.images.shown_frame import ShownFrame
from vidagent.text import counted
from vidagent.tools.overview import look_over
from vidagent.tools.result import Look
from vidagent.video.clock import format_time

OVERVIEW = "L0"
"""The ledger entry of the overview that the planner is shown."""

_MOST_CUTS = 40
"""Most cuts that are listed; of more, the first would all be from one busy stretch."""
GRID = TypeAdapter(ShownFrame)
"""Reads and writes the grids in the state."""
SCENES = TypeAdapter(list[Scene])
"""Reads and writes descriptions of overviews."""


async def survey(progress: Progress, run: Run, meter: StepMeter) -> Update:
    """Read the container and the index, and, if the planner sees pictures, look over the whole video."""
    run.tell("step", "surveying the video", "survey")
    update: Update = {"facts": await asyncio.to_thread(describe, run)}
    frames = run.meter.share(run.caps.overview_frames)
    known = any(entry.id == OVERVIEW for entry in progress.entries)
    if run.client.profile.plan_sees_overview and frames and not known:
        look = await asyncio.to_thread(look_over, run.desk(lambda _: frames), "")
        update["ledger"] = [_entry(run, look).to_dict()]
        grids = await asyncio.to_thread(make_grids, look.stills, run.store)
        update["grids"] = [GRID.dump_python(grid, mode="json") for grid in grids]
    meter.decoded(run.video.frames_decoded)
    return update


def _entry(run: Run, look: Look) -> Entry:
    """Return the overview's entry, with the description that the model made of it for an earlier question, if any."""
    scenes = run.index.description(run.client.name) if run.client.profile.overview_again == "text" else None
    return described(Entry(OVERVIEW, look, None), SCENES.validate_python(scenes or []))


def described(entry: Entry, scenes: Sequence[Scene]) -> Entry:
    """Return the overview's entry with its description, which finds nothing, as it was asked for nothing."""
    lines = [f"{scene.start_s:.3f}-{scene.end_s:.3f} s: {scene.what}" for scene in scenes]
    return (
        dataclasses.replace(entry, observation=Observation(found=None, what="; ".join(lines)))
        if lines
        else entry
    )


def describe(run: Run) -> str:
    """Describe duration, size, shots, activity and subtitles, one line each."""
    return "\n".join(_lines(run))


def _lines(run: Run) -> Iterator[str]:
    info = run.video.info
    yield f"duration {info.duration_s:.3f} s ({format_time(info.duration_s)})"
    yield f"{info.width}x{info.height}, {float(info.fps):.3f} frames a second, {info.codec}"
    yield f"sound: {info.audio}" if info.audio else "no sound"
    if not run.client.profile.lacks("survey"):
        yield from _indexed(run)
    elif run.index.texts_known() and "search" in run.tools:
        yield f"{TEXTS_KNOWN}; search lists them"


def _indexed(run: Run) -> Iterator[str]:
    info = run.video.info
    if info.duration_s <= SCAN_AT_ONCE_S:
        cuts_s = run.index.scan().cuts_s
        cuts = ", ".join(f"{cut:.3f}" for cut in cuts_s) if len(cuts_s) <= _MOST_CUTS else ""
        yield counted(len(cuts_s) + 1, "shot") + (f", cuts at {cuts} s" if cuts else "")
    busy = ", ".join(f"{span.start_s:.0f}-{span.end_s:.0f}" for span in run.index.activity().busiest(6))
    if busy:
        yield f"most movement at {busy} s"
    cues, searched = run.index.cues(), "search" in run.tools
    reads = " (search reads them)" if searched else ""
    yield f"{counted(len(cues), 'subtitle line')}{reads}" if cues else "no subtitles"
    if info.audio and searched and run.index.ear is not None:
        yield "what is said is not listed here; a search for what is said has it transcribed"
