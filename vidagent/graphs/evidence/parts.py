"""The parts of an answer in parts: where they begin and end, the frames that prove each, and what stands of a draft."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from vidagent.graphs.evidence.ledger import SAME_FRAME_S, Entry
from vidagent.graphs.evidence.sentences import sentences_of
from vidagent.graphs.state import Verified
from vidagent.images.shown_frame import ShownFrame
from vidagent.tools.answer import Claim, Draft, Part

_NEAR_S = 0.5
"""A bound this near to a cut means the cut."""
_FEWEST, _MOST = 2, 6
"""Fewest and most frames on which a part is checked."""
_CALLS = 6
"""Calls that the check of all parts may take, as far as two frames for each part allow."""
_INSET = 0.02
"""Share of a part's length that its first and last frame lie inside it: at its very ends pictures may be mixed."""
_MOST_INSET_S = 0.3
_SAME_PLACE = 0.5
"""Share of a part that another one covers to take its place."""


def between_cuts(parts: Sequence[Part], cuts_s: Sequence[float], entries: Sequence[Entry]) -> list[Part]:
    """Return parts whose bounds are exact times of frames that were looked at, or cuts where cuts are meant.

    A bound at a frame that was looked at means the beginning of that frame's shot, if the frame looked at before it is
    of another shot; elsewhere it means a cut very near to it.
    """
    times = sorted({still.time_s for entry in entries for still in entry.look.stills})

    def moved(bound_s: float) -> float:
        at = bisect_left(times, bound_s - SAME_FRAME_S)
        looked_at = at < len(times) and abs(times[at] - bound_s) <= SAME_FRAME_S
        if looked_at:  # the planner writes three decimals
            bound_s = times[at]
        if not cuts_s:
            return bound_s
        place = bisect_right(cuts_s, bound_s + SAME_FRAME_S)
        shot_s = cuts_s[place - 1] if place else 0.0
        before_s = times[at - 1] if at else 0.0
        if bound_s - shot_s <= _NEAR_S or (looked_at and shot_s > before_s):
            return shot_s
        after_s = cuts_s[place] if place < len(cuts_s) else None
        return after_s if after_s is not None and after_s - bound_s <= _NEAR_S else bound_s

    placed = []
    for part in parts:
        start_s, end_s = moved(part.start_s), moved(_end(part))
        bounds = {"start_s": start_s, "end_s": end_s} if end_s > start_s else {}
        placed.append(part.model_copy(update=bounds))
    return placed


def with_kept(draft: Draft, told: Sequence[Verified]) -> Draft:
    """Add to a draft the parts of the one before that stand, except where it has others in their place."""
    if draft.found != "yes" or not told:
        return draft
    kept = []
    for item in by_part(told):
        start_s, end_s = item["part_s"]
        others = [min(end_s, _end(part)) - max(start_s, part.start_s) for part in draft.parts]
        if max(others, default=0.0) <= _SAME_PLACE * (end_s - start_s):
            kept.append(Part(start_s=start_s, end_s=end_s, text=item["claim"]))
    parts = sorted([*draft.parts, *kept], key=lambda part: (part.start_s, _end(part)))
    return draft.model_copy(update={"parts": parts})


def from_claims(draft: Draft, frame_s: float) -> Draft:
    """Make parts of the claims of a draft that has none: each has a time, and its end or its frame."""
    if draft.found != "yes" or draft.parts or len(draft.claims) < 2:
        return draft
    if any(claim.time_s is None for claim in draft.claims):
        return draft
    parts = [
        Part(
            start_s=claim.time_s or 0.0,
            end_s=max(claim.end_s or 0.0, (claim.time_s or 0.0) + frame_s),
            text=claim.text,
            ledger=claim.ledger,
        )
        for claim in draft.claims
    ]
    parts.sort(key=lambda part: part.start_s)
    return draft.model_copy(update={"parts": parts, "claims": []})


