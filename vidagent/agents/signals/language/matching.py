"""Whether a text asked for is among the texts read: strict about words and digits, lenient to misreadings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vidagent.agents.signals.vision.ocr import TextLine, paragraphs
from vidagent.types import Box

FOUND: Final = 0.82
"""From this similarity on a text counts as found.

With the weights below it lets a word of seven letters or more have one wrong letter (1 - 1.25 / 7 = 0.82)
and a shorter one none but look-alikes, so that `tasks` is not found in `tabs`, nor `fast` in `last`; and a
text of seven letters or more may begin or end inside a run of letters (a space that was not read), a shorter
one may not: `Chrome` against `Chromebook` is 0.8.
"""

_LOOKALIKES: Final = frozenset(frozenset(pair) for pair in ("0o", "1l", "1i", "il", "5s", "8b", "2z"))
_LOOKALIKE_COST: Final = 0.1
_WORD_COST: Final = 1.5
_CUT_COST: Final = 1.2
_WRONG_CODE: Final = 0.5
"""At most this when a word with a digit is not read exactly: 7421 and 7427 are two codes, not one misread."""
_GLUE: Final = frozenset(["a", "an", "and", "at", "in", "is", "of", "on", "or", "the", "to"])
"""Words that a reader may lose without the text becoming another one."""

_UNSPACED: Final = 0x2E80
"""First code point of the scripts written without spaces (CJK radicals and what follows)."""

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Match:
    """The place in a picture that is most like the text asked for.

    Args:
        score: Similarity from 0 to 1, to be held against `FOUND`.
        box: Round the lines it was read from, in pixels of the picture.
        text: Those lines as read.
    """

    score: float
    box: Box
    text: str

    @property
    def found(self) -> bool:
        """Whether the similarity suffices to say that the text is there."""
        return self.score >= FOUND


@dataclass(frozen=True, slots=True)
class _Letters:
    """Letters and digits of a text, and for each whether a word starts there and which word it belongs to."""

    plain: str
    starts: tuple[bool, ...]
    words: tuple[int, ...]

    def cuts(self, position: int) -> bool:
        """Whether the place before `position` lies inside a word."""
        return 0 < position < len(self.plain) and not self.starts[position]


@dataclass(frozen=True, slots=True)
class _Alignment:
    """Where the query lies in the text (`start:end` of its letters), and what each query word cost."""

    start: int
    end: int
    costs: tuple[float, ...]


def normal(text: str) -> str:
    """Reduce a text to its letters and digits, without case, accents, spaces or punctuation."""
    return _letters(text).plain


def similarity(query: str, text: str) -> float:
    """Tell how surely `query` stands in `text`, perhaps inside a longer text.

    Args:
        query: The text asked for.
        text: A text as read, misreadings included.

    Returns:
        From 0 (nothing of it) to 1 (every letter); `FOUND` or more means that it is there. Part of the query
        gives a part of the score.
    """
    return _locate(_letters(query), _letters(text))[0]


def find(query: str, lines: Sequence[TextLine]) -> Match | None:
    """Find the lines most like a text, which may run over several neighbouring lines.

    Args:
        query: The text asked for.
        lines: Lines of one picture.

    Returns:
        The best match, whatever its score (see `Match.found`), or None when nothing of the query is there.
    """
    wanted = _letters(query)
    best: Match | None = None
    for group in paragraphs(lines):
        letters = [_letters(line.text) for line in group]
        score, start, end = _locate(wanted, _join(letters))
        if score > 0 and (best is None or score > best.score):
            touched = _touched(group, letters, start, end)
            best = Match(
                score, _union([line.box for line in touched]), " ".join(line.text for line in touched)
            )
    return best


def _letters(text: str) -> _Letters:
    plain: list[str] = []
    starts: list[bool] = []
    words: list[int] = []
    for number, word in enumerate(_WORD.findall(unicodedata.normalize("NFKC", text))):
        before = ""
        for character in word:
            for part in unicodedata.normalize("NFKD", character.casefold()):
                if part.isalnum():
                    plain.append(part)
                    starts.append(_starts(before, character))
                    words.append(number)
            before = character
    return _Letters("".join(plain), tuple(starts), tuple(words))


def _starts(before: str, character: str) -> bool:
    """Whether a word begins here: after a space, from letters to digits and back, and as in `newWord`."""
    if not before or ord(character) >= _UNSPACED:
        return True
    return before.isdigit() != character.isdigit() or (before.islower() and character.isupper())


def _join(parts: Sequence[_Letters]) -> _Letters:
    return _Letters(
        "".join(part.plain for part in parts),
        tuple(start for part in parts for start in part.starts),
        tuple(word for part in parts for word in part.words),
    )


def _locate(query: _Letters, text: _Letters) -> tuple[float, int, int]:
    if not query.plain or not text.plain:
        return 0.0, 0, 0
    alignment = _align(query, text)
    return _score(query, text, alignment), alignment.start, alignment.end


def _score(query: _Letters, text: _Letters, alignment: _Alignment) -> float:
    lengths = np.bincount(query.words)
    costs = np.asarray(alignment.costs)
    spelled = [query.plain[query.words.index(word) :][: lengths[word]] for word in range(len(lengths))]
    whole = max(0.0, 1 - costs.sum() / lengths.sum())
    worst = _worst(spelled, costs)
    weight = min(0.5, 2 / len(lengths))
    cuts = sum(text.cuts(position) for position in (alignment.start, alignment.end))
    score = (1 - weight) * whole + weight * worst - cuts * _CUT_COST / len(query.plain)
    if _wrong_code(spelled, costs, text, alignment):
        score = min(score, _WRONG_CODE)
    return float(max(0.0, score))


def _worst(spelled: Sequence[str], costs: NDArray[np.float64]) -> float:
    telling = [index for index, word in enumerate(spelled) if word not in _GLUE] or range(len(spelled))
    return min(max(0.0, 1 - _WORD_COST * float(costs[index]) / len(spelled[index])) for index in telling)


def _wrong_code(
    spelled: Sequence[str], costs: NDArray[np.float64], text: _Letters, alignment: _Alignment
) -> bool:
    """Whether a word with digits was read otherwise than asked, or is part of a longer number."""
    for word, cost in zip(spelled, costs, strict=True):
        if any(character.isdigit() for character in word) and cost >= 1:
            return True
    ends = [position for position in (alignment.start, alignment.end) if text.cuts(position)]
    return any(text.plain[position - 1].isdigit() for position in ends)


def _align(query: _Letters, text: _Letters) -> _Alignment:
    """Lay the query into the text at the least cost (Sellers 1980), with free ends of the text."""
    substitution = _substitution(query.plain, text.plain)
    rows, columns = substitution.shape
    table = np.zeros((rows + 1, columns + 1))
    steps = np.arange(columns + 1)
    for row in range(1, rows + 1):
        direct = table[row - 1] + 1
        direct[1:] = np.minimum(direct[1:], table[row - 1, :-1] + substitution[row - 1])
        table[row] = np.minimum.accumulate(direct - steps) + steps
    end = _best_end(table[-1], text)
    return _trace(table, substitution, query, end)


def _best_end(last: NDArray[np.float64], text: _Letters) -> int:
    """The end of the cheapest place; among equals one at the end of a word."""
    cheapest = np.flatnonzero(last <= last.min() + 1e-9)
    return int(min(cheapest, key=lambda position: text.cuts(int(position))))


def _trace(
    table: NDArray[np.float64], substitution: NDArray[np.float64], query: _Letters, end: int
) -> _Alignment:
    costs = [0.0] * (query.words[-1] + 1)
    row, column = len(query.plain), end
    while row:
        word = query.words[row - 1]
        here = table[row, column]
        if column and abs(table[row - 1, column - 1] + substitution[row - 1, column - 1] - here) < 1e-9:
            costs[word] += float(substitution[row - 1, column - 1])
            row, column = row - 1, column - 1
        elif abs(table[row - 1, column] + 1 - here) < 1e-9:
            costs[word] += 1
            row -= 1
        else:
            costs[word] += 1
            column -= 1
    return _Alignment(column, end, tuple(costs))


def _substitution(query: str, text: str) -> NDArray[np.float64]:
    known: dict[tuple[str, str], float] = {}
    for a in set(query):
        for b in set(text):
            known[a, b] = 0.0 if a == b else _LOOKALIKE_COST if frozenset((a, b)) in _LOOKALIKES else 1.0
    return np.array([[known[a, b] for b in text] for a in query])


def _touched(group: Sequence[TextLine], letters: Sequence[_Letters], start: int, end: int) -> list[TextLine]:
    touched: list[TextLine] = []
    position = 0
    for line, part in zip(group, letters, strict=True):
        following = position + len(part.plain)
        if position < end and following > start:
            touched.append(line)
        position = following
    return touched or list(group[:1])


def _union(boxes: Sequence[Box]) -> Box:
    array = np.array(boxes)
    left, top = array[:, :2].min(axis=0)
    right, bottom = array[:, 2:].max(axis=0)
    return int(left), int(top), int(right), int(bottom)
