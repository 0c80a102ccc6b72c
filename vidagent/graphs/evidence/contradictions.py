"""Find looks that contradict each other: one saw the thing in frames where another did not.

A finer look is believed over a coarser one, so a contradiction is settled by looking again at a finer rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vidagent.graphs.evidence.grounding import words_of
from vidagent.graphs.evidence.ledger import NEAR_FRAME_S, Entry
from vidagent.tools.result import Look

_SAME_WORDS = 0.6
"""Share of words that two questions about the same thing have in common."""
_FINER = 1.5
"""How much finer a look must be to settle what a coarser one said."""
_NO_COARSER = 0.9
"""Share of another look's rate from which on a look is no coarser."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two looks that cannot both be right.

    Args:
        found: Id of the look that saw it.
        missed: Id of the look that did not, in the same frames.
        start_s: First of those frames.
        end_s: Last of them.
    """

    found: str
    missed: str
    start_s: float
    end_s: float

    def __str__(self) -> str:
        """Return it as a line for the planner."""
        return (
            f"{self.found} and {self.missed} contradict each other at {self.start_s:.3f}-{self.end_s:.3f} s: "
            "look there again, with more frames a second or a crop, before the answer rests on one of them"
        )


def contradictions(entries: Sequence[Entry]) -> list[Contradiction]:
    """Return the contradictions that no finer look has settled."""
    return [
        clash
        for found in entries
        for missed in entries
        if (clash := _clash(found, missed)) is not None and not _settled(clash, found, missed, entries)
    ]


def contradicted(entries: Sequence[Entry], ids: Sequence[str]) -> bool:
    """Tell whether there are looks here and all of them are contradicted by others."""
    doubted = {name for clash in contradictions(entries) for name in (clash.found, clash.missed)}
    return bool(ids) and set(ids) <= doubted


def known_from(entries: Sequence[Entry], look: Look) -> Entry | None:
    """Return the entry that looked for the same thing over all of a look's window and no coarser; else None."""
    new = Entry("", look, None)
    return next((entry for entry in entries if entry.observation is not None and _includes(entry, new)), None)


def _includes(entry: Entry, new: Entry) -> bool:
    if "crop" in {entry.look.tool, new.look.tool} or not (entry.look.fps and new.look.fps):
        return False
    within = entry.look.start_s - NEAR_FRAME_S <= new.look.start_s
    within = within and new.look.end_s <= entry.look.end_s + NEAR_FRAME_S
    fine = entry.look.every_frame or entry.look.fps >= _NO_COARSER * new.look.fps
    asked, before = words_of(new.look.question), words_of(entry.look.question)
    return within and fine and asked == before  # one other word, such as a colour, may ask for another thing


def _clash(found: Entry, missed: Entry) -> Contradiction | None:
    if found.observation is None or missed.observation is None:
        return None
    if found.observation.found is not True or missed.observation.found is not False:
        return None
    times = sorted(_shared(found, missed)) if _same_thing(found, missed) else []
    if not times or _finer(found, missed, times[0]) or _finer(missed, found, times[0]):
        return None
    return Contradiction(found.id, missed.id, times[0], times[-1])


def _shared(found: Entry, missed: Entry) -> Iterator[float]:
    """Yield the times at which one look saw it and the other showed the same frame.

    A frame at which one look ends and the other begins does not count: each saw another half of what happens there.
    """
    for sighting in found.observation.sightings if found.observation else ():
        still = missed.still_at(sighting.time_s)
        same = still is not None and abs(still.time_s - sighting.time_s) <= NEAR_FRAME_S
        if same and not (_meet(found, missed, sighting.time_s) or _meet(missed, found, sighting.time_s)):
            yield sighting.time_s


def _meet(earlier: Entry, later: Entry, time_s: float) -> bool:
    """Tell whether one look of several frames ends at a time, and another begins there."""
    if min(len(earlier.look.stills), len(later.look.stills)) < 2:
        return False
    last_s, first_s = earlier.look.stills[-1].time_s, later.look.stills[0].time_s
    return max(abs(last_s - time_s), abs(first_s - time_s)) <= NEAR_FRAME_S


def _settled(clash: Contradiction, found: Entry, missed: Entry, entries: Sequence[Entry]) -> bool:
    """Tell whether a look finer than both has settled it."""
    return any(
        entry.observation is not None
        and entry.observation.found is not None
        and entry.looked_at(clash.start_s)
        and entry.looked_at(clash.end_s)
        and _same_thing(entry, found)
        and _finer(entry, found, clash.start_s)
        and _finer(entry, missed, clash.start_s)
        for entry in entries
    )


def _same_thing(one: Entry, other: Entry) -> bool:
    words, other_words = words_of(one.look.question), words_of(other.look.question)
    if not words or not other_words:
        return one.look.question.casefold() == other.look.question.casefold()
    return len(words & other_words) >= _SAME_WORDS * len(words | other_words)


def _finer(one: Entry, other: Entry, at_s: float) -> bool:
    """Tell whether a look shows frames closer to each other at a time, or more pixels of a frame."""
    if (one.look.tool == "crop") != (other.look.tool == "crop"):
        return one.look.tool == "crop"
    if one.look.tool == "crop":
        return _FINER * _shown_px(one) <= _shown_px(other)
    step_s, other_s = one.step_s(at_s), other.step_s(at_s)
    return step_s is not None and other_s is not None and _FINER * step_s <= other_s


def _shown_px(entry: Entry) -> int:
    x0, y0, x1, y1 = entry.look.stills[0].box_px if entry.look.stills else (0, 0, 1, 1)
    return (x1 - x0) * (y1 - y0)
