"""Retrieval over the texts on screen: what is known of them, which hold a text, and which answer a question."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from vidagent.agents.signals.language.matching import NEAR, holds, likeness
from vidagent.agents.signals.language.supported_questions import KNOWN_WORDS
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
_STEM = 4
"""Letters that words of one stem share."""
_MISREAD = 85.0
"""Likeness of words of which one is a misreading of the other."""
_PLACING = re.compile(
    r"\b(?:top|upper|bottom|lower|left|right|centre|center|middle|under|above|below|over|behind|beside|captions?|labels?|"
    r"signs?|lines?|letters?|sentences?|messages?|writing|called|much|somewhere|still|stand(?:s|ing)?|flash(?:es)?|"
    r"pops?)\b|\bat [\d:.]+"
)
"""What else asks for a text, or for its place, and does not say what it is about."""
_STOP = frozenset(
    "a an and are as at be by can did do does for from has have how i in is it its me of on or please show shown shows "
    "tell that the their then there this to video was we were what when where which who whose will with you quoted "
    "according whats written write read reads readable say says said text texts word words screen on-screen displayed "
    "display appear appears appearing seen see visible picture frame clip film give name current exact exactly".split()
)


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
        lines = [TextLine(str(place), texts[place].box, 1.0) for place in standing]
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
    """Yield each text with those that stand beside it, from left to right."""
    for one in texts:
        beside = [other for other in texts if _meet(one, other) and _level(one, other)]
        yield distinct(sorted(beside, key=lambda other: other.box[0]))


def _meet(one: Text, other: Text) -> bool:
    return one.start_s < other.end_s and other.start_s < one.end_s


def _level(one: Text, other: Text) -> bool:
    shared = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    return 2 * shared >= min(one.high, other.high)


def content_words(question: str) -> list[str]:
    """Return a question's own words: those that ask for no form, size, place or order, and say what it is about."""
    left = question
    for asked, _ in (*_FORMS, *_SIZES):
        left = re.sub(asked, " ", left)
    words = re.findall(r"[^\W_]+", _PLACING.sub(" ", left))
    return [
        word
        for word in dict.fromkeys(words)
        if word not in _STOP | KNOWN_WORDS and (len(word) > 2 or word.isdigit())
    ]


def found_words(words: Sequence[str], text: str) -> list[str]:
    """Return the words that stand in a text, as they are or with another ending."""
    read = re.findall(r"[^\W_]+", text.casefold())
    return [word for word in words if any(_same_word(word, other) for other in read)]


def _same_word(word: str, other: str) -> bool:
    if word == other or min(len(word), len(other)) < _STEM:
        return word == other
    return word[:_STEM] == other[:_STEM] or fuzz.ratio(word, other) >= _MISREAD


@dataclass(frozen=True, slots=True)
class Reading:
    """What answers a question about unknown text: the words, and the lines that they were read in."""

    answer: str
    lines: tuple[Text, ...]
    unique: bool = True


Form = tuple[str, str]
_FORMS: tuple[Form, ...] = (
    (
        r"\b(?:url|web ?(?:site|address|page)|links?|domain)\b",
        r"(?:https?://|www\.)\S+|\b[\w-]+(?:\.[\w-]+)+(?:/\S*)?\b",
    ),
    (r"\be-?mails?\b", r"\S+@\S+\.\w+"),
    (r"\bfile ?names?\b|\bfile\b", r"[\w()+-][\w.()+-]*\.[A-Za-z][A-Za-z0-9]{1,4}\b"),
    (r"\bclock\b|\btime of day\b|\bwhat time does\b", r"\b\d{1,2}[:.]\d{2}(?::\d{2})?\b"),
    (r"\bprices?\b|\bcosts?\b|\bhow much\b", r"(?:[$€£¥]\s?\d[\d.,]*|\d[\d.,]*\s?(?:[$€£¥]|USD|EUR|GBP)\b)"),
    (r"\bper ?cent\w*\b", r"\d[\d.,]*\s?%"),
    (
        r"\bdates?\b|\bwhat day\b",
        r"\b\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b|\b(?:\w{3,9}\.? \d{1,2},? \d{4}|\d{1,2} \w{3,9} \d{4})\b",
    ),
    (r"\b(?:years?)\b", r"\b(?:19|20)\d\d\b"),
    (r"\bnumbers?\b|\bvalues?\b|\bscores?\b|\bversions?\b|\bpages?\b|\bhow many\b", r"[-+]?\d[\d.,:/]*"),
)
_SIZES: tuple[tuple[str, Callable[[Text], float]], ...] = (
    (
        r"\b(?:titles?|headings?|headlines?|headers?|banners?|biggest|largest|big|large)\b",
        lambda one: one.high,
    ),
    (r"\b(?:smallest|tiniest|small|tiny)\b", lambda one: -one.high),
    (r"\b(?:longest)\b", lambda one: len(one.text)),
)
_CLEARLY = 1.15


