"""Choose the frames on which a claim is checked; how many and which follows from what the claim says.

- A moment: its frame, and the neighbours of it in the same look, as many claims are about change.
- A stretch, or several moments in their order: the frame of each, the frames just outside, and some between them.
- A number of occurrences: a frame from the middle of each, and one from between neighbours, as far as there is room.
- Neither, such as what stays so all along, or a "no": frames spread over the looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from vidagent.graphs.evidence.ledger import MOST_SEEN_S, SAME_FRAME_S, Entry
from vidagent.images.shown_frame import ShownFrame
from vidagent.text import QUOTED
from vidagent.tools.answer import Claim, Draft

_FEWEST_SPREAD = 6
_SPREAD_STEP_S = 2.0
"""Seconds of what was looked at for which one spread frame stands, as far as the frames of a call go."""
_FEWEST_BETWEEN = 3
_MOST_CROPS = 2
_TIME = re.compile(
    r"(?<![\w.])(?:(?P<clock>\d+(?::[0-5]\d)+(?:\.\d+)?)|(?P<seconds>\d+(?:\.\d+)?))"
    r"(?P<unit>\s?(?:s|sec|seconds?)\b)?(?![\w:]|\.\d)"
)


def claim_frames(
    entries: Sequence[Entry], claim: Claim, draft: Draft, most: int, *, anywhere: bool = False
) -> list[ShownFrame]:
    """Return up to `most` pictures on which a claim is checked, the most telling first.

    They are of the looks that it names, if those show its time. A claim about a time that was not looked at has none:
    pictures of another time would show something else.

    Args:
        entries: The ledger.
        claim: The claim.
        draft: The draft it belongs to.
        most: Most pictures.
        anywhere: Whether to use all looks, and twice as many neighbours.
    """
    shown = [entry for entry in entries if entry.look.stills]
    named = [entry for entry in shown if entry.id in claim.ledger]
    looks = shown if anywhere else named or shown
    if claim.time_s is not None and looks and _elsewhere(looks, shown, claim.time_s):
        looks = [entry for entry in shown if entry.looked_at(claim.time_s)]
    if not looks:
        return []
    looks = [*looks, *_exact(looks, shown, claim)]
    if (whole := _occurrences(shown, claim, draft, most)) is not None:
        return evenly(whole, most)
    moments = sorted({_nearest(looks, time_s).time_s for time_s in _times(looks, claim)})
    chosen = list(_around(looks, moments, 2 if anywhere else 1)) if moments else []
    if not moments or draft.found == "no":
        spread = whole_frames(looks) if draft.found == "no" else _telling(looks)
        chosen += evenly(spread or _telling(looks), min(most, _spread(looks)))
    return list(dict.fromkeys(chosen))[:most]


def with_labels(text: str, stills: Sequence[ShownFrame], entries: Sequence[Entry]) -> str:
    """Return a claim with each time that was looked at written as the label of the frame that stands for it.

    Such a time has been compared with the ledger; written like a label, it says which of the pictures is meant.
    """
    shown = [entry for entry in entries if entry.look.stills]
    labels = sorted({still.time_s for still in stills})

    def label(match: re.Match[str]) -> str:
        time_s = _read(match, shown) if labels else None
        if time_s is None or _in_quotes(text, match.start()):
            return match[0]
        nearest = min(labels, key=lambda shown_s: abs(shown_s - time_s))
        if abs(nearest - time_s) > abs(_nearest(shown, time_s).time_s - time_s) + SAME_FRAME_S:
            return match[0]
        return f"{nearest:.3f}{' s' if match['unit'] or match['clock'] else ''}"

    return _TIME.sub(label, text)


def _times(looks: Sequence[Entry], claim: Claim) -> Iterator[float]:
    """Yield the times of a claim: its own, and those in its words that were looked at."""
    yield from (time_s for time_s in (claim.time_s, claim.end_s) if time_s is not None)
    for match in _TIME.finditer(QUOTED.sub(" ", claim.text)):
        if (time_s := _read(match, looks)) is not None:
            yield time_s


def _read(match: re.Match[str], looks: Sequence[Entry]) -> float | None:
    """Read a time that was looked at; a number that does not say that it is a time has to be a frame's label."""
    seconds = 0.0
    for part in (match["clock"] or match["seconds"]).split(":"):
        seconds = seconds * 60 + float(part)
    if match["clock"] or match["unit"]:
        return seconds if any(entry.looked_at(seconds) for entry in looks) else None
    if "." not in match["seconds"]:
        return None
    half_s = 0.5 * 0.1 ** len(match["seconds"].partition(".")[2])
    return seconds if abs(_nearest(looks, seconds).time_s - seconds) <= half_s + 1e-9 else None


def plain_numbers(text: str) -> set[str]:
    """Return the whole numbers of a text that are no times."""
    found = (match for match in _TIME.finditer(text) if not match["clock"] and not match["unit"])
    return {match["seconds"] for match in found}


def _in_quotes(text: str, place: int) -> bool:
    return any(quote.start() <= place < quote.end() for quote in QUOTED.finditer(text))


def _around(looks: Sequence[Entry], moments: Sequence[float], beside: int) -> Iterator[ShownFrame]:
    """Yield the frames of moments, then those outside, between, and beside them."""
    neighbours = [_beside(looks, at_s, beside) for at_s in moments]
    for at_s in moments:
        yield from _parts(looks, at_s)
    first, last = neighbours[0][0], neighbours[-1][1]
    yield from (*first, *last)
    between = [still for still in whole_frames(looks) if moments[0] < still.time_s < moments[-1]]
    number = max(_FEWEST_BETWEEN, round((moments[-1] - moments[0]) / _SPREAD_STEP_S))
    yield from evenly(between, number)
    for before, after in neighbours:
        yield from (*before, *after)


