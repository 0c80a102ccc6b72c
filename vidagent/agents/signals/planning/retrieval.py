"""What answers a question about unknown text: the lines that its words, its form, its place and its size point to.

A question's own words must stand on screen, in the lines quoted or beside them. Where some do not, the answer is unsure
at best, and where what is missing may change the meaning, such as a number, there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Final

from rapidfuzz import fuzz

from vidagent.agents.signals.language.content_words import LOOSE, content_words
from vidagent.agents.signals.language.matching import holds
from vidagent.agents.signals.planning.texts import Text, blocks, distinct, rows, said, scrolled
from vidagent.video.texts.track import plain as normal

UNSURE: Final = 0.5
"""Confidence in what the texts allow, but do not settle."""
ONE_OF_SEVERAL: Final = 0.4
SETTLED: Final = 0.8
MOST_LISTED: Final = 8
_FEW: Final = 3
_STEM: Final = 4
"""Letters that words of one stem share."""
_ALIKE: Final = 65.0
"""Likeness of words of one stem with different endings."""
_MISREAD: Final = 85.0
"""Likeness of words of which one is a misreading of the other."""
_RELATION: Final = re.compile(
    r"\b(?:above|below|under|underneath|beneath|left of|right of|behind|before|between|opposite|around|not|never|"
    r"except|without)\b(?! [\d:.]+)"
)
"""What asks for something else than what is named."""
_ORDINAL: Final = re.compile(r"\b(?:the|its|on|in) (?:second|third|fourth|fifth|sixth)\b(?! of)")
_DIGIT: Final = re.compile(r"\d")


Form = tuple[str, str]
_NUMBER: Final = r"[-+]?\d[\d.,:/]*"
_ADDRESSES: Final[tuple[Form, ...]] = (
    (
        r"\b(?:url|web ?(?:site|address|page)|links?|domain)\b",
        r"(?:https?://|www\.)\S+|(?<!@)\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b(?:/\S*)?",
    ),
    (r"\be-?mails?\b", r"\S+@\S+\.\w+"),
    (r"\bhandle\b|\buser ?name\b", r"(?<!\S)@\w+"),
    (r"\bhash ?tags?\b", r"#\w+"),
    (r"\b(?:tele)?phone\b", r"\+?\d[\d ()/.-]{5,}\d"),
    (r"\bfile ?names?\b|\b(?:which|what) file\b", r"[\w()+-][\w.()+-]*\.[A-Za-z][A-Za-z0-9]{1,4}\b"),
)
_MEASURES: Final[tuple[Form, ...]] = (
    (r"\b(?:what|which)(?:'s| is)?(?: the)?(?: \w+)? question\b", r".+\?"),
    (r"\bclock\b|\btime of day\b|\bwhat time\b", r"\b\d{1,2}[:.]\d{2}(?::\d{2})?\b"),
    (r"\bversion\b", r"\bv?\d+(?:\.\d+){1,3}\b"),
    (r"\byears?\b", r"\b(?:1\d|20)\d\d\b"),
    (r"\btemperatures?\b|\bhow (?:warm|cold|hot)\b", r"[-+−]?\d+\s?°"),
    (r"\bweights?\b|\bhow heavy\b", r"\d[\d.,]*\s?(?:k?g|lbs?|oz|t)\b"),
    (r"\bdistance\b|\bhow far\b", r"\d[\d.,]*\s?(?:k?m|mi|miles?|ft)\b"),
    (r"\bspeed\b|\bhow fast\b", r"\d[\d.,]*\s?(?:km/h|mph|m/s)"),
    (r"\bper ?cent\w*\b", r"\d[\d.,]*\s?%"),
    (
        r"\bdates?\b|\bwhat day\b",
        r"\b\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b|"
        r"\b(?:[A-Za-z]{3,9}\.? \d{1,2},? \d{4}|\d{1,2}\.? ?[A-Za-z]{3,9},? ?(?:\d{4})?)",
    ),
)
_AMOUNTS: Final[tuple[Form, ...]] = (
    (r"\bprices?\b|\bcosts?\b|\bhow much\b", r"(?:[$€£¥]\s?\d[\d.,]*|\d[\d.,]*\s?(?:[$€£¥]|USD|EUR|GBP)\b)"),
    (
        r"\bnumbers?\b|\bvalues?\b|\bscores?\b|\bpages?\b|\b"
        r"how (?:many|high|late|old|big|large|tall|deep|wide|strong|expensive)\b",
        _NUMBER,
    ),
)
_FORMS: Final = (*_ADDRESSES, *_MEASURES, *_AMOUNTS)
"""What a question asks for, and how that looks; beside its words any number is an amount."""
_HEADINGS: Final = r"titles?|headings?|headlines?|headers?|banners?"
_TITLES: Final = rf"{_HEADINGS}|called|names? of (?:the|this) (?:film|movie|video|clip|show|series)"
_SIZES: Final[tuple[tuple[str, Callable[[Text], float]], ...]] = (
    (
        rf"\b(?:{_TITLES}|biggest|largest|big|large)\b",
        lambda one: one.high,
    ),
    (r"\b(?:smallest|tiniest|small|tiny)\b", lambda one: -one.high),
    (r"\b(?:longest)\b", lambda one: len(one.text)),
)
_CLEARLY: Final = 1.15
_TITLE: Final = re.compile(rf"\b(?:{_TITLES})\b")
_OF_WHAT: Final = re.compile(
    rf"\b(?:{_HEADINGS}) of (?:the|this|that) \w+|\b(?:the|this|that) \w+ (?:is )?called\b"
)
"""What a title is the title of, which need not stand on screen."""
_TITLE_LIKE: Final = 1.35
_LABEL_LIKE: Final = 1.5
"""A line that is larger than this above another one is the heading of more than that line."""
_ORDER: Final = re.compile(
    r"(?:\bthe|\bvery|'s) (?:very )?(?:first|last|final|latest)\b(?: (texts?|words?|things?|signs?|names?|"
    r"(?:sub)?titles?|captions?|(?:head)?lines?|headings?|slides?|messages?|screens?|cards?|page)\b)?"
)
"""What comes first or last, and whether it is a text."""
_PERSON: Final = re.compile(r"\b[A-ZÀ-Þ][\w'’.-]*\.? [A-ZÀ-Þ]\w+|\b[A-ZÀ-Þ][a-zß-ÿ]+\b|\b[A-Z]{3,}\b")


@dataclass(frozen=True, slots=True)
class Reading:
    """What answers a question about unknown text: the words, the lines that they were read in, how sure that is."""

    answer: str
    lines: tuple[Text, ...]
    sure: float

    @property
    def unique(self) -> bool:
        """Whether nothing else answers as well."""
        return self.sure > ONE_OF_SEVERAL


def found_words(words: Sequence[str], text: str) -> list[str]:
    """Return the words that stand in a text, as they are or with another ending."""
    read = re.findall(r"[^\W_]+", text.casefold())
    return [word for word in words if any(_same_word(word, other) for other in read)]


def _same_word(word: str, other: str) -> bool:
    if word == other or min(len(word), len(other)) < _STEM or not (word + other).isalpha():
        return word == other
    likeness = fuzz.ratio(word, other)
    ending = word.startswith(other) or other.startswith(word) or likeness >= _ALIKE
    return likeness >= _MISREAD or (word[:_STEM] == other[:_STEM] and ending)


def choose(question: str, texts: Sequence[Text], size_wh: tuple[int, int]) -> Reading | None:
    """Return what answers a question about unknown text, from the texts in its scope; None if nothing surely does."""
    form = next((form for asked, form in _FORMS if re.search(asked, question)), None)
    words = content_words(_OF_WHAT.sub("title", question))
    there = [one for one in texts if _in_place(question, one, size_wh)]
    if re.search(r"\btyp(?:ed?|ing)\b", question):
        there = [one for one in there if one.typed] or there
    left = [one for one in there if form is None or re.search(form, one.text)]
    strict = [word for word in words if word not in LOOSE]
    order = _ORDER.search(question)
    elsewhere = (strict or _TITLE.search(question)) and _RELATION.search(question)
    if elsewhere or _ORDINAL.search(question) or (order and (strict or not order[1])):
        return None
    anchored = _anchored(question, words, there if len(there) < len(texts) else texts, form)
    if anchored is None and (not left or (form is not None and re.search(r"\bhow\b", question))):
        return None
    if anchored is not None or not _narrowed(question, form, len(there) < len(texts)):
        return anchored if anchored is not None or strict else _listed(left, form)
    few = _FEW if form in dict(_ADDRESSES).values() else 1
    if len(strict) > few or any(_DIGIT.search(word) for word in strict) or found_words(strict, said(texts)):
        return None
    if strict and form is None and len(there) == len(texts):
        return None
    listed = _listed(_of_size(question, left), form)
    return replace(listed, sure=min(listed.sure, UNSURE)) if strict and listed is not None else listed


def _narrowed(question: str, form: str | None, placed: bool) -> bool:
    """Tell whether a question says by form, place, size or order which text it means."""
    ordered = _ORDER.search(question)
    sized = any(re.search(asked, question) for asked, _ in _SIZES)
    return placed or sized or bool(ordered) or (form is not None and form != _NUMBER)


def _of_size(question: str, texts: Sequence[Text]) -> list[Text]:
    left = list(texts)
    for asked, size in _SIZES:
        if re.search(asked, question):
            left = [one for one in left if len(normal(one.text)) > _FEW - 1] or left
            most = max(size(one) for one in left)
            near = _TITLE_LIKE if _TITLE.search(question) else _CLEARLY
            left = [one for one in left if size(one) * near >= most] if most > 0 else [max(left, key=size)]
    return left


def holding(words: Sequence[str], texts: Sequence[Text]) -> tuple[Text, ...]:
    """Return the fewest lines that have all of some words; none if others have them, too, or none do."""
    units = [unit for unit in _units(texts) if words and len(found_words(words, said(unit))) == len(words)]
    best = min(units, key=lambda unit: (len(unit), len(said(unit))), default=())
    alone = all(len(unit) > len(best) or normal(said(unit)) == normal(said(best)) for unit in units)
    return best if alone else ()


def nearby(question: str, texts: Sequence[Text]) -> list[tuple[Text, ...]]:
    """Return a few rows that have the most of a question's own words."""
    words = content_words(question)
    found = {row: len(found_words(words, said(row))) for row in rows(texts)}
    most = max(found.values(), default=0)
    level = {normal(said(row)): row for row, count in reversed(found.items()) if count == most > 0}
    return list(level.values())[::-1][:_FEW]


