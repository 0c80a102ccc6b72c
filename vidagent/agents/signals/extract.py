"""Choosing, from the lines read in frames, the text that a question asks for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vidagent.agents.signals.past import Line

__all__ = ["Reading", "choose", "rule_for"]

_FILE = re.compile(r"[\w()+-][\w.()+-]*\.[A-Za-z][A-Za-z0-9]{1,4}\b")
_TIME_OF_DAY = re.compile(r"\b\d{1,2}[:.]\d{2}(?::\d{2})?\b")
_URL = re.compile(r"\b(?:https?://|www\.)\S+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io|dev|edu|gov)\b\S*")
_PLACE_WORDS = "behind|above|under|below|beside|near|before|after|over"
_FEW_LINES = 8
_COMMON = frozenset(
    "a about and are as at be by does did do for from has have how in is it its of on or shown show that the their "
    "this to was were what when where which who whose will with word words text written read reads say says "
    "finished first complete mention mentions person video".split()
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A text that answers the question.

    Args:
        answer: What to answer.
        line: The line that shows it.
    """

    answer: str
    line: Line


Rule = Callable[[str, Sequence[Line]], Reading | None]
"""Chooses among the lines read, given the question in lower case."""


def choose(question: str, lines: Sequence[Line]) -> Reading | None:
    """Return the reading that fits the question, or None if none does clearly."""
    rule = rule_for(question)
    return None if rule is None else rule(question, lines)


def rule_for(question: str) -> Rule | None:
    """Return how the text that a question asks for is chosen, or None if no rule fits."""
    return next((rule for fits, rule in _RULES if re.search(fits, question)), None)


def _pattern(form: re.Pattern[str]) -> Rule:
    def rule(_question: str, lines: Sequence[Line]) -> Reading | None:
        votes: dict[str, list[Line]] = defaultdict(list)
        for line in lines:
            for match in form.findall(line.text):
                votes[match].append(line)
        if not votes:
            return None
        text = max(votes, key=lambda t: (len(votes[t]), len(t)))
        return Reading(text, votes[text][0])

    return rule


def _typed(_question: str, lines: Sequence[Line]) -> Reading | None:
    """Find a text that grows where it stands, and return it at its longest."""
    best: tuple[int, Line] | None = None
    for line in lines:
        earlier = {
            other.text
            for other in lines
            if other.time_s < line.time_s and _same_start(other, line) and _grown(other.text, line.text)
        }
        if line.box_px and earlier and (best is None or len(earlier) > best[0]):
            best = (len(earlier), line)
    return None if best is None else Reading(best[1].text, best[1])


def _same_start(a: Line, b: Line) -> bool:
    if a.box_px is None or b.box_px is None:
        return False
    high = b.box_px[3] - b.box_px[1]
    return abs(a.box_px[0] - b.box_px[0]) < high and abs(a.box_px[1] - b.box_px[1]) < high


def _grown(short: str, long: str) -> bool:
    return 0 < len(short) < len(long) and long.casefold().startswith(short.casefold())


def _mentioned(question: str, lines: Sequence[Line]) -> Reading | None:
    """Find the sentence that shares most words with the question, and the noun before a shared preposition."""
    wanted = {word for word in re.findall(r"[a-z]+", question) if word not in _COMMON}
    best: tuple[int, str, Line] | None = None
    for group in _frames(lines):
        text = " ".join(line.text for line in group)
        for sentence in re.split(r"(?<=[.!?])\s+", text):
            shared = len(wanted & set(re.findall(r"[a-z]+", sentence.casefold())))
            if shared and (best is None or (shared, len(sentence)) > (best[0], len(best[1]))):
                best = (shared, sentence, _holding(sentence, group))
    if best is None:
        return None
    place = re.search(rf"\b({_PLACE_WORDS})\b", question)
    noun = place and re.search(
        rf"\b((?:the|a|an|your|his|her)\s+[\w'-]+)\s+{place[1]}\b", best[1], re.IGNORECASE
    )
    return Reading(noun[1], best[2]) if noun else None


def _holding(sentence: str, group: Sequence[Line]) -> Line:
    """Return the last line of the frame that is part of the sentence."""
    parts = [line for line in group if line.text.split(". ")[-1] in sentence or line.text in sentence]
    return parts[-1] if parts else group[-1]


def _whole(_question: str, lines: Sequence[Line]) -> Reading | None:
    """Return all that is written, if it is little: the fullest frame, lines in reading order."""
    frames = _frames(lines)
    if not frames:
        return None
    fullest = max(frames, key=lambda group: sum(len(line.text) for line in group))
    if len(fullest) > _FEW_LINES:
        return None
    longest = max(fullest, key=lambda line: len(line.text))
    return Reading(" ".join(line.text for line in fullest), longest)


def _frames(lines: Sequence[Line]) -> list[list[Line]]:
    """Group lines by frame, in reading order."""
    frames: dict[float, list[Line]] = defaultdict(list)
    for line in lines:
        frames[line.time_s].append(line)
    return [sorted(group, key=_place) for _, group in sorted(frames.items())]


def _place(line: Line) -> tuple[int, int]:
    if line.box_px is None:
        return (0, 0)
    high = max(1, line.box_px[3] - line.box_px[1])
    return (line.box_px[1] // high, line.box_px[0])


_RULES: tuple[tuple[str, Rule], ...] = (
    (r"\bfile ?names?\b|\b(?:which|what) file\b", _pattern(_FILE)),
    (r"\bclock\b|\bwhat time does\b", _pattern(_TIME_OF_DAY)),
    (r"\burl\b|\bweb ?(?:site|address|page)\b", _pattern(_URL)),
    (r"\btyped?\b", _typed),
    (r"\bmentions?\b|\bmentioned\b", _mentioned),
    (
        r"\bwritten\b|\btext\b|\bwhat words\b|\bsays?\b|\breads?\b|\b(?:title|caption|heading|headline|label)s?\b",
        _whole,
    ),
)
