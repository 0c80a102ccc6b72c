"""What the words of an answer may rest on: the question, the claims that stood up, and numbers that follow.

Words are compared roughly, by their beginnings, as no list of words fits every language. What is refused here costs
little: the claims themselves are the answer then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vidagent.graphs.state import State, Verified, question_of
from vidagent.tools.answer import Draft, Place

__all__ = ["Ground", "ground_of", "stood_up", "supported_words", "words_of"]

MOST_CHARACTERS = 4000
"""Longest answer in words, as in the schema of the `answer` tool."""

_WORD = re.compile(r"[^\W\d_]{3,}")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_NUMBER = re.compile(r"\d+(?::\d+)+(?:\.\d+)?|\d+(?:\.\d+)?")
_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]+)[\"“”„«»]")
_SENTENCE = re.compile(r"(?<=[.!?;。！？])\s*(?=\D)")
_STEM = 5
"""Letters of a word that are compared, so that "appears" and "appeared" are one."""
_TELLING = 4
"""Letters of a word that tells what a claim is about; shorter ones are "and" and "the" as often as not."""
_SHARE = 0.5
"""Share of a sentence's words that the claims or the question must hold."""


@dataclass(frozen=True)
class Ground:
    """What an answer may say.

    Args:
        text: The claims that stood up, the question and the options.
        barred: The claims that were refused.
        numbers: Numbers that follow from the claims: times, lengths, counts.
    """

    text: str
    barred: str
    numbers: frozenset[float]

    def beyond(self, answer: str) -> str | None:
        """Return what in an answer stands on nothing, in words for people; None if all of it stands.

        Its words are weighed only where a claim was refused: a paraphrase, or another language, would not pass else.
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
            said = words_of(sentence)
            if said and len(said & known) < _SHARE * len(said):
                return f"no claim says {sentence.strip()[:80]!r}"
        return None

    def says_refused(self, answer: str) -> bool:
        """Tell whether an answer has words of a refused claim that no other claim has."""
        barred = (words_of(self.barred) - words_of(self.text)) & words_of(answer)
        return any(len(word) >= _TELLING for word in barred)

    def _holds(self, text: str) -> bool:
        """Tell whether a number is one of the known ones, at the precision that it is written in."""
        value, places = _value(text), len(text.partition(".")[2])
        known = self.numbers.union(_value(number) for number in _NUMBER.findall(self.text))
        return any(abs(value - number) <= 0.5 * 10**-places + 1e-9 for number in known)


def ground_of(draft: Draft, state: State) -> Ground:
    """Return what an answer from a draft may say after its check."""
    verified = stood_up(state)
    claims = [item["claim"] for item in verified]
    text = "\n".join([*claims, state["question"], question_of(state), *(state.get("options") or [])])
    barred = "\n".join(item["claim"] for item in state.get("refused", []))
    return Ground(text, barred, frozenset(_numbers(draft, verified)))


def stood_up(state: State) -> list[Verified]:
    """Return the claims that were not refused."""
    return [item for item in state.get("verified", []) if item["verdict"] != "unsupported"]


def supported_words(draft: Draft, state: State) -> str:
    """Return the draft's answer if it says no more than its claims, which all stood up; else those that did."""
    verified = stood_up(state)
    whole = len(verified) == len(state.get("verified", [])) == len(draft.claims)
    if whole and ground_of(draft, state).beyond(draft.answer) is None:
        return draft.answer
    return " ".join(item["claim"] for item in verified)


def words_of(text: str) -> set[str]:
    """Return the beginnings of the words of a text; in scripts without spaces, its pairs of characters."""
    runs = _UNSPACED.findall(text)
    pairs = {run[place : place + 2] for run in runs for place in range(max(1, len(run) - 1))}
    return pairs | {word[:_STEM] for word in _WORD.findall(_UNSPACED.sub(" ", text.casefold()))}


def _numbers(draft: Draft, verified: Iterable[Verified]) -> Iterable[float]:
    yield from (item["time_s"] for item in verified)
    yield from (float(len(draft.claims)), float(len(draft.spans)))
    if draft.count is not None:
        yield float(draft.count)
    yield from (number for place in draft.spans for number in _bounds(place))
    yield sum(place.end_s - place.start_s for place in draft.spans)


def _bounds(place: Place) -> tuple[float, float, float]:
    return place.start_s, place.end_s, place.end_s - place.start_s


def _value(text: str) -> float:
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .,;:!?")