def phrase(question: str, texts: Sequence[Text]) -> str | None:
    """Return the part of a question that stands on screen as it is, if the question is about nothing else."""
    words = content_words(question)
    spoken = re.findall(r"[^\W_]+", question)
    places = [place for place, word in enumerate(spoken) if word in words]
    part = " ".join(spoken[places[0] : places[-1] + 1]) if places else ""
    return part if part and any(holds(one.text, part) for one in texts) else None


def _anchored(question: str, words: Sequence[str], texts: Sequence[Text], form: str | None) -> Reading | None:
    """Return the lines in which, or beside which, the question's own words stand."""
    strict = [word for word in words if word not in LOOSE]
    ranked: dict[tuple[Text, ...], list[str]] = {}
    for unit in _units(texts, form):
        found = found_words(words, said(unit))
        if found and _answers(question, words, unit, form):
            ranked[unit] = found
    if not ranked:
        return None
    most = max(_weight(found) for found in ranked.values())
    best = [unit for unit, found in ranked.items() if _weight(found) == most]
    best = [unit for unit in best if not any(set(other) < set(unit) for other in best)]
    missing = [word for word in strict if word not in ranked[best[0]]]
    astray = found_words(missing, said(texts)) or any(_DIGIT.search(word) for word in missing)
    if astray or (missing and 2 * len(missing) >= len(strict)) or (strict and most < 1):
        return None
    if len({tuple(ranked[unit]) for unit in best}) > 1:
        return None
    said_best = {normal(said(unit)): unit for unit in reversed(best)}
    if len(said_best) > (1 if "how many" in question else _FEW):
        return None
    units = list(said_best.values())[::-1]
    sure = ONE_OF_SEVERAL if len(units) > 1 else UNSURE if missing else SETTLED
    if form is None and len(units) == len(units[0]) == 1:  # what stands beside it belongs to it
        units = [row for row in rows(texts) if units[0][0] in row][:1]
    return Reading("; ".join(said(unit) for unit in units), tuple(dict.fromkeys(sum(units, ()))), sure)


