"""The evidence ledger: one entry per look, with its window, its frames and the observation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from vidagent.agents.prompting.replies import Observation, Sighting
from vidagent.images.shown_frame import ShownFrame
from vidagent.images.tiles import denormalise
from vidagent.text import counted, one_line, shortened
from vidagent.tools.result import Look
from vidagent.types import SEEN_WITHIN_S, Box, Coverage, Span

MOST_SEEN_S = 2 * SEEN_WITHIN_S
"""Longest time around a frame for which it counts as evidence, however far its neighbours are."""

_MOST_TOLD = 600
"""Most characters of what a look showed in its line for the planner."""
_MOST_OLDER = 160
"""The same for all but the latest looks."""
_LATEST = 6
"""How many looks are the latest."""


SAME_FRAME_S = 1e-3
"""Times no further apart are those of one frame, whose label is rounded to it."""
NEAR_FRAME_S = 0.02
"""Times no further apart, told in different looks, are of one frame: less than it lasts, more than models round."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One look and what it showed.

    Args:
        id: `L1`, `L2`, … in the order of the planner's calls.
        look: The look as done.
        observation: What the model saw; None if the look returned only facts.
    """

    id: str
    look: Look
    observation: Observation | None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values that `from_dict` reads back."""
        values: dict[str, Any] = _ENTRY.dump_python(self, mode="json")
        return values

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Entry:
        """Rebuild from what `to_dict` returned."""
        return _ENTRY.validate_python(data)

    def still_at(self, time_s: float) -> ShownFrame | None:
        """Return the picture nearest to a time, or None if the look had none."""
        return min(self.look.stills, key=lambda still: abs(still.time_s - time_s), default=None)

    def shows(self, time_s: float) -> bool:
        """Tell whether the whole frame of this time, in seconds, is among its pictures."""
        return any(
            not still.cropped and abs(still.time_s - time_s) < SAME_FRAME_S for still in self.look.stills
        )

    def looked_at(self, time_s: float) -> bool:
        """Tell whether the look covers a time: within a second of one of its pictures, or between two neighbours."""
        times = sorted({still.time_s for still in self.look.stills})
        if not times:
            return False
        between = self.look.tool != "search" and times[0] <= time_s <= times[-1]
        return between or min(abs(shown_s - time_s) for shown_s in times) <= MOST_SEEN_S

    def step_s(self, time_s: float) -> float | None:
        """Return the time between a picture and the nearer of its neighbours; None if it is the only one."""
        times = {still.time_s for still in self.look.stills}
        nearest = min(times, key=lambda shown_s: abs(shown_s - time_s), default=time_s)
        return min((abs(shown_s - nearest) for shown_s in times if shown_s != nearest), default=None)

    def box_px(self, sighting: Sighting) -> Box | None:
        """Return a sighting's box, converted from model coordinates to source pixels."""
        still = self.still_at(sighting.time_s)
        if sighting.box is None or still is None:
            return None
        return denormalise(sighting.box, still.box_px)

    def for_planner(self, hint: str | None = None, *, question: bool = False) -> str:
        """Return the tool result: JSON with the effective window, the frame times and what was seen.

        Args:
            hint: Advice to add to its notes.
            question: Whether to include the question, which the planner knows for its own calls.
        """
        look = self.look
        fields: dict[str, Any] = {
            "id": self.id,
            "tool": look.tool,
            "start_s": round(look.start_s, 3),
            "end_s": round(look.end_s, 3),
        }
        if question:
            fields["question"] = look.question
        if look.stills:
            fields["fps"] = None if look.fps is None else round(look.fps, 3)
            fields["every_frame"] = look.every_frame
            fields["frame_times_s"] = [round(still.time_s, 3) for still in look.stills]
        if self.observation is not None:
            fields["found"] = self.observation.found
            fields["what"] = self.observation.what
            fields["sightings"] = [self._sighting_fields(sighting) for sighting in self.observation.sightings]
            fields["confidence"] = self.observation.confidence
        if look.facts:
            fields["facts"] = list(look.facts)
        notes = [*look.notes, *([hint] if hint else [])]
        if notes:
            fields["notes"] = notes
        return json.dumps(fields, ensure_ascii=False)

    def _sighting_fields(self, sighting: Sighting) -> dict[str, Any]:
        fields: dict[str, Any] = {"time_s": round(sighting.time_s, 3)}
        if sighting.text:
            fields["text"] = sighting.text
        if (box := self.box_px(sighting)) is not None:
            fields["box_px"] = list(box)
        return fields


_ENTRY = TypeAdapter(Entry)


def summary(entries: Sequence[Entry], doubts: Sequence[str] = ()) -> str:
    """Return the ledger as the planner sees it: one line per entry, then the contradictions between looks.

    The latest looks are told at length; those before them, whose results the planner has had, more shortly.
    """
    older = max(0, len(entries) - _LATEST)
    lines = [
        _line(entry, _MOST_OLDER if place < older else _MOST_TOLD) for place, entry in enumerate(entries)
    ]
    return "\n".join([*lines, *doubts]) or "(nothing looked at yet)"


def _line(entry: Entry, most: int) -> str:
    look, seen = entry.look, entry.observation
    where = f"{entry.id} {look.tool} {look.start_s:.3f}-{look.end_s:.3f} s"
    if look.stills:
        where += f", {counted(len(look.stills), 'frame')}"
    if seen is None:
        told = (
            "its frames stand in the looks below"
            if look.tool == "overview"
            else counted(len(look.facts), "fact")
        )
        return f"{where}: {'shown to you in your first turn' if look.stills else told}"
    if not look.question:
        return f"{where}, described: {one_line(seen.what)}"
    found = {True: "found", False: "not found", None: "cannot be judged"}[seen.found]
    times = [sighting.time_s for sighting in seen.sightings]
    at = f" at {min(times):.3f}-{max(times):.3f} s" if times else ""
    return f"{where}: {found}{at}. {shortened(seen.what, most)}"


def coverage(entries: Iterable[Entry], duration_s: float) -> Coverage:
    """Add up what was looked at; overlapping looks count once."""
    ranges: list[tuple[float, float]] = []
    for entry in entries:
        times = sorted({still.time_s for still in entry.look.stills})
        for place, time_s in enumerate(times):
            before = time_s - times[place - 1] if place else MOST_SEEN_S
            after = times[place + 1] - time_s if place + 1 < len(times) else MOST_SEEN_S
            start = time_s - min(before, MOST_SEEN_S) / 2
            ranges.append((max(0.0, start), min(duration_s, time_s + min(after, MOST_SEEN_S) / 2)))
    spans = _merge(ranges)
    seconds = sum(span.length_s for span in spans)
    return Coverage(seconds, min(1.0, seconds / duration_s) if duration_s else 0.0, tuple(spans))


def _merge(ranges: list[tuple[float, float]]) -> list[Span]:
    merged: list[list[float]] = []
    for start, end in sorted(r for r in ranges if r[1] >= r[0]):
        if merged and start <= merged[-1][1] + 1e-6:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return [Span(start, end) for start, end in merged]
