"""Search for a text in what was read: exact but for letters that look alike, and, apart from that, what is nearest."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from vidagent.types import Box
from vidagent.video.texts.reader import TextLine, paragraphs
from vidagent.video.texts.track import plain as normal

NEAR: Final = 75.0
"""Likeness, from 0 to 100, from which a text is worth naming as the nearest one."""
_ALIKE: Final = 82.0
_LOOKALIKES: Final = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", "8": "b", "2": "z"})
_CUTTABLE: Final = 7
"""A text this long may begin or end inside a run of letters, as a space may not be read; a shorter one may not."""
_LONG: Final = 14
_LONG_WORDS: Final = 3
"""A text with so many letters and words may differ in one letter: it is a misreading rather than another text."""
_UNSPACED: Final = 0x2E80
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Match:
    """The lines of an image that hold a text.

    Args:
        box: Bounding box of the lines, in pixels of the image.
        text: The lines as read.
    """

    box: Box
    text: str


@dataclass(frozen=True, slots=True)
class _Letters:
    """Letters and digits of a text without what sets apart those that look alike, and where words begin and end."""

    plain: str
    digits: str
    edges: frozenset[int]
    words: int


def holds(text: str, query: str) -> bool:
    """Tell whether a text as read holds another one: every letter of it, or one that looks the same."""
    wanted, read = _letters(query), _letters(text)
    if not wanted.plain:
        return False
    start = read.plain.find(wanted.plain)
    while start >= 0:
        if _fits(wanted, read, start, start + len(wanted.plain)):
            return True
        start = read.plain.find(wanted.plain, start + 1)
    if len(wanted.plain) < _LONG or wanted.words < _LONG_WORDS or len(read.plain) < len(wanted.plain) - 1:
        return False
    near = fuzz.partial_ratio_alignment(wanted.plain, read.plain)
    if near is None:
        return False
    part = read.plain[near.dest_start : near.dest_end]
    same_digits = all(digit in read.digits for digit in re.findall(r"\d+", query))
    return same_digits and Levenshtein.distance(wanted.plain, part) <= 1


def likeness(text: str, query: str) -> float:
    """Score from 0 to 100 how like a text, or a part of it, is to another one."""
    a, b = normal(text), normal(query)
    if min(len(a), len(b)) < 3:
        return 100.0 * (a == b)
    return float(fuzz.partial_ratio(b, a) if len(a) >= len(b) else fuzz.ratio(a, b))


def alike(a: str, b: str) -> bool:
    """Tell whether two readings may be of one text, or one of a part of the other."""
    return likeness(a, b) >= _ALIKE


def find(query: str, lines: Sequence[TextLine]) -> Match | None:
    """Return the lines of one image that hold a text, which may span several neighbouring lines; None if none do."""
    for group in paragraphs(lines):
        for length in range(1, len(group) + 1):
            for first in range(len(group) - length + 1):
                part = group[first : first + length]
                if holds(" ".join(line.text for line in part), query):
                    return Match(_union([line.box for line in part]), " ".join(line.text for line in part))
            if length == 1 and not holds(" ".join(line.text for line in group), query):
                break
    return None


def _fits(wanted: _Letters, read: _Letters, start: int, end: int) -> bool:
    """Tell whether a place in a text begins and ends with a word; a long text may lack a space there, not a digit."""
    cut = [place for place in (start, end) if place not in read.edges]
    if not cut:
        return True
    digits = any(read.digits[max(0, place - 1) : place + 1].strip() for place in cut)
    return len(wanted.plain) >= _CUTTABLE and not digits


def _letters(text: str) -> _Letters:
    plain, digits, edges = "", "", {0}
    words = _WORD.findall(unicodedata.normalize("NFKC", text))
    for word in words:
        before = ""
        for character in word:
            if _begins(before, character):
                edges.add(len(plain))
            for part in unicodedata.normalize("NFKD", character.casefold()):
                if part.isalnum():
                    plain += part.translate(_LOOKALIKES)
                    digits += part if part.isdigit() else " "
            before = character
        edges.add(len(plain))
    return _Letters(plain, digits, frozenset(edges), len(words))


def _begins(before: str, character: str) -> bool:
    """Tell whether a word begins here: after a space, between letters and digits, or as in `newWord`."""
    if not before or ord(character) >= _UNSPACED:
        return True
    return before.isdigit() != character.isdigit() or (before.islower() and character.isupper())


def _union(boxes: Sequence[Box]) -> Box:
    left, top = (min(box[side] for box in boxes) for side in (0, 1))
    right, bottom = (max(box[side] for box in boxes) for side in (2, 3))
    return left, top, right, bottom