def _weight(found: Sequence[str]) -> float:
    return sum(0.5 if word in LOOSE else 1.0 for word in found)


def _answers(question: str, words: Sequence[str], unit: Sequence[Text], form: str | None) -> bool:
    """Tell whether some lines say more than the question does, and what it asks for."""
    new = [
        word
        for word in re.findall(r"[^\W_]+", said(unit))
        if not found_words([word.casefold()], question) and not found_words(words, word)
    ]
    if re.search(r"\bwho(?:'s|m)?\b", question):
        return any(_PERSON.match(word) for word in new)
    if len(unit) > 1 and unit[1].box[1] >= unit[0].box[3] and not found_words(words, unit[0].text):
        return False  # what labels a line stands above it
    if form in dict(_AMOUNTS).values():
        return any(_DIGIT.search(word) for word in new)
    return bool(new) if form is None else any(re.search(form, one.text) for one in unit)


def _units(texts: Sequence[Text], form: str | None = None) -> Iterator[tuple[Text, ...]]:
    """Yield what may be quoted: lines, rows, and two lines of which one may be a label or a heading of the other."""
    yield from ((one,) for one in texts)
    yield from (
        row for row in rows(texts) if len(row) < _FEW or _DIGIT.search(said(row))
    )  # else a head of columns
    yield from scrolled(texts)
    for group in blocks(texts):
        yield from (distinct(pair) for pair in pairwise(group) if pair[0].high <= _LABEL_LIKE * pair[1].high)
        if form is not None:
            yield from (distinct(pair) for pair in combinations(group, 2) if re.search(form, pair[1].text))
    if form is not None:
        valued = [one for one in texts if re.search(form, one.text)]
        yield from ((one, other) for one in texts for other in valued if _heads(one, other))


