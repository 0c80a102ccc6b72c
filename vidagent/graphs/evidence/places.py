"""Where a positive answer is, and how many there are: the draft's places and count, as far as its claims stand."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from vidagent.graphs.evidence.boundaries import Refined
from vidagent.graphs.evidence.grounding import says_number
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.evidence.refined_spans import refined_places
from vidagent.graphs.progress import Progress
from vidagent.tools.answer import Draft

_SLACK_S = 0.05
"""Tolerance around a claim's span: the nearest frame may lie just outside it."""
_LOOSE_SLACK_S = 1.0
"""Tolerance where every claim was supported, so that none can belong to another place."""


def none_refused(progress: Progress) -> bool:
    """Tell whether no claim was refused, in this draft or an earlier one."""
    return not progress.refused and progress.stands


def places_of(progress: Progress, draft: Draft) -> list[Refined]:
    """Return the draft's places that hold a supported claim, or a sighting from a look that such a claim names.

    If any claim was refused or left unchecked, only places with a supported claim remain.
    """
    stood, places = progress.supported, refined_places(progress, draft)
    if none_refused(progress):
        return places
    times, slack_s = [item["time_s"] for item in stood], _SLACK_S
    if len(stood) == len(draft.claims):
        named = {name for claim in draft.claims for name in claim.ledger}
        times, slack_s = [*times, *_sighting_times(progress.entries, named)], _LOOSE_SLACK_S
    return [
        refined
        for refined, place in zip(places, draft.spans, strict=True)
        if any(place.start_s - slack_s <= t <= place.end_s + slack_s for t in times)
    ]


def count_of(progress: Progress) -> int | None:
    """Return the draft's count if supported claims imply it.

    If places were dropped, it is the number that remain, as long as each supported claim is in one of them.
    """
    draft = progress.draft
    if draft is None or draft.count is None:
        return None
    if none_refused(progress):
        return draft.count
    places, stood = places_of(progress, draft), progress.supported
    if len(places) < len(draft.spans) or len(stood) < len(draft.claims):
        inside = all(any(_holds(place, item["time_s"]) for place in places) for item in stood)
        return len(places) if places and inside and draft.count == len(draft.spans) else None
    facts = {
        word for entry in progress.entries for fact in entry.look.facts for word in re.findall(r"\d+", fact)
    }
    said = any(says_number(item["claim"], draft.count) for item in stood)
    follows = said or draft.count in {len(places), len(stood)} or str(draft.count) in facts
    return draft.count if follows else None


def _holds(place: Refined, time_s: float) -> bool:
    return place.start_s - _SLACK_S <= time_s <= place.end_s + _SLACK_S


def _sighting_times(entries: Sequence[Entry], named: Collection[str]) -> list[float]:
    """Return the sighting times of the named looks."""
    return [
        sighting.time_s
        for entry in entries
        if entry.id in named and entry.observation is not None and entry.observation.found
        for sighting in entry.observation.sightings
    ]
