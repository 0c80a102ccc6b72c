"""The two scores in a judge's reply, and their averages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Pair = tuple[float, float]
"""The score of the first answer, and of the second."""

_LINES = 3
"""Lines of a reply that are searched for the scores, without empty ones."""
_MOST = 10.0
_NAMES = r"\b(?:assistant|answer|response|model|{role})\s*(?:[12ab]\b|one\b|two\b)"
_OUT_OF = re.compile(r"\s*(?:/|out of)\s*10\b(?:\.0)?", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")


def read_scores(reply: str, role: str = "Assistant") -> Pair | None:
    """Return the scores of the first line that holds two, such as `8 9`, `8/10, 9/10` or `Assistant 1: 8, …`.

    Returns:
        The scores in the order asked about, or None where there are none from 0 to 10 near the beginning.
    """
    names = re.compile(_NAMES.format(role=re.escape(role)), re.IGNORECASE)
    lines = [line for line in reply.splitlines() if line.strip()]
    for line in lines[:_LINES]:
        bare = _OUT_OF.sub(" ", names.sub(" ", line))
        numbers = [float(number) for number in _NUMBER.findall(bare)]
        if len(numbers) == 2 and all(0 <= number <= _MOST for number in numbers):
            return numbers[0], numbers[1]
    return None


def averaged(straight: Pair, swapped: Pair) -> Pair:
    """Return the scores over both orders; `swapped` has the second answer first, as the judge saw it."""
    return (straight[0] + swapped[1]) / 2, (straight[1] + swapped[0]) / 2


def table(reviews: Iterable[Mapping[str, Any]], *, ratio: bool = False) -> list[str]:
    """Return a line for each category and for `all`, in the order of their names.

    Args:
        reviews: Lines of review files: with `category` and `tuple`; without a category they count to `all` alone.
        ratio: Also say the second score in percent of the first, which is what LLaVA's script prints.
    """
    scores: dict[str, list[Sequence[float]]] = {}
    for review in reviews:
        for name in ("all", review.get("category")):
            if name is not None:
                scores.setdefault(name, []).append(review["tuple"])
    return [_line(name, pairs, ratio=ratio) for name, pairs in sorted(scores.items())]


def _line(name: str, pairs: Sequence[Sequence[float]], *, ratio: bool) -> str:
    first, second = (round(sum(pair[place] for pair in pairs) / len(pairs), 3) for place in (0, 1))
    told = f"{name} {round(first * 10, 1)} {round(second * 10, 1)}"
    if not ratio:
        return told
    return f"{told} {round(second / first * 100, 1) if first else '–'}"
