"""Check that an answer's wording rests on the question, the supported claims, and numbers that follow from them.

Words are compared in two ways. Word stems detect what an answer must not say: numbers, quotes and refused things that
no claim has. An exact comparison, in order, detects a claim repeated verbatim. Anything between needs a model to judge.
A refusal costs little: the claims themselves then become the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vidagent.graphs.evidence.boundaries import Refined
from vidagent.graphs.evidence.refined_spans import refined_places
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Verified
from vidagent.tools.answer import Draft

MOST_CHARACTERS = 4000
"""Maximum characters of an answer, as in the schema of the `answer` tool."""

NUMERALS = (
    "no one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
).split()
"""Number words, up to the maximum number of videos per question."""

_WORD = re.compile(r"[^\W\d_]{3,}")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_NUMBER = re.compile(r"\d+(?::\d+)+(?:\.\d+)?|\d+(?:\.\d+)?")
_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]+)[\"“”„«»]")
_LETTERS = re.compile(r"[^\W\d_]+")
_SENTENCE = re.compile(r"(?<=[.!?;。！？])\s*(?=\D)")
_STEM = 5
"""Letters of a word that are compared, so that "appears" and "appeared" match."""
_TELLING = 4
"""Minimum letters of a content word; shorter ones are mostly "and" and "the"."""
_SHARE = 0.5
"""Minimum share of a sentence's words found in the claims or the question."""
_EMPTY = frozenset("a an the at s sec second seconds".split())
"""Words that change no claim and accompany its time."""


@dataclass(frozen=True)
class ClaimText:
    """A claim, as an answer may repeat it.

    Args:
        text: The claim.
        time_s: The moment that shows it.
    """

    text: str
    time_s: float

    @property
    def sentences(self) -> int:
        """Number of sentences."""
        return len(_sentences(self.text))

    def says(self, text: str) -> bool:
        """Tell whether a text repeats the claim verbatim; its time may be added."""
        if _in_order(text) != _in_order(self.text):
            return False
        numbers, known = _NUMBER.findall(text), _NUMBER.findall(self.text)
        timed = [place for place, number in enumerate(numbers) if _is(number, self.time_s)]
        variants = [numbers, *(numbers[:place] + numbers[place + 1 :] for place in timed)]
        return any(len(left) == len(known) and all(map(_is, left, map(_value, known))) for left in variants)


@dataclass(frozen=True)
class Ground:
    """What an answer may say.

    Args:
        text: The supported claims, the question and the options.
        barred: The refused claims.
        numbers: Numbers that follow from the claims: times, lengths, counts.
        claims: The supported claims, as an answer may repeat them.
    """

    text: str
    barred: str
    numbers: frozenset[float]
    claims: tuple[ClaimText, ...] = ()

    def beyond(self, answer: str) -> str | None:
        """Return a message about what in an answer is unsupported; None if all of it is supported.

        Its words are compared only if a claim was refused: otherwise paraphrases and other languages would fail.
        """
        if len(answer) > MOST_CHARACTERS:
            return f"it has {len(answer):,} characters, more than {MOST_CHARACTERS:,}"
        known = words_of(self.text)
        if self.says_refused(answer):
            return "it says what was refused"
        if new := [quote for quote in _QUOTED.findall(answer) if _plain(quote) not in _plain(self.text)]:
            return f"it quotes what no claim does: {new[0][:80]!r}"
        if unknown := [text for text in _NUMBER.findall(answer) if not self._holds(text)]:
            return f"it says {unknown[0][:20]}, which no claim does"
        for sentence in _SENTENCE.split(answer) if self.barred else ():
            sentence_words = words_of(sentence)
            if sentence_words and len(sentence_words & known) < _SHARE * len(sentence_words):
                return f"no claim says {sentence.strip()[:80]!r}"
        return None

    def repeats(self, answer: str) -> bool:
        """Tell whether an answer consists only of whole claims repeated verbatim, in any order."""
        sentences, reached = _sentences(answer), {0}
        for start in range(len(sentences)):
            for claim in self.claims if start in reached else ():
                end = start + claim.sentences
                if end <= len(sentences) and claim.says(" ".join(sentences[start:end])):
                    reached.add(end)
        return bool(sentences) and len(sentences) in reached

    def says_refused(self, answer: str) -> bool:
        """Tell whether an answer has words of a refused claim that no other claim has."""
        barred = (words_of(self.barred) - words_of(self.text)) & words_of(answer)
        return any(len(word) >= _TELLING for word in barred)

    def _holds(self, text: str) -> bool:
        """Tell whether a number is a known one, at its written precision."""
        known = self.numbers.union(_value(number) for number in _NUMBER.findall(self.text))
        return any(_is(text, number) for number in known)


def ground_of(draft: Draft, progress: Progress) -> Ground:
    """Return what an answer from a checked draft may say."""
    verified = progress.supported
    claims = [item["claim"] for item in verified]
    text = "\n".join([*claims, progress.state["question"], progress.question, *(progress.options or [])])
    barred = "\n".join(item["claim"] for item in progress.refused)
    repeatable = tuple(ClaimText(item["claim"], item["time_s"]) for item in verified)
    return Ground(
        text, barred, frozenset(_numbers(draft, verified, refined_places(progress, draft))), repeatable
    )


def supported_words(draft: Draft, progress: Progress, *, by_rules: bool = False) -> str:
    """Return the draft's answer if it repeats its claims, all supported, verbatim; else the supported claims.

    If a draft says no, its words are `by_rules`, or they will still be judged, it is enough that they add no new
    number or quote.
    """
    verified, ground = progress.supported, ground_of(draft, progress)
    whole = len(verified) == len(progress.verified) == len(draft.claims)
    freely = by_rules or draft.found != "yes"
    if whole and ground.beyond(draft.answer) is None and (freely or ground.repeats(draft.answer)):
        return draft.answer
    return " ".join(item["claim"] for item in verified)


def words_of(text: str) -> set[str]:
    """Return the word stems of a text; in scripts without spaces, its character pairs."""
    runs = _UNSPACED.findall(text)
    pairs = {run[place : place + 2] for run in runs for place in range(max(1, len(run) - 1))}
    return pairs | {word[:_STEM] for word in _WORD.findall(_UNSPACED.sub(" ", text.casefold()))}


def _numbers(draft: Draft, verified: Iterable[Verified], places: Iterable[Refined]) -> Iterable[float]:
    yield from (item["time_s"] for item in verified)
    yield from (float(len(draft.claims)), float(len(draft.spans)))
    if draft.count is not None:
        yield float(draft.count)
    bounds = [_bounds(place) for place in places]
    yield from (number for bound in bounds for number in bound)
    yield sum(length_s for _, _, length_s in bounds)


def _bounds(place: Refined) -> tuple[float, float, float]:
    return place.start_s, place.end_s, place.end_s - place.start_s


def _sentences(text: str) -> list[str]:
    return [sentence for sentence in _SENTENCE.split(text) if sentence.strip()]


def _in_order(text: str) -> list[str]:
    return [word for word in _LETTERS.findall(text.casefold()) if word not in _EMPTY]


def _is(text: str, number: float) -> bool:
    """Tell whether a written number equals this one, at its written precision."""
    half = 0.5 * 0.1 ** len(text.partition(".")[2])
    return abs(_value(text) - number) <= half + 1e-9


def _value(text: str) -> float:
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .,;:!?")