def choose(question: str, texts: Sequence[Text], size_wh: tuple[int, int]) -> Reading | None:
    """Return what answers a question about unknown text, from the texts in its scope; None if nothing does.

    The form that it asks for, the place, the words beside it and the size narrow the texts down, one after the other;
    what would leave none is passed over.
    """
    left = list(texts)
    form = next((form for asked, form in _FORMS if re.search(asked, question)), None)
    if form is not None:
        left = [one for one in left if re.search(form, one.text)]
        if not left:
            return None
    if re.search(r"\btyp(?:ed?|ing)\b", question):
        left = [one for one in left if one.typed] or left
    left = [one for one in left if _in_place(question, one, size_wh)] or left
    beside = _beside(question, texts)
    left = [one for one in left if one in beside] or left
    for asked, size in _SIZES:
        if re.search(asked, question) and left:
            left = [one for one in left if len(normal(one.text)) > 1] or left
            most = max(size(one) for one in left)
            left = (
                [one for one in left if size(one) * _CLEARLY >= most] if most > 0 else [max(left, key=size)]
            )
    return _reading(left, form) if left else None


def in_rows(texts: Iterable[Text]) -> list[Text]:
    """Order texts that stand at one time by row, and within a row from left to right."""
    return sorted(texts, key=lambda one: (one.box[1] // max(1, one.high), one.box[0]))


def _reading(left: Sequence[Text], form: str | None) -> Reading:
    if form is not None:
        found = {normal(match[0]): (match[0], one) for one in left if (match := re.search(form, one.text))}
        lines = tuple(one for _, one in found.values())
        return Reading("; ".join(text for text, _ in found.values()), lines, unique=len(found) == 1)
    together = [group for group in blocks(left) if len(group) > 1]
    whole = max(together, key=len, default=list(left[:1]))
    lines = tuple(sorted(distinct(left)))
    if len(whole) >= len(lines):
        return Reading(said(distinct(whole)), distinct(whole))
    return Reading("; ".join(one.text for one in lines), lines, unique=len(lines) == 1)


def _in_place(question: str, one: Text, size_wh: tuple[int, int]) -> bool:
    """Tell whether a text is where the question says."""
    x, y = (one.box[0] + one.box[2]) / 2 / size_wh[0], (one.box[1] + one.box[3]) / 2 / size_wh[1]
    sides = (
        (r"\b(?:top|upper)\b", y < 0.4),
        (r"\b(?:bottom|lower)\b", y > 0.6),
        (r"\b(?:left)\b", x < 0.45),
        (r"\b(?:right)\b(?! (?:after|before|at))", x > 0.55),
        (r"\b(?:centre|center|middle)\b", 0.25 < x < 0.75 and 0.2 < y < 0.8),
    )
    return all(there for words, there in sides if re.search(words, question))


def _beside(question: str, texts: Sequence[Text]) -> set[Text]:
    """Return the texts that share most of the question's own words, with what stands in their rows and blocks."""
    words = [word for word in re.findall(r"[^\W_]{3,}", question) if word not in _STOP]
    scored: dict[Text, float] = {}
    for group in [*([one] for one in texts), *blocks(texts)]:
        said = " ".join(one.text for one in group).casefold()
        score = sum(fuzz.partial_ratio(word, said) >= 90 for word in words) / (1 + 0.01 * len(group))
        for one in group:
            scored[one] = max(scored.get(one, 0.0), score)
    most = max(scored.values(), default=0.0)
    return {one for one, score in scored.items() if most > 0 and score >= 0.9 * most}