def _heads(one: Text, other: Text) -> bool:
    """Tell whether a text stands over another one, and is clearly larger."""
    together = one.start_s < other.end_s and other.start_s < one.end_s
    return together and one.box[3] <= other.box[1] and one.high >= _CLEARLY * other.high


def _listed(left: Sequence[Text], form: str | None) -> Reading | None:
    """Return all of some texts, in order, or the one that they are."""
    if form is not None:
        found = {normal(match[0]): (match[0], one) for one in left if (match := re.search(form, one.text))}
        lines = tuple(one for _, one in found.values())
        if form == _NUMBER and len({normal(one.text) for one in left}) > 1:
            return None
        sure = SETTLED if len(found) == 1 else ONE_OF_SEVERAL
        return (
            Reading("; ".join(text for text, _ in found.values()), lines, sure)
            if len(found) <= _FEW
            else None
        )
    together = sorted(blocks(left), key=len)
    whole = distinct(together[-1])
    lines = tuple(sorted(distinct(left)))
    if len(whole) >= len(lines):
        return Reading(said(whole), whole, SETTLED)
    return (
        Reading("; ".join(one.text for one in lines), lines, ONE_OF_SEVERAL)
        if len(lines) <= MOST_LISTED
        else None
    )


def _in_place(question: str, one: Text, size_wh: tuple[int, int]) -> bool:
    """Tell whether a text is where the question says."""
    x, y = (one.box[0] + one.box[2]) / 2 / size_wh[0], (one.box[1] + one.box[3]) / 2 / size_wh[1]
    sides = (
        (r"\b(?:top|upper)\b", y < 0.4),
        (r"\b(?:bottom|lower)\b", y > 0.6),
        (r"\b(?:left)\b", x < 0.45),
        (r"\b(?:right)\b(?! (?:after|before|at|answer))", x > 0.55),
        (r"\b(?:centre|center|middle)\b", 0.25 < x < 0.75 and 0.2 < y < 0.8),
    )
    return all(there for words, there in sides if re.search(words, question))
