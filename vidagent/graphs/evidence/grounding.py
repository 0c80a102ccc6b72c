"""Decide whether a draft's own words may be the answer, and put exact times into them.

A model judges them on the frames of all claims, in the request that checks these. Code compares what frames cannot
show: numbers, quotes and refused things that no claim has. Words that do not pass cost little: the claims themselves
are then the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vidagent.graphs.evidence.boundaries import Refined
from vidagent.graphs.evidence.claim_frames import plain_numbers
from vidagent.graphs.evidence.ledger import MOST_SEEN_S
from vidagent.graphs.evidence.refined_spans import refined_places
from vidagent.graphs.evidence.sentences import sentences_of
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Verified
from vidagent.text import QUOTED
from vidagent.tools.answer import Claim, Draft
from vidagent.video.clock import format_clock, format_time

MOST_CHARACTERS = 4000
"""Maximum characters of an answer, as in the schema of the `answer` tool."""

NUMERALS = (
    "no one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
).split()
"""Number words, up to the maximum number of videos per question."""

_WORD = re.compile(r"[^\W\d_]{3,}")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_NUMBER = re.compile(r"\d+(?::\d+)+(?:\.\d+)?|\d+(?:\.\d+)?")
_TIME = re.compile(rf"(?:{_NUMBER.pattern})(?=(?P<unit>\s?s\b)?)")
_LIST_NUMBER = re.compile(r"(?:^|(?<=[.!?;:]\s))[ \t]*\d{1,3}[.)][ \t]+", re.MULTILINE)
"""The number of an entry of a list, which says nothing."""
_SAME_S = 0.5e-3
_STEM = 5
"""Letters of a word that are compared, so that "appears" and "appeared" match."""
_TELLING = 4
"""Minimum letters of a content word; shorter ones are mostly "and" and "the"."""
_SHARE = 0.5
"""Minimum share of a sentence's words found in the claims or the question."""


@dataclass(frozen=True)
class Ground:
    """What an answer may say.

    Args:
        text: The supported claims, the question and the options.
        barred: The refused claims.
        numbers: Numbers that follow from the claims: times, lengths, counts.
    """

    text: str
    barred: str
    numbers: frozenset[float]

    def beyond(self, answer: str) -> str | None:
        """Return a message about what in an answer is unsupported; None if all of it is supported.

        Its words are compared only if a claim was refused: otherwise paraphrases and other languages would fail.
        """
        if len(answer) > MOST_CHARACTERS:
            return f"it has {len(answer):,} characters, more than {MOST_CHARACTERS:,}"
        known, answer = words_of(self.text), _LIST_NUMBER.sub("", answer)
        if self.says_refused(answer):
            return "it says what was refused"
        quotes = (one[1:-1] for one in QUOTED.findall(answer) if one[0] not in "'‘")
        if new := [quote for quote in quotes if not self._quotes(quote)]:
            return f"it quotes what no claim does: {new[0][:80]!r}"
        if unknown := [text for text in _NUMBER.findall(answer) if not self._holds(text)]:
            return f"it says {unknown[0][:20]}, which no claim does"
        for sentence in sentences_of(answer) if self.barred else ():
            sentence_words = words_of(sentence)
            if sentence_words and len(sentence_words & known) < _SHARE * len(sentence_words):
                return f"no claim says {sentence[:80]!r}"
        return None

    def says_refused(self, answer: str) -> bool:
        """Tell whether an answer has words of a refused claim that no other claim has."""
        barred = (words_of(self.barred) - words_of(self.text)) & words_of(answer)
        return any(len(word) >= _TELLING for word in barred)

    def _quotes(self, quote: str) -> bool:
        """Tell whether the words of a quote are known: as they are, or from several quotes put together."""
        known = set(re.findall(r"\w+", self.text.casefold()))
        return _plain(quote) in _plain(self.text) or set(re.findall(r"\w+", quote.casefold())) <= known

    def _holds(self, text: str) -> bool:
        """Tell whether a number is a known one, at its written precision."""
        known = self.numbers.union(_value(number) for number in _NUMBER.findall(self.text))
        return any(_shows(text, number) for number in known)


def ground_of(draft: Draft, progress: Progress) -> Ground:
    """Return what an answer from a checked draft may say."""
    verified, places = progress.supported, refined_places(progress, draft)
    claims = [item["claim"] for item in verified]
    text = "\n".join([*claims, progress.state["question"], progress.question, *(progress.options or [])])
    barred = "\n".join(item["claim"] for item in progress.refused)
    return Ground(text, barred, frozenset(_numbers(draft, verified, places)))


def supported_words(draft: Draft, progress: Progress, *, by_rules: bool = False) -> str:
    """Return the draft's answer if its words may be said; else the supported claims.

    Times are those of the refined places; where times are asked for and the words have none, they follow in brackets.

    Args:
        draft: The draft.
        progress: The run.
        by_rules: Whether it is enough that the answer adds no new number or quote, as rules wrote it.
    """
    may = may_say(draft, progress, by_rules=by_rules)
    words = draft.answer if may else told_lines(progress.supported, timed=progress.asks_times)
    places = refined_places(progress, draft)
    words = _with_refined_times(words, draft, places)
    timed = may and not by_rules and progress.route is not None and progress.asks_times
    return _timed(words, places or _moments(progress.supported)) if timed else words