def _parts(looks: Sequence[Entry], at_s: float) -> Iterator[ShownFrame]:
    """Yield the pictures of the finest look at a moment, and crops of the same frame."""
    best = _finest(looks, at_s)
    yield from (still for still in best.look.stills if abs(still.time_s - at_s) <= SAME_FRAME_S)
    crops = [
        still
        for entry in looks
        for still in entry.look.stills
        if still.cropped and abs(still.time_s - at_s) <= SAME_FRAME_S
    ]
    yield from crops[-_MOST_CROPS:]


def _beside(looks: Sequence[Entry], at_s: float, number: int) -> tuple[list[ShownFrame], list[ShownFrame]]:
    stills = _finest(looks, at_s).look.stills
    before = [still for still in stills if still.time_s < at_s - SAME_FRAME_S][-number:]
    after = [still for still in stills if still.time_s > at_s + SAME_FRAME_S][:number]
    return before, after


def _finest(looks: Sequence[Entry], at_s: float) -> Entry:
    def distance(entry: Entry) -> float:
        return round(min(abs(still.time_s - at_s) for still in entry.look.stills), 4)

    return min(looks, key=lambda entry: (distance(entry), -(entry.look.fps or 0)))


def _exact(looks: Sequence[Entry], shown: Sequence[Entry], claim: Claim) -> list[Entry]:
    """Return further looks that show the very frame of one of the claim's times."""
    known, times = {entry.id for entry in looks}, list(_times(shown, claim))
    return [
        entry
        for entry in shown
        if entry.id not in known
        and any(abs(still.time_s - time_s) <= SAME_FRAME_S for still in entry.look.stills for time_s in times)
    ]


def _elsewhere(looks: Sequence[Entry], shown: Sequence[Entry], time_s: float) -> bool:
    """Tell whether looks do not show a time, or far worse than others do."""
    if not any(entry.looked_at(time_s) for entry in looks):
        return True
    off_s, least_s = (abs(_nearest(some, time_s).time_s - time_s) for some in (looks, shown))
    return off_s > MOST_SEEN_S / 2 and least_s < off_s


def _occurrences(shown: Sequence[Entry], claim: Claim, draft: Draft, most: int) -> list[ShownFrame] | None:
    """Return a frame of each occurrence if the claim is about their number; None if it is not.

    If there is room, one from between neighbours shows that they are two.
    """
    if draft.count is None or len(draft.spans) < 2 or claim.end_s is not None:
        return None
    if claim.time_s is not None and str(draft.count) not in plain_numbers(claim.text):
        return None
    stills = whole_frames(shown)
    places = sorted((place.start_s, place.end_s) for place in draft.spans)
    gaps = [(end_s, start_s) for (_, end_s), (start_s, _) in pairwise(places) if end_s < start_s]
    ranges = [*places, *gaps] if len(places) + len(gaps) <= most else places
    found = {still.time_s: still for start_s, end_s in ranges for still in _middle(stills, start_s, end_s)}
    return [found[time_s] for time_s in sorted(found)]


def _middle(stills: Sequence[ShownFrame], start_s: float, end_s: float) -> list[ShownFrame]:
    """Return the frame that is nearest to the middle of a range, if there is one inside."""
    inside = [still for still in stills if start_s <= still.time_s <= end_s]
    return sorted(inside, key=lambda still: abs(still.time_s - (start_s + end_s) / 2))[:1]


def _telling(looks: Sequence[Entry]) -> list[ShownFrame]:
    """Return what claims without a time rest on: the frames where looks saw it, and all of looks that did not."""
    found: dict[float, ShownFrame] = {}
    for entry in looks:
        seen = entry.observation
        times = [sighting.time_s for sighting in seen.sightings] if seen and seen.found else []
        stills = [still for still in map(entry.still_at, times) if still is not None] or entry.look.stills
        for still in stills:
            if still.time_s not in found or found[still.time_s].cropped:
                found[still.time_s] = still
    return [found[time_s] for time_s in sorted(found)]


def _spread(looks: Sequence[Entry]) -> int:
    times = [still.time_s for entry in looks for still in entry.look.stills]
    return max(_FEWEST_SPREAD, round((max(times) - min(times)) / _SPREAD_STEP_S))


def whole_frames(looks: Sequence[Entry]) -> list[ShownFrame]:
    """Return the whole frames of looks, each once, in the order of time."""
    found = {still.time_s: still for entry in looks for still in entry.look.stills if not still.cropped}
    return [found[time_s] for time_s in sorted(found)]


def _nearest(looks: Sequence[Entry], time_s: float) -> ShownFrame:
    return min(
        (still for entry in looks for still in entry.look.stills),
        key=lambda still: abs(still.time_s - time_s),
    )


def evenly(stills: Sequence[ShownFrame], number: int) -> list[ShownFrame]:
    """Return so many of them, evenly spread, in an order in which the first few are spread widely, too."""
    if not stills:
        return []
    places = np.linspace(0, len(stills) - 1, max(1, min(number, len(stills))))
    bits = len(places).bit_length()
    order = sorted(range(len(places)), key=lambda place: f"{place:0{bits}b}"[::-1])
    return [stills[round(places[place])] for place in order]
