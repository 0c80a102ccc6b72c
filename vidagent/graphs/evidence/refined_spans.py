"""The refined places of a draft, and the text that states their precision."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import pairwise

from vidagent.graphs.evidence.boundaries import Refined, settle
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.progress import Progress
from vidagent.tools.answer import Draft, Place

_NO_GAP_S = 0.1
"""Frames this close leave nothing worth telling between them."""


def refined_places(progress: Progress, draft: Draft) -> list[Refined]:
    """Return the places of a draft, refined where their edges were looked at.

    If the question was not classified and no look was made, their precision is not in question.
    """
    places = [Refined(place.start_s, place.end_s, 0.0, 0.0) for place in draft.spans]
    refining = progress.refining
    if refining is None or not (progress.route or any(edge.looks for edge in refining.edges)):
        return places
    for start, end in zip(refining.edges[::2], refining.edges[1::2], strict=True):
        places[start.place] = settle(start, end)
    return _apart(places, draft.spans)


def with_precision(words: str, progress: Progress, draft: Draft) -> str:
    """Append to an answer how precisely its times are known, if it was asked for them, and what a count may miss."""
    precision = precision_text(refined_places(progress, draft)) if progress.asks_times else ""
    return " ".join(text for text in (words, precision, missed_text(progress)) if text)


def missed_text(progress: Progress) -> str:
    """Say of a count over time how short something may be that lies between the frames looked at.

    It is empty if code had no part in the search.
    """
    route, entries = progress.route, progress.own_entries
    by_code = progress.proposed_by("sweep") or any(_is_overview(entry) for entry in entries)
    if route is None or route.kind != "count" or route.within_picture or not by_code:
        return ""
    stills = [still for entry in entries if entry.look.tool != "crop" for still in entry.look.stills]
    first_s, last_s = route.start_s or 0.0, math.inf if route.end_s is None else route.end_s
    times = sorted({still.time_s for still in stills if first_s <= still.time_s <= last_s})
    longest_s = max((after - before for before, after in pairwise(times)), default=0.0)
    if longest_s <= _NO_GAP_S:
        return ""
    return f"Any shorter than {math.ceil(longest_s * 10 - 1e-6) / 10:.1f} s could have been missed."


def _is_overview(entry: Entry) -> bool:
    return entry.look.tool == "overview" and not entry.look.question


def precision_text(places: Sequence[Refined]) -> str:
    """Describe how precisely the edges of places are known; empty if to the frame."""
    start, end = ("start", "end") if len(places) == 1 else ("starts", "ends")
    off = {start: [place.start_within_s for place in places], end: [place.end_within_s for place in places]}
    told = {side: _within(values) for side, values in off.items() if any(value != 0 for value in values)}
    if not told:
        return ""
    if len(told) == 2 and told[start] == told[end]:
        told = {f"{start} and {end}": told[start]}
    return f"{', '.join(f'{side} {words}' for side, words in told.items())}.".capitalize()


def _within(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "not known to the frame"
    return f"known to within {math.ceil(max(known) * 1000 - 1e-6) / 1000:.3g} s"


def _apart(places: list[Refined], drafted: Sequence[Place]) -> list[Refined]:
    """Let no place begin before the previous one ends, if the draft kept them apart."""
    order = sorted(range(len(drafted)), key=lambda n: (drafted[n].start_s, drafted[n].end_s))
    for before, after in pairwise(order):
        if drafted[before].end_s <= drafted[after].start_s:
            start_s = min(max(places[after].start_s, places[before].end_s), places[after].end_s)
            places[after] = dataclasses.replace(places[after], start_s=start_s)
    return places
