"""Check that an answer's wording rests on the question, the supported claims, and numbers that follow from them.

Words are compared in two ways. Word stems detect what an answer must not say: numbers, quotes and refused things that
no claim has. A comparison in order detects an answer that says no more than claims, the count or the chosen option do:
it needs no model. Anything between needs one to judge. A refusal costs little: the claims themselves then become the
answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vidagent.graphs.evidence.boundaries import Refined
from vidagent.graphs.evidence.ledger import MOST_SEEN_S
from vidagent.graphs.evidence.refined_spans import refined_places
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Verified
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
_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]+)[\"“”„«»]")
_LETTERS = re.compile(r"[^\W\d_]+")
_ONE_WORD = re.compile(r"^\s*[^\W\d_]+(?:,\s*|[.!]\s+)")
_SENTENCE = re.compile(r"(?<=[.!?;。！？])\s*(?=\D)")
_LIST_NUMBER = re.compile(r"(?:^|(?<=[.!?;:]\s))[ \t]*\d{1,3}[.)][ \t]+", re.MULTILINE)
"""The number of an entry of a list, which says nothing."""
_SLACK_S = 0.05
"""Tolerance around a place: the frame that shows it may lie just outside."""
_SAME_S = 0.5e-3
_STEM = 5
"""Letters of a word that are compared, so that "appears" and "appeared" match."""
_TELLING = 4
"""Minimum letters of a content word; shorter ones are mostly "and" and "the"."""
_SHARE = 0.5
"""Minimum share of a sentence's words found in the claims or the question."""
_EMPTY = frozenset("a an the at s sec second seconds from to until".split())
"""Words that change no claim and accompany its time."""
_LINKING = frozenset("it is are was were there".split())
"""Words of a sentence around an option or a count that add nothing."""


@dataclass(frozen=True)
class ClaimText:
    """A claim, as an answer may repeat it.

    Args:
        text: The claim.
        times_s: Times that may be added to it or left out: the moment that shows it, and the bounds and the length of
            its place.
    """

    text: str
    times_s: tuple[float, ...]

    @property
    def sentences(self) -> int:
        """Number of sentences."""
        return len(sentences_of(self.text))

    def says(self, text: str, known: frozenset[str] = frozenset()) -> bool:
        """Tell whether a text repeats all words and numbers of the claim, in order; its times may be added.

        Args:
            text: The text.
            known: Stems of words that it may add, as the question has them.
        """
        extra = _left_over(_in_order(text), _in_order(self.text))
        if extra is None or not {word[:_STEM] for word in extra} <= known:
            return False
        given, own = self._amounts(text), self._amounts(self.text)
        return len(given) == len(own) and all(map(_is, given, map(_value, own)))

    def _amounts(self, text: str) -> list[str]:
        """Return the numbers that are not its times."""
        numbers = _NUMBER.findall(text)
        return [number for number in numbers if not any(_shows(number, time_s) for time_s in self.times_s)]


