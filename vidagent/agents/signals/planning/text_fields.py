"""Selection of the text that answers a question from the lines read in frames."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from vidagent.agents.signals.language.matching import FOUND, normal, similarity
from vidagent.agents.signals.planning.earlier_looks import Line
from vidagent.agents.signals.vision.colours import COLOUR_NAMES

_FILE = re.compile(r"[\w()+-][\w.()+-]*\.[A-Za-z][A-Za-z0-9]{1,4}\b")
_TIME_OF_DAY = re.compile(r"\b\d{1,2}[:.]\d{2}(?::\d{2})?\b")
_URL = re.compile(r"\b(?:https?://|www\.)\S+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io|dev|edu|gov)\b\S*")
_COLOUR = re.compile(rf"\b(?:{'|'.join(COLOUR_NAMES)})\b")
_PLACE_WORDS = "behind|above|under|below|beside|near|before|after|over"
_MAX_LINES = 8
_CLEAR_RATIO = 3
_NEARLY_ALL = 10
_MIN_RATIO = 0.85
_COMMON = frozenset(
    "a about and are as at be by does did do for from has have how in is it its of on or shown show that the their "
    "this to was were what when where which who whose will with word words text written read reads say says "
    "finished first complete mention mentions person video".split()
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A text that answers the question, and the line that shows it."""

    answer: str
    line: Line


Rule = Callable[[str, Sequence[Line]], Reading | None]
"""Chooses a reading from the lines, given the question in lower case."""


def choose(question: str, lines: Sequence[Line]) -> Reading | None:
    """Return the reading that answers the question, or None if none clearly does."""
    rule = rule_for(question)
    return None if rule is None else rule(question, lines)


def rule_for(question: str) -> Rule | None:
    """Return the rule that chooses the text for a question, or None if no rule fits."""
    return next((rule for fits, rule in _RULES if re.search(fits, question)), None)


def _pattern(form: re.Pattern[str]) -> Rule:
    """Return a rule that picks the text of a form; among several, only one read far more often than the rest."""

    def rule(_question: str, lines: Sequence[Line]) -> Reading | None:
        votes: dict[str, list[tuple[str, Line]]] = defaultdict(list)
        for line in lines:
            for match in form.findall(line.text):
                votes[normal(match)].append((match, line))
        ranked = sorted(votes.values(), key=len, reverse=True)
        if not ranked or (len(ranked) > 1 and len(ranked[0]) < _CLEAR_RATIO * len(ranked[1])):
            return None
        text = Counter(match for match, _ in ranked[0]).most_common(1)[0][0]
        return Reading(text, next(line for match, line in ranked[0] if match == text))

    return rule


def _typed(_question: str, lines: Sequence[Line]) -> Reading | None:
    """Find the one text that grows in place, and return it at its longest."""
    grown: list[tuple[int, Line]] = []
    for line in lines:
        earlier = {
            other.text
            for other in lines
            if other.time_s < line.time_s and _same_start(other, line) and _grown(other.text, line.text)
        }
        if line.box_px and earlier:
            grown.append((len(earlier), line))
    if not grown:
        return None
    most, best = max(grown, key=lambda found: (found[0], -found[1].time_s))
    others = [steps for steps, line in grown if not _one_grows(line, best)]
    return None if others and 2 * max(others) >= most else Reading(best.text, best)


def _one_grows(a: Line, b: Line) -> bool:
    """Return whether two lines are one text at two times: equal, or one a prefix of the other."""
    same = normal(a.text) == normal(b.text)
    return _same_start(a, b) and (same or _grown(a.text, b.text) or _grown(b.text, a.text))


def _same_start(a: Line, b: Line) -> bool:
    if a.box_px is None or b.box_px is None:
        return False
    high = b.box_px[3] - b.box_px[1]
    return abs(a.box_px[0] - b.box_px[0]) < high and abs(a.box_px[1] - b.box_px[1]) < high


def _grown(short: str, long: str) -> bool:
    return 0 < len(short) < len(long) and long.casefold().startswith(short.casefold())


def _noun_in_place(question: str, lines: Sequence[Line]) -> Reading | None:
    """Find the noun before a preposition of place that the question shares with a sentence of the text.

    Only the sentences that share most words with the question count; they must agree on the noun.
    """
    place = re.search(rf"\b({_PLACE_WORDS})\b", question)
    if place is None:
        return None
    keywords = {word for word in re.findall(r"[a-z]+", question) if word not in _COMMON}
    noun = re.compile(rf"\b((?:the|a|an|your|his|her)\s+[\w'-]+)\s+{place[1]}\b", re.IGNORECASE)
    found: dict[int, list[Reading]] = defaultdict(list)
    for group in _frames(lines):
        text = " ".join(line.text for line in group)
        for sentence in re.split(r"(?<=[.!?])\s+", text):
            shared = len(keywords & set(re.findall(r"[a-z]+", sentence.casefold())))
            named = noun.search(sentence)
            if named is not None:
                found[shared].append(Reading(named[1], _source_line(sentence, group)))
    best = found[max(found)] if found else []
    return best[0] if len({normal(reading.answer) for reading in best}) == 1 else None


def _source_line(sentence: str, group: Sequence[Line]) -> Line:
    """Return the last line of the frame that is part of the sentence."""
    parts = [line for line in group if line.text.split(". ")[-1] in sentence or line.text in sentence]
    return parts[-1] if parts else group[-1]


def _all_text(question: str, lines: Sequence[Line]) -> Reading | None:
    """Return all text of the fullest frame, if it is short and nearly all frames show that text or part of it.

    Text may appear bit by bit. A few stray frames are allowed, more if the lines were already filtered by colour.
    """
    frames = _frames(lines)
    strays = len(frames) / (_CLEAR_RATIO if _COLOUR.search(question) else _NEARLY_ALL)
    for fullest in sorted(frames, key=lambda group: -sum(len(line.text) for line in group)):
        full_text = " ".join(line.text for line in fullest)
        if sum(not _within(group, full_text) for group in frames) < strays:
            return (
                None
                if len(fullest) > _MAX_LINES
                else Reading(full_text, max(fullest, key=lambda x: len(x.text)))
            )
    return None


def _within(group: Sequence[Line], full_text: str) -> bool:
    """Return whether all lines of a frame are part of a text, or a slight misreading of it."""
    if all(similarity(line.text, full_text) >= FOUND for line in group):
        return True
    text = normal(" ".join(line.text for line in group))
    return SequenceMatcher(None, text, normal(full_text)).ratio() >= _MIN_RATIO


def _frames(lines: Sequence[Line]) -> list[list[Line]]:
    """Group lines by frame in reading order, without duplicates from a second look at a frame."""
    frames: dict[float, list[Line]] = defaultdict(list)
    for line in lines:
        group = frames[line.time_s]
        if not any(normal(line.text) == normal(other.text) and _same_start(line, other) for other in group):
            group.append(line)
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
    (r"\bmentions?\b|\bmentioned\b", _noun_in_place),
    (
        r"\bwritten\b|\btext\b|\bwhat words\b|\bsays?\b|\breads?\b|\b(?:title|caption|heading|headline|label)s?\b",
        _all_text,
    ),
)
