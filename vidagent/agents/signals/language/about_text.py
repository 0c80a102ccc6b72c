"""Whether a question is about text on screen: a linear classifier over hashed words, pairs of words, and their parts.

`benchmarks/question_kinds.py` trains it and writes `about_text.npz`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

BUCKETS: Final = 8192
WEIGHTS: Final = Path(__file__).with_name("about_text.npz")
_PART_LENGTHS = (3, 4, 5)
_NUMBER = re.compile(r"\d[\d:.]*")
_WORD = re.compile(r"[^\W\d_']+(?:'[^\W\d_]+)?|0|\?")


def about_text(low: str) -> float:
    """Return the probability that a question is about text on screen.

    Args:
        low: The question in lower case, with quoted texts replaced by `quoted`.
    """
    found = features(low)
    return float(1 / (1 + np.exp(-_weights()[found].sum() / np.sqrt(len(found)))))


def features(low: str) -> NDArray[np.int64]:
    """Return the buckets that the words and parts of words of a question fall into, each once."""
    return np.unique([zlib.crc32(part.encode()) % BUCKETS for part in _parts(low)])


def _parts(low: str) -> Iterator[str]:
    words = ["^", *_WORD.findall(_NUMBER.sub("0", low)), "$"]
    yield from words
    yield from (f"{one} {other}" for one, other in pairwise(words))
    for word in words[1:-1]:
        marked = f"<{word}>"
        for length in _PART_LENGTHS:
            yield from (f"#{marked[at : at + length]}" for at in range(len(marked) - length + 1))


@cache
def _weights() -> NDArray[np.float32]:
    with np.load(WEIGHTS) as file:
        return cast(NDArray[np.float32], file["weights"] * file["scale"])