@dataclass(frozen=True)
class Ground:
    """What an answer may say.

    Args:
        text: The supported claims, the question and the options.
        barred: The refused claims.
        numbers: Numbers that follow from the claims: times, lengths, counts.
        claims: The supported claims, as an answer may repeat them.
        question: The question.
        count: The number asked for.
        option: The chosen option, if the claims have its words.
        yes_or_no: Whether the answer may begin with a yes or no, which is a word and a comma.
    """

    text: str
    barred: str
    numbers: frozenset[float]
    claims: tuple[ClaimText, ...] = ()
    question: str = ""
    count: int | None = None
    option: str | None = None
    yes_or_no: bool = False

    def beyond(self, answer: str) -> str | None:
        """Return a message about what in an answer is unsupported; None if all of it is supported.

        Its words are compared only if a claim was refused: otherwise paraphrases and other languages would fail.
        """
        if len(answer) > MOST_CHARACTERS:
            return f"it has {len(answer):,} characters, more than {MOST_CHARACTERS:,}"
        known, answer = words_of(self.text), _LIST_NUMBER.sub("", answer)
        if self.says_refused(answer):
            return "it says what was refused"
        if new := [quote for quote in _QUOTED.findall(answer) if not self._quotes(quote)]:
            return f"it quotes what no claim does: {new[0][:80]!r}"
        if unknown := [text for text in _NUMBER.findall(answer) if not self._holds(text)]:
            return f"it says {unknown[0][:20]}, which no claim does"
        for sentence in _SENTENCE.split(answer) if self.barred else ():
            sentence_words = words_of(sentence)
            if sentence_words and len(sentence_words & known) < _SHARE * len(sentence_words):
                return f"no claim says {sentence.strip()[:80]!r}"
        return None

    def covers(self, answer: str) -> bool:
        """Tell whether each sentence of an answer repeats a claim, in any order, or says the count or the option.

        Words of the question may be added. That needs no model to judge.
        """
        answer = _LIST_NUMBER.sub("", answer)
        if self.yes_or_no:
            answer = _ONE_WORD.sub("", answer, count=1)
        sentences, reached = sentences_of(answer), {0}
        known = frozenset(word[:_STEM] for word in _in_order(self.question)) | _LINKING
        for start in range(len(sentences)):
            if start not in reached:
                continue
            if self._concludes(sentences[start], known):
                reached.add(start + 1)
            for claim in self.claims:
                end = start + claim.sentences
                if end <= len(sentences) and claim.says(" ".join(sentences[start:end]), known):
                    reached.add(end)
        return bool(sentences) and len(sentences) in reached

    def _concludes(self, sentence: str, known: frozenset[str]) -> bool:
        """Tell whether a sentence says only the count, in words of the question, or only the chosen option."""
        words, numbers = _in_order(sentence), _NUMBER.findall(sentence)
        if self.count is not None and {word[:_STEM] for word in words} <= known:
            return len(numbers) == 1 and _is(numbers[0], self.count)
        if self.option is None or numbers != _NUMBER.findall(self.option):
            return False
        extra = _left_over(words, _in_order(self.option))
        return extra is not None and set(extra) <= _LINKING

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
    options = progress.options or []
    text = "\n".join([*claims, progress.state["question"], progress.question, *options])
    barred = "\n".join(item["claim"] for item in progress.refused)
    chosen = options[draft.choice] if draft.choice is not None and draft.choice < len(options) else None
    return Ground(
        text,
        barred,
        frozenset(_numbers(draft, verified, places)),
        tuple(ClaimText(item["claim"], tuple(_times(item, draft, places))) for item in verified),
        progress.question,
        draft.count,
        chosen if chosen is not None and words_of(chosen) <= words_of("\n".join(claims)) else None,
        progress.kind == "whether",
    )


def supported_words(draft: Draft, progress: Progress, *, by_rules: bool = False) -> str:
    """Return the draft's answer if its claims cover it and all are supported; else the supported claims.

    Times are those of the refined places.

    Args:
        draft: The draft.
        progress: The run.
        by_rules: Whether it is enough that the answer adds no new number or quote, as rules wrote it or as its words
            will still be judged.
    """
    words = draft.answer if covered(draft, progress, by_rules=by_rules) else None
    if words is None:
        words = told_lines(progress.supported)
    return _with_refined_times(words, draft, refined_places(progress, draft))


def drafted_words(draft: Draft, progress: Progress) -> str:
    """Return the draft's answer, which may say more than its claims; if it says what was refused, the claims."""
    if ground_of(draft, progress).says_refused(draft.answer):
        return told_lines(progress.supported)
    return _with_refined_times(draft.answer, draft, refined_places(progress, draft))


def told_lines(verified: Sequence[Verified]) -> str:
    """Return claims as an answer: one as it is, several one a line, with the time of its frame if it says none near it.

    The frame that shows a claim best may lie beside the time in its words, where few frames were looked at.
    """
    if len(verified) < 2:
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


def covered(draft: Draft, progress: Progress, *, by_rules: bool = False) -> bool:
    """Tell whether a draft's answer says no more than its claims, all supported."""
    ground = ground_of(draft, progress)
    if not progress.stands or ground.beyond(draft.answer) is not None:
        return False
    return by_rules or ground.covers(draft.answer)


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


def _times(item: Verified, draft: Draft, places: Sequence[Refined]) -> Iterator[float]:
    """Yield the times that may be said of a claim: its own, and those of its place, as drafted and as refined."""
    yield item["time_s"]
    for claim in draft.claims:
        yield from _ends(claim) if claim.text == item["claim"] else ()
    for place, refined in zip(draft.spans, places, strict=True):
        if place.start_s - _SLACK_S <= item["time_s"] <= place.end_s + _SLACK_S:
            yield from (place.start_s, place.end_s, place.end_s - place.start_s, *_bounds(refined))


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


def _left_over(words: Sequence[str], part: Sequence[str]) -> list[str] | None:
    """Return the words without those of a part that they hold in order; None if they do not hold it."""
    extra, place = [], 0
    for word in words:
        if place < len(part) and word == part[place]:
            place += 1
        else:
            extra.append(word)
    return extra if place == len(part) else None


def _bounds(place: Refined) -> tuple[float, float, float]:
    return place.start_s, place.end_s, place.end_s - place.start_s


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text."""
    return [sentence.strip() for sentence in _SENTENCE.split(text) if sentence.strip()]


def _in_order(text: str) -> list[str]:
    return [word for word in _LETTERS.findall(text.casefold()) if word not in _EMPTY]


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
