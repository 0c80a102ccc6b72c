"""The texts on screen: what is known of them, which hold a text, and which stand together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vidagent.agents.signals.language.matching import NEAR, holds, likeness
from vidagent.agents.signals.planning.earlier_looks import Past
from vidagent.types import Box
from vidagent.video.texts.reader import TextLine, paragraphs
from vidagent.video.texts.track import plain as normal

SURE = 0.75
COMPLETE = 0.95
"""Share of what may be text that was read from which a text that is not known is taken to be absent."""
_FACT = re.compile(
    r"on screen (\d+\.\d+)-(\d+\.\d+) s, box (\d+),(\d+),(\d+),(\d+), sure (\d\.\d+)(, typed)?: (.*)",
    re.DOTALL,
)
_SHARE = re.compile(r"texts on screen: .*; ([\d.]+)% of what may be text was read")
_GAP_S = 0.25
"""A shorter gap between two showings of a text is a flicker."""

_SCROLL_S = 2.0
"""Shorter than this no text scrolls over the picture."""


@dataclass(frozen=True, slots=True, order=True)
class Text:
    """A text on screen: when it stands, its box in source pixels, how sure its reading is, and whether it grew."""

    start_s: float
    end_s: float
    text: str
    box: Box
    sure: float
    typed: bool = False

    @property
    def high(self) -> int:
        """Height of its line in pixels."""
        return self.box[3] - self.box[1]


@dataclass(frozen=True, slots=True)
class Known:
    """The texts on screen as a search listed them.

    Args:
        texts: The texts, in order of start.
        share: Share of what may be text that was read.
        entry: Id of the ledger entry of that search.
    """

    texts: tuple[Text, ...]
    share: float
    entry: str

    @property
    def complete(self) -> bool:
        """Whether a text that is not among them may be taken to be absent."""
        return self.share >= COMPLETE


Showing = tuple[float, float, tuple[Text, ...]]
"""When a text is on screen, and the lines that show it."""


def query_of(question: str) -> str:
    """Return the search that lists the texts on screen, those like a question first."""
    return f"Texts on screen: {question}"


def known_texts(question: str, past: Past) -> Known | None:
    """Return the texts on screen as the search for a question listed them, or None if there was none yet."""
    looks = past.asked(query_of(question))
    if not looks:
        return None
    facts = [str(fact) for fact in looks[-1].told.get("facts", [])]
    share = next((float(match[1]) / 100 for fact in facts if (match := _SHARE.match(fact))), 0.0)
    return Known(tuple(sorted(text for fact in facts for text in _parsed(fact))), share, looks[-1].id)


def _parsed(fact: str) -> Iterator[Text]:
    match = _FACT.fullmatch(fact)
    if match is not None:
        x0, y0, x1, y1 = map(int, match.groups()[2:6])
        yield Text(
            float(match[1]), float(match[2]), match[9], (x0, y0, x1, y1), float(match[7]), bool(match[8])
        )


def showings(query: str, texts: Sequence[Text]) -> list[Showing]:
    """Return when a text is on screen, `(start_s, end_s, lines)`, in order; it may span neighbouring lines."""
    hits: list[Showing] = [(one.start_s, one.end_s, (one,)) for one in texts if holds(one.text, query)]
    if not hits:
        hits = list(_over_lines(query, texts))
    joined: list[Showing] = []
    for start_s, end_s, lines in sorted(hits):
        if joined and start_s - joined[-1][1] < _GAP_S:
            last = joined[-1]
            joined[-1] = (last[0], max(last[1], end_s), last[2])
        else:
            joined.append((start_s, end_s, lines))
    return joined


def _over_lines(query: str, texts: Sequence[Text]) -> Iterator[Showing]:
    for group in blocks(texts):
        if holds(" ".join(one.text for one in group), query):
            part = min(
                (
                    group[first:end]
                    for first in range(len(group))
                    for end in range(first + 1, len(group) + 1)
                    if holds(" ".join(one.text for one in group[first:end]), query)
                ),
                key=len,
            )
            start_s, end_s = max(one.start_s for one in part), min(one.end_s for one in part)
            if start_s < end_s:
                yield start_s, end_s, tuple(part)


def blocks(texts: Sequence[Text]) -> Iterator[list[Text]]:
    """Yield the groups of neighbouring lines that stand together, each group once."""
    given: set[tuple[int, ...]] = set()
    for at_s in sorted({one.start_s for one in texts}):
        standing = [place for place, one in enumerate(texts) if one.start_s <= at_s < one.end_s]
        still = [
            place for place in standing if not any(_scroll(texts[place], texts[other]) for other in standing)
        ]
        lines = [TextLine(str(place), texts[place].box, 1.0) for place in still]
        for group in paragraphs(lines):
            places = tuple(int(line.text) for line in group)
            if places not in given:
                given.add(places)
                yield [texts[place] for place in places]


def nearest(query: str, texts: Sequence[Text]) -> Text | None:
    """Return the text that is most like a text that was not found, if any is much like it."""
    best = max(texts, key=lambda one: likeness(one.text, query), default=None)
    return best if best is not None and likeness(best.text, query) >= NEAR else None


def within(texts: Sequence[Text], scope: tuple[float, float] | None) -> list[Text]:
    """Return the texts that stand in a range."""
    return [one for one in texts if scope is None or (one.start_s < scope[1] and one.end_s > scope[0])]


def said(lines: Iterable[Text]) -> str:
    """Return the words of some lines."""
    return " ".join(one.text for one in lines)


def distinct(lines: Iterable[Text]) -> tuple[Text, ...]:
    """Return some lines without those that repeat another one."""
    return tuple({normal(one.text): one for one in reversed(list(lines))}.values())[::-1]


def rows(texts: Sequence[Text]) -> Iterator[tuple[Text, ...]]:
    """Yield each text with those that stand beside it in the middle of its time, from left to right."""
    for one in texts:
        at_s = (one.start_s + one.end_s) / 2
        level = [other for other in texts if other.start_s <= at_s < other.end_s and _level(one, other)]
        beside = [other for other in level if other is one or not _scroll(one, other)]
        yield distinct(sorted(beside, key=lambda other: other.box[0]))


def scrolled(texts: Sequence[Text]) -> Iterator[tuple[Text, ...]]:
    """Yield each line of texts that scroll with the one that follows it."""
    for one in texts:
        later = [other for other in texts if other.start_s > one.start_s and _scroll(one, other)]
        if later:
            yield one, min(later, key=lambda other: other.start_s)


def _scroll(one: Text, other: Text) -> bool:
    """Tell whether two texts move as one: they come and go equally far apart; where they were read says little."""
    come_s, go_s = other.start_s - one.start_s, other.end_s - one.end_s
    lasting = min(one.end_s - one.start_s, other.end_s - other.start_s) >= _SCROLL_S and _meet(one, other)
    return lasting and min(abs(come_s), abs(go_s)) > _GAP_S and abs(come_s - go_s) < 2 * _GAP_S


def _meet(one: Text, other: Text) -> bool:
    return one.start_s < other.end_s and other.start_s < one.end_s


def _level(one: Text, other: Text) -> bool:
    shared = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    return 2 * shared >= min(one.high, other.high)


def in_rows(texts: Iterable[Text]) -> list[Text]:
    """Order texts that stand at one time by row, and within a row from left to right."""
    return sorted(texts, key=lambda one: (one.box[1] // max(1, one.high), one.box[0]))
