"""Lines behind a claim: speech, subtitles, texts on screen and facts of the file, from the looks that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vidagent.graphs.evidence.ledger import Entry
from vidagent.tools.answer import Claim

MOST_LINES = 12
NEAR_S = 10.0
"""A line further than this from the time of a claim is unrelated to it."""

_FACT = re.compile(r"(?:spoken|subtitle|file|on screen) (\d+\.\d{3})-(\d+\.\d{3}) s[:,] ")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of speech or subtitles, as a search returned it."""

    start_s: float
    end_s: float
    fact: str

    def distance(self, time_s: float) -> float:
        """Return how far a time lies outside the line, in seconds."""
        return max(0.0, self.start_s - time_s, time_s - self.end_s)


def lines_for(entries: Sequence[Entry], claim: Claim) -> list[Line]:
    """Return the lines nearest to the time of a claim, nearest first; in their original order if it has no time.

    Only looks that the claim names count as its evidence.
    """
    found = list(dict.fromkeys(_lines(entry for entry in entries if entry.id in claim.ledger)))
    at_s = claim.time_s
    if at_s is not None:
        near = [line for line in found if line.distance(at_s) <= NEAR_S]
        found = sorted(near, key=lambda line: line.distance(at_s))
    return found[:MOST_LINES]


def words_only(entries: Sequence[Entry], claim: Claim, lines: Sequence[Line]) -> bool:
    """Tell whether a claim rests on words alone: the looks it names returned lines for it, and no picture."""
    return bool(lines) and not any(entry.look.stills for entry in entries if entry.id in claim.ledger)


def _lines(entries: Iterator[Entry]) -> Iterator[Line]:
    for entry in entries:
        for fact in entry.look.facts:
            if match := _FACT.match(fact):
                yield Line(float(match[1]), float(match[2]), " ".join(fact.split()))