def told_lines(verified: Sequence[Verified], *, timed: bool = False) -> str:
    """Return claims as an answer, one a line, each with the time of its frame if it says none near it.

    The frame that shows a claim best may lie beside the time in its words, where few frames were looked at. A single
    claim has a time only if the answer is `timed`.
    """
    if len(verified) < 2 and not timed:
        return "".join(item["claim"] for item in verified)
    return "\n".join(
        item["claim"]
        if any(_is(text, item["time_s"]) for text in _NUMBER.findall(item["claim"]))
        or any(
            (match["unit"] or ":" in match[0]) and abs(_value(match[0]) - item["time_s"]) <= MOST_SEEN_S
            for match in _TIME.finditer(item["claim"])
        )
        else f"{format_clock(item['time_s'])} {item['claim']}"
        for item in sorted(verified, key=lambda item: item["time_s"])
    )


def may_say(draft: Draft, progress: Progress, *, by_rules: bool = False) -> bool:
    """Tell whether all claims of a draft stand, frames show its words, and these add no number or quote."""
    shown = by_rules or (progress.worded is not None and progress.worded["verdict"] == "supported")
    return shown and progress.stands and ground_of(draft, progress).beyond(draft.answer) is None


def says_number(text: str, number: int) -> bool:
    """Tell whether a text says a number, in digits or in English words; the digits of a time say none."""
    words = re.findall(r"\w+", text.casefold())
    return str(number) in plain_numbers(text) or (number < len(NUMERALS) and NUMERALS[number] in words)


def words_of(text: str) -> set[str]:
    """Return the word stems of a text; in scripts without spaces, its character pairs."""
    runs = _UNSPACED.findall(text)
    pairs = {run[place : place + 2] for run in runs for place in range(max(1, len(run) - 1))}
    return pairs | {word[:_STEM] for word in _WORD.findall(_UNSPACED.sub(" ", text.casefold()))}


def _numbers(draft: Draft, verified: Sequence[Verified], places: Iterable[Refined]) -> Iterable[float]:
    yield from (item["time_s"] for item in verified)
    yield from (float(len(draft.claims)), float(len(draft.spans)))
    told = {item["claim"] for item in verified}
    for claim in draft.claims:
        yield from _ends(claim) if claim.text in told else ()
    for place in draft.spans:
        yield from (place.start_s, place.end_s)
    if draft.count is not None:
        yield float(draft.count)
    bounds = [_bounds(place) for place in places]
    yield from (number for bound in bounds for number in bound)
    yield sum(length_s for _, _, length_s in bounds)


def _ends(claim: Claim) -> Iterator[float]:
    """Yield where a claim begins and ends, and how long it lasts."""
    bounds = [time_s for time_s in (claim.time_s, claim.end_s) if time_s is not None]
    yield from (*bounds, *([bounds[1] - bounds[0]] if len(bounds) > 1 else []))


def _with_refined_times(words: str, draft: Draft, places: Sequence[Refined]) -> str:
    """Replace bounds and lengths of the drafted places by those of the refined ones."""
    moved = [
        pair
        for place, refined in zip(draft.spans, places, strict=True)
        for pair in zip(
            (place.start_s, place.end_s, place.end_s - place.start_s), _bounds(refined), strict=True
        )
        if abs(pair[0] - pair[1]) > _SAME_S
    ]

    def refined_time(match: re.Match[str]) -> str:
        new = next((new for old, new in moved if _is(match[0], old)), None)
        if new is None or (match["unit"] is None and not {".", ":"} & set(match[0])):
            return match[0]
        return f"{new:.3f}" if ":" not in match[0] else format_time(new)

    return _TIME.sub(refined_time, words) if moved else words


def _timed(words: str, places: Sequence[Refined]) -> str:
    """Add the times of places to words that say no time."""
    known = {number for place in places for number in _bounds(place)}
    says = any(
        match["unit"] or ":" in match[0] or any(_shows(match[0], number) for number in known)
        for match in _TIME.finditer(words)
    )
    if says or not places:
        return words
    times = [
        format_time(place.start_s)
        if place.end_s - place.start_s < _SAME_S
        else f"{format_time(place.start_s)} to {format_time(place.end_s)}"
        for place in places
    ]
    return f"{words} ({', '.join(times)})"


def _moments(verified: Sequence[Verified]) -> list[Refined]:
    """Return the times of claims as places without a length."""
    times = sorted({item["time_s"] for item in verified})
    return [Refined(time_s, time_s, 0.0, 0.0) for time_s in times]


def _bounds(place: Refined) -> tuple[float, float, float]:
    return place.start_s, place.end_s, place.end_s - place.start_s


def _is(text: str, number: float) -> bool:
    """Tell whether a written number equals this one, at its written precision."""
    half = 0.5 * 0.1 ** len(text.partition(".")[2])
    return abs(_value(text) - number) <= half + 1e-9


def _shows(text: str, number: float) -> bool:
    """Tell whether a written number equals this one, or is a clock's display at this time, without its fraction."""
    clock = ":" in text and "." not in text
    return _is(text, number) or (clock and 0 <= number - _value(text) < 1)


def _value(text: str) -> float:
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .,;:!?")
