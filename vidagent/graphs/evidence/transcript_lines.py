"""Lines behind a claim: speech, subtitles, texts on screen and facts of the file, from the looks that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vidagent.graphs.evidence.grounding import words_of
from vidagent.graphs.evidence.ledger import Entry
from vidagent.tools.answer import Claim

MOST_LINES = 12
NEAR_S = 10.0
"""A line further than this from the time of a claim is unrelated to it."""

_FACT = re.compile(
    r"(?:spoken|subtitle|file|on screen) (\d+\.\d{3})-(\d+\.\d{3}) s(?:, [^:]*)?: (.*)", re.DOTALL
)

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of speech or subtitles, as a search returned it."""

    start_s: float
    end_s: float
    fact: str
    text: str

    @property
    def is_shown(self) -> bool:
        """Whether it is about what is to be seen, so that a frame shows it, too."""
        return self.fact.startswith(("on screen", "file"))

    def likeness(self, text: str) -> int:
        """Return how many words and numbers it shares with a text."""
        own, other = (words_of(one) | set(_NUMBER.findall(one)) for one in (self.text, text))
        return len(own & other)

    def distance(self, start_s: float, end_s: float) -> float:
        """Return how far a range lies outside the line, in seconds."""
        return max(0.0, self.start_s - end_s, start_s - self.end_s)


def lines_for(entries: Sequence[Entry], claim: Claim) -> list[Line]:
    """Return the lines nearest to the time of a claim, nearest first; in their original order if it has no time.

    Of those that are equally near, such as all within the time of a part, the ones that share most words come first.
    Only looks that the claim names count as its evidence.
    """
    found = list(dict.fromkeys(_lines(entry for entry in entries if entry.id in claim.ledger)))
    if (at_s := claim.time_s) is not None:
        end_s = max(at_s, claim.end_s or at_s)
        near = [line for line in found if line.distance(at_s, end_s) <= NEAR_S]
        found = sorted(near, key=lambda line: (line.distance(at_s, end_s), -line.likeness(claim.text)))
    return found[:MOST_LINES]


def words_only(entries: Sequence[Entry], claim: Claim, lines: Sequence[Line]) -> bool:
    """Tell whether a claim rests on words alone: the looks it names returned lines for it, and no picture."""
    return bool(lines) and not any(entry.look.stills for entry in entries if entry.id in claim.ledger)


def _lines(entries: Iterator[Entry]) -> Iterator[Line]:
    for entry in entries:
        for fact in entry.look.facts:
            if match := _FACT.match(fact):
                yield Line(
                    float(match[1]), float(match[2]), " ".join(fact.split()), " ".join(match[3].split())
                )
