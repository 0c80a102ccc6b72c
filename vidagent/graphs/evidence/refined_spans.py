"""The refined places of a draft, and the text that states their precision."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import pairwise

from vidagent.graphs.evidence.boundaries import Refined, settle
from vidagent.graphs.progress import Progress
from vidagent.tools.answer import Draft, Place


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


_ABOUT_TIMES = (None, "locate", "how_long", "order")
"""Kinds of questions whose answers say how precisely times are known; None is an unclassified one."""


def with_precision(words: str, progress: Progress, draft: Draft) -> str:
    """Append to an answer how precisely the edges of its places are known, if times were asked for."""
    if progress.kind not in _ABOUT_TIMES:
        return words
    return f"{words} {precision_text(refined_places(progress, draft))}".rstrip()


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


def refined_note(progress: Progress, draft: Draft) -> str:
    """Describe the draft's places if looks at their edges have moved one of them."""
    places = refined_places(progress, draft)
    bounds = [(place.start_s, place.end_s) for place in places]
    if bounds == [(place.start_s, place.end_s) for place in draft.spans]:
        return ""
    listed = ", ".join(f"{start_s:.3f}-{end_s:.3f} s" for start_s, end_s in bounds)
    return f"Looked at closer, it is at {listed}: these times hold where the claims have others."


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
