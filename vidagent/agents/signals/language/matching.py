"""Search for a text in OCR lines: strict about words and digits, lenient about misreadings."""

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
"""Minimum similarity at which a text counts as found.

With the weights below, a word of seven letters or more may have one wrong letter (1 - 1.25 / 7 = 0.82), a shorter one
only look-alikes: `tasks` does not match `tabs`, nor `fast` `last`. A text of seven letters or more may begin or end
inside a run of letters (a space that was not read), a shorter one may not: `Chrome` against `Chromebook` is 0.8.
"""

_LOOKALIKES: Final = frozenset(frozenset(pair) for pair in ("0o", "1l", "1i", "il", "5s", "8b", "2z"))
_LOOKALIKE_COST: Final = 0.1
_WORD_COST: Final = 1.5
_CUT_COST: Final = 1.2
_WRONG_CODE: Final = 0.5
"""Maximum similarity if a word with a digit is not read exactly: 7421 and 7427 are two codes, not a misreading."""
_FUNCTION_WORDS: Final = frozenset(["a", "an", "and", "at", "in", "is", "of", "on", "or", "the", "to"])
"""Words that OCR may miss without changing the text."""

_UNSPACED: Final = 0x2E80
"""First code point of the scripts written without spaces (CJK radicals onwards)."""

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Match:
    """The lines of an image most similar to the query.

    Args:
        score: Similarity from 0 to 1, to compare with `FOUND`.
        box: Bounding box of the lines, in pixels of the image.
        text: The lines as read.
    """

    score: float
    box: Box
    text: str

    @property
    def found(self) -> bool:
        """Whether the similarity reaches `FOUND`."""
        return self.score >= FOUND


@dataclass(frozen=True, slots=True)
class _Letters:
    """Letters and digits of a text; for each, whether it starts a word and the index of its word."""

    plain: str
    starts: tuple[bool, ...]
    words: tuple[int, ...]

    def cuts(self, position: int) -> bool:
        """Whether the place before `position` lies inside a word."""
        return 0 < position < len(self.plain) and not self.starts[position]


@dataclass(frozen=True, slots=True)
class _Alignment:
    """Position of the query in the letters of the text (`start:end`) and the edit cost of each query word."""

    start: int
    end: int
    costs: tuple[float, ...]


def normal(text: str) -> str:
    """Reduce a text to its letters and digits, without case, accents, spaces or punctuation."""
    return _letters(text).plain


def similarity(query: str, text: str) -> float:
    """Score how well `text`, or a part of it, matches `query`.

    Args:
        query: The text to search for.
        text: A text as read, misreadings included.

    Returns:
        From 0 (no match) to 1 (every letter); `FOUND` or more counts as found. A partial match scores in between.
    """
    return _locate(_letters(query), _letters(text))[0]


def find(query: str, lines: Sequence[TextLine]) -> Match | None:
    """Find the lines most similar to a text, which may span several neighbouring lines.

    Args:
        query: The text to search for.
        lines: Lines of one image.

    Returns:
        The best match, whatever its score (see `Match.found`), or None if nothing matches.
    """
    query_letters = _letters(query)
    best: Match | None = None
    for group in paragraphs(lines):
        letters = [_letters(line.text) for line in group]
        score, start, end = _locate(query_letters, _join(letters))
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
    """Return whether a word begins here: after a space, between letters and digits, or as in `newWord`."""
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
    significant = [index for index, word in enumerate(spelled) if word not in _FUNCTION_WORDS] or range(
        len(spelled)
    )
    return min(max(0.0, 1 - _WORD_COST * float(costs[index]) / len(spelled[index])) for index in significant)


def _wrong_code(
    spelled: Sequence[str], costs: NDArray[np.float64], text: _Letters, alignment: _Alignment
) -> bool:
    """Return whether a word with digits differs from the query, or is part of a longer number."""
    for word, cost in zip(spelled, costs, strict=True):
        if any(character.isdigit() for character in word) and cost >= 1:
            return True
    ends = [position for position in (alignment.start, alignment.end) if text.cuts(position)]
    return any(text.plain[position - 1].isdigit() for position in ends)


def _align(query: _Letters, text: _Letters) -> _Alignment:
    """Align the query with any part of the text at minimum cost (Sellers 1980)."""
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
    """Return the end of the cheapest alignment; prefer a word end among equals."""
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