def frames_each(number: int, most: int) -> int:
    """Return on how many frames each of so many parts is checked, with this many frames in a call."""
    return max(_FEWEST, min(_MOST, most, _CALLS * most // max(1, number)))


def with_named_ends(parts: Sequence[Part], duration_s: float, frame_s: float) -> list[Part]:
    """Return parts that last until after the frame at their very end, if they name it and no other part begins there.

    An end is the first moment that no longer shows the part; a planner whose last frame is the end means that frame.
    """
    found = []
    for part in parts:
        end_s = _end(part)
        named = any(abs(time_s - end_s) <= SAME_FRAME_S for time_s in part.frames_s)
        if named and not any(abs(other.start_s - end_s) <= SAME_FRAME_S for other in parts):
            end_s = min(end_s + frame_s, max(end_s, duration_s))
        found.append(part.model_copy(update={"end_s": end_s}))
    return found


def proof_times(part: Part, number: int, frame_s: float, looked_s: Sequence[float] = ()) -> list[float]:
    """Return the times of up to `number` frames of a part: those that it names, then others, furthest from these.

    If it names more, they are some of these, spread over them. The others are spread evenly, from the first to the
    last; near each, a frame that was looked at is taken, as the part rests on these and its bounds need not be exact.
    """
    first_s, last_s = part.start_s, max(part.start_s, _end(part) - frame_s)
    inside, named = (
        sorted({t for t in times if first_s - SAME_FRAME_S <= t < _end(part) - SAME_FRAME_S})
        for times in (looked_s, part.frames_s)
    )
    if len(named) >= number:
        return [named[place] for place in np.linspace(0, len(named) - 1, number).round().astype(int)]
    inset_s = min(_INSET * (last_s - first_s), _MOST_INSET_S)
    even = np.linspace(first_s + inset_s, last_s - inset_s, number).tolist()
    half_s = (last_s - first_s) / max(1, number - 1) / 2
    times = list(named)
    while len(times) < number:
        furthest = max(even, key=lambda t: min((abs(t - taken) for taken in times), default=math.inf))
        even.remove(furthest)
        near = [t for t in inside if abs(t - furthest) <= half_s and t not in times]
        times.append(min(near, key=lambda t: abs(t - furthest), default=furthest))
    return sorted(dict.fromkeys(round(time_s, 6) for time_s in times))


def on_screen_at(stills: Sequence[ShownFrame], times_s: Sequence[float], frame_s: float) -> list[ShownFrame]:
    """Return which of the frames, in order of time, are on screen at these times, which may be rounded labels."""
    shown_s = [still.time_s for still in stills]
    places = (bisect_right(shown_s, time_s + SAME_FRAME_S) for time_s in times_s)
    found = dict.fromkeys(stills[place - 1] for place in places if place)
    return [still for still in found if still.time_s > times_s[0] - frame_s]


def most_telling(part: Part, stills: Sequence[ShownFrame]) -> list[ShownFrame]:
    """Return the frames of a part, the most telling first: those it names, from its middle, its first, its last.

    Of those that it names, the middle one comes first: at its first and last one, pictures may be mixed.
    """
    named = [still for still in stills if any(abs(still.time_s - t) <= SAME_FRAME_S for t in part.frames_s)]
    middles = [frames[len(frames) // 2] for frames in (named, stills) if frames]
    return list(dict.fromkeys([*middles[:1], *named, *middles, *stills[:1], *stills[-1:], *stills]))


def claims_in(part: Part) -> list[Claim]:
    """Return the sentences of a part as claims about its time; they may be longer than the planner's own."""
    return [
        Claim.model_construct(text=text, ledger=part.ledger, time_s=part.start_s, end_s=part.end_s)
        for text in sentences_of(part.text)
    ]


def in_drafts_order(told: Sequence[Verified], parts: Sequence[Part]) -> list[Verified]:
    """Put what is about no part first, then the sentences of parts, those of each part as they follow in the draft."""
    drafted = [claim for part in parts for claim in claims_in(part)]
    places = {(claim.time_s, claim.text): place for place, claim in enumerate(drafted)}

    def place(item: Verified) -> tuple[list[float], int]:
        part_s = item.get("part_s", [])
        return part_s, places.get((part_s[0], item["claim"]), 0) if part_s else 0

    return sorted(told, key=place)


def by_part(told: Sequence[Verified]) -> list[Verified]:
    """Put the sentences of each part together, in order of time; the verdict is the weakest one."""
    found: list[Verified] = []
    for item in told:
        if not found or found[-1]["part_s"] != item["part_s"]:
            found.append(item)
            continue
        text = f"{found[-1]['claim']} {item['claim']}"
        weaker = item if item["verdict"] == "partial" else found[-1]
        found[-1] = Verified(**{**found[-1], "claim": text, "verdict": weaker["verdict"]})
    return found


def joined(told: Sequence[Verified]) -> list[Verified]:
    """Join the sentences of parts, and neighbouring parts with the same text; the verdict is the weaker one."""
    found: list[Verified] = []
    for item in by_part(told):
        last = found[-1] if found else None
        if last is None or not _same(last, item) or last["part_s"][1] < item["part_s"][0] - SAME_FRAME_S:
            found.append(item)
            continue
        weaker = item if item["verdict"] == "partial" else last
        end_s = max(last["part_s"][1], item["part_s"][1])
        found[-1] = Verified(**{**last, "verdict": weaker["verdict"], "part_s": [last["part_s"][0], end_s]})
    return found


def ranges(told: Sequence[Verified], frame_s: float) -> list[tuple[float, float]]:
    """Return where the parts are: their ranges, those joined that follow each other."""
    found: list[tuple[float, float]] = []
    for item in told:
        start_s, end_s = item["part_s"]
        if found and start_s <= found[-1][1] + frame_s:
            found[-1] = (found[-1][0], max(found[-1][1], end_s))
        else:
            found.append((start_s, end_s))
    return found


def _same(one: Verified, other: Verified) -> bool:
    plain = [" ".join(item["claim"].casefold().split()).rstrip(".") for item in (one, other)]
    return plain[0] == plain[1]


def _end(part: Part) -> float:
    return part.start_s if part.end_s is None else part.end_s
