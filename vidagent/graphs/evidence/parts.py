"""The parts of an answer in parts: where they begin and end, the frames that prove each, and what stands of a draft."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from vidagent.graphs.evidence.ledger import SAME_FRAME_S, Entry
from vidagent.graphs.state import Verified
from vidagent.images.shown_frame import ShownFrame
from vidagent.tools.answer import Claim, Draft, Part

_NEAR_S = 0.5
"""A bound this near to a cut means the cut."""
_FEWEST, _MOST = 2, 6
"""Fewest and most frames on which a part is checked."""
_CALLS = 3
"""Calls that the check of all parts may take, as far as two frames for each part allow."""
_INSET = 0.02
"""Share of a part's length that its first and last frame lie inside it: at its very ends pictures may be mixed."""
_MOST_INSET_S = 0.3
_SAME_PLACE = 0.5
"""Share of a part that another one covers to take its place."""


def between_cuts(parts: Sequence[Part], cuts_s: Sequence[float], entries: Sequence[Entry]) -> list[Part]:
    """Return parts whose bounds are cuts where cuts are meant.

    A bound at a frame that was looked at means the beginning of that frame's shot, if the frame looked at before it is
    of another shot; elsewhere it means a cut very near to it.
    """
    times = sorted({still.time_s for entry in entries for still in entry.look.stills})

    def moved(bound_s: float) -> float:
        place = bisect_right(cuts_s, bound_s + SAME_FRAME_S)
        shot_s = cuts_s[place - 1] if place else 0.0
        at = bisect_left(times, bound_s - SAME_FRAME_S)
        before_s = times[at - 1] if at else 0.0
        looked_at = at < len(times) and abs(times[at] - bound_s) <= SAME_FRAME_S
        if bound_s - shot_s <= _NEAR_S or (looked_at and shot_s > before_s):
            return shot_s
        after_s = cuts_s[place] if place < len(cuts_s) else None
        return after_s if after_s is not None and after_s - bound_s <= _NEAR_S else bound_s

    placed = []
    for part in parts if cuts_s else ():
        start_s, end_s = moved(part.start_s), moved(_end(part))
        bounds = {"start_s": start_s, "end_s": end_s} if end_s > start_s else {}
        placed.append(part.model_copy(update=bounds))
    return placed or list(parts)


def with_kept(draft: Draft, told: Sequence[Verified]) -> Draft:
    """Add to a draft the parts of the one before that stand, except where it has others in their place."""
    if draft.found != "yes" or not told:
        return draft
    kept = []
    for item in told:
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


def proof_times(part: Part, number: int, frame_s: float, looked_s: Sequence[float] = ()) -> list[float]:
    """Return the times of frames spread over a part, from its first to its last.

    Frames of it that were looked at are among them, as the part rests on these and its bounds need not be exact.
    """
    last_s = max(part.start_s, _end(part) - frame_s)
    inset_s = min(_INSET * (last_s - part.start_s), _MOST_INSET_S)
    inside = [
        time_s for time_s in looked_s if part.start_s - SAME_FRAME_S <= time_s < _end(part) - SAME_FRAME_S
    ]
    if len(inside) >= number:
        places = np.linspace(0, len(inside) - 1, number).round().astype(int)
        return list(dict.fromkeys(inside[place] for place in places))
    times = np.linspace(part.start_s + inset_s, last_s - inset_s, number)
    for time_s in inside:
        times[int(np.abs(times - time_s).argmin())] = time_s
    return sorted(dict.fromkeys(round(time_s, 6) for time_s in times.tolist()))


def most_telling(stills: Sequence[ShownFrame]) -> list[ShownFrame]:
    """Return the frames of a part, the most telling first: from its middle, its first, its last, the others."""
    middle = stills[len(stills) // 2 : len(stills) // 2 + 1]
    return list(dict.fromkeys([*middle, *stills[:1], *stills[-1:], *stills]))


def claim_of(part: Part) -> Claim:
    """Return a part as a claim."""
    return Claim(text=part.text, ledger=part.ledger, time_s=part.start_s, end_s=part.end_s)


def joined(told: Sequence[Verified]) -> list[Verified]:
    """Join neighbouring parts with the same text, in order of time; the verdict is the weaker one."""
    found: list[Verified] = []
    for item in told:
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
