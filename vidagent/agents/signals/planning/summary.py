"""A summary by rules: chapters between cuts or new texts, told by texts on screen, what is said, and shots."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from langchain_core.messages.tool import ToolCall

from vidagent.agents.signals.language import wording
from vidagent.agents.signals.planning import tool_calls
from vidagent.agents.signals.planning.earlier_looks import Fact, Past, Result
from vidagent.agents.signals.planning.texts import Text, known_texts, query_of
from vidagent.agents.signals.planning.video_facts import OUTLINE, is_legible
from vidagent.summary import MOST_HIGHLIGHTS, QUESTIONS, Length

LINES = "all lines of subtitles and speech"
_MOST_CHAPTERS: dict[Length, int] = {"short": 4, "medium": 8, "long": 16}
_MOST_TOLD: dict[Length, int] = {"short": 1, "medium": 2, "long": 4}
"""Texts of a chapter that are told, and lines of speech."""
_SHORTEST_S = 10.0
"""A chapter is at least so long, in a video that is long enough."""
_HEADLINE = ("long (", "shot", "sound")
_CUTS = re.compile(r"cuts at [^:]*: ([\d., ]+)")
_SHOT = re.compile(r"shot (\d+)")
_MOST_FRAMES = 4
"""Frames that the tool takes for a part."""
_LONGEST_LINE = 200
_HIGHLIGHT_S = 5.0
_EDGE_S = 1e-3
_LEAST_S = 1.0
_NO_WORD = 0.2
"""Weight of a text without a letter, such as a clock, beside others."""


@dataclass(frozen=True, slots=True, order=True)
class _Said:
    """Words, from when to when they stand or are said, and the weight by which they are chosen."""

    start_s: float
    end_s: float
    sentence: str
    text: str
    weight: float

    def is_in(self, start_s: float, end_s: float) -> bool:
        """Tell whether they stand or are said in a range, and do not just reach into it."""
        inside_s = min(self.end_s, end_s) - max(self.start_s, start_s)
        return inside_s > _EDGE_S and inside_s >= min(_LEAST_S, (self.end_s - self.start_s) / 2)

    def middle_s(self, start_s: float, end_s: float) -> float:
        """Return the middle of their time within a range."""
        return (max(self.start_s, start_s) + min(self.end_s, end_s)) / 2


def length_of(question: str) -> Length | None:
    """Return the length of the summary that a question asks for; None if it is another question."""
    return next((length for length, asked in QUESTIONS.items() if asked == question.strip()), None)


def summary(question: str, length: Length, past: Past) -> list[ToolCall]:
    """Return the searches for a summary, or the summary."""
    if not past.has("search"):
        return [tool_calls.answer("cannot_judge", "A summary needs the index of the video", confidence=0.0)]
    queries = (OUTLINE, query_of(question), LINES)
    if todo := [query for query in queries if not past.asked(query)]:
        return [tool_calls.search(query, 1) for query in todo]
    known = known_texts(question, past)
    looks = [past.asked(query)[-1] for query in queries]
    texts = [one for one in known.texts if is_legible(one)] if known else []
    chosen = sorted(texts, key=_weight, reverse=True)[: 2 * _MOST_CHAPTERS[length]]
    bounds = _bounds(looks[0], [one.start_s for one in chosen], length, past)
    shots = [line for line in looks[0].facts("file") if _SHOT.fullmatch(line[2])]
    said = [*map(_on_screen, texts), *_heard(looks[2])]
    ledger = [look.id for look in looks]
    parts: list[dict[str, Any]] = []
    told: list[_Said] = []
    for start_s, end_s in bounds:
        part = _part(start_s, end_s, said, shots, ledger, length, told)
        if part is not None:
            parts.append(part)
        else:
            parts[-1]["end_s"] = end_s
    about = [line[2] for words in _HEADLINE for line in looks[0].facts("file") if _tells(line[2], words)]
    headline = [f"{line[0].upper()}{line[1:]}." for line in about]
    return [
        tool_calls.answer(
            "yes",
            " ".join(headline),
            claims=[(line, [looks[0].id], 0.0) for line in headline],
            parts=parts,
            spans=_highlights(told, length),
            confidence=0.8 if known is not None and known.complete else 0.5,
        )
    ]


def _highlights(told: Sequence[_Said], length: Length) -> list[tuple[float, float]]:
    """Return when the words that weigh most begin, for some seconds."""
    most = sorted(told, key=lambda one: one.weight, reverse=True)[: MOST_HIGHLIGHTS[length]]
    return [(one.start_s, min(one.end_s, one.start_s + _HIGHLIGHT_S)) for one in most]


def _tells(line: str, words: str) -> bool:
    return words in line and not _SHOT.fullmatch(line)


def _weight(one: Text) -> float:
    """Weigh a text by its size, by how long it stands, and by whether it has letters."""
    worth = 1.0 if any(letter.isalpha() for letter in one.text) else _NO_WORD
    return one.high * min(10.0, one.end_s - one.start_s) * one.sure * worth


def _on_screen(one: Text) -> _Said:
    text = wording.quotable(one.text)
    return _Said(one.start_s, one.end_s, wording.on_screen(text), text, _weight(one))


def _heard(look: Result) -> Iterator[_Said]:
    for fact in look.facts("spoken", "subtitle"):
        if len(fact.text) <= _LONGEST_LINE:
            text = wording.quotable(" ".join(fact.text.split()))
            yield _Said(fact.start_s, fact.end_s, wording.is_said(text, fact.speaker), text, len(text))


def _bounds(look: Result, starts_s: Sequence[float], length: Length, past: Past) -> list[tuple[float, float]]:
    """Return where chapters are: between cuts, or where these are few, between these and new texts.

    The shortest chapter is joined with its shorter neighbour until there are few enough, and none is too short. Behind
    the last cut that the index lists, of hundreds, they are of equal length.
    """
    most, duration_s = _MOST_CHAPTERS[length], past.duration_s
    facts = " ".join(str(fact) for fact in look.told.get("facts", []))
    listed = _CUTS.search(facts)
    cuts = [float(t) for t in listed[1].replace(" ", "").strip(".,").split(",") if t] if listed else []
    last_s, count = (
        max(cuts, default=0.0),
        max((int(n) for n in re.findall(r"([\d,]+) cuts?\b", facts.replace(",", ""))), default=0),
    )
    if count > len(cuts):
        cuts += [last_s + (duration_s - last_s) * n / most for n in range(1, most)]
    inside = {t for t in (*cuts, *(starts_s if len(cuts) < most - 1 else ())) if 0.0 < t < duration_s}
    edges = [0.0, *sorted(inside), duration_s]
    least_s = min(_SHORTEST_S, duration_s / (2 * most))
    while len(edges) > 2:
        lengths = [end_s - start_s for start_s, end_s in pairwise(edges)]
        place = min(range(len(lengths)), key=lambda n: lengths[n])
        if len(lengths) <= most and lengths[place] >= least_s:
            break
        after = place + 1 < len(lengths) and (place == 0 or lengths[place + 1] <= lengths[place - 1])
        del edges[place + 1 if after else place]
    return list(pairwise(edges))


def _part(
    start_s: float,
    end_s: float,
    said: Sequence[_Said],
    shots: Sequence[Fact],
    ledger: Sequence[str],
    length: Length,
    told_before: list[_Said],
) -> dict[str, Any] | None:
    """Return a chapter: the texts that stand largest and longest in it, or the longest lines, then its shots.

    Words of `told_before` are not told again, and those of this chapter are added to it. None if it tells nothing new,
    so that it belongs to the chapter before it.
    """
    inside = sorted(
        (one for one in said if one.is_in(start_s, end_s)),
        key=lambda one: -one.weight,
    )
    told: list[_Said] = []
    for one in inside:
        again = any(one.text.casefold() in other.text.casefold() for other in told_before)
        if not again and len(told) < _MOST_TOLD[length]:
            told.append(one)
            told_before.append(one)
    numbers = [
        int(match[1])
        for shot in shots
        if shot.start_s < end_s - _EDGE_S
        and shot.end_s > start_s + _EDGE_S
        and (match := _SHOT.fullmatch(shot.text))
    ]
    begins = start_s == 0.0 or any(abs(shot.start_s - start_s) < _EDGE_S for shot in shots)
    if not told and not (begins and numbers):
        return None
    shown = [one.sentence for one in told] or [wording.shots(numbers[0], numbers[-1])]
    return {
        "start_s": start_s,
        "end_s": end_s,
        "text": " ".join(shown),
        "ledger": list(ledger),
        "frames_s": sorted(one.middle_s(start_s, end_s) for one in told)[:_MOST_FRAMES],
    }
