"""Trains the classifier of `signals` that says whether a question is about text on screen, and says how good it is.

`python -m benchmarks.question_kinds` learns from `benchmarks/data/question_kinds/text.txt` and the files beside it,
whose questions are about something else; one question a line, with `QUOTED` for a text in quotation marks. It prints
what five models say of the questions that each has not learned from (neighbouring lines, which are about one topic, are
left out together), and writes `about_text.npz` from all questions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidagent.agents.signals.language.about_text import BUCKETS, WEIGHTS, features

DATA = Path(__file__).parent / "data" / "question_kinds"
_PARTS = 5
_WEIGHT_DECAY = 0.3
_SHARPNESS = 6.0
"""What makes probabilities of the scores that are as sure as they are right."""
_SURE = (0.2, 0.4, 0.5, 0.6, 0.7, 0.8)

Floats = NDArray[np.float32]


def questions() -> tuple[list[str], NDArray[np.bool_]]:
    """Return the questions in lower case, and which are about text."""
    rows = [
        (" ".join(line.casefold().split()), path.stem == "text")
        for path in sorted(DATA.glob("*.txt"))
        for line in path.read_text("utf-8").splitlines()
    ]
    return [question for question, _ in rows], np.array([text for _, text in rows])


def inputs(texts: list[str]) -> Floats:
    """Return a row of features for each question."""
    rows = np.zeros((len(texts), BUCKETS), np.float32)
    for row, text in zip(rows, texts, strict=True):
        found = features(text)
        row[found] = 1 / np.sqrt(len(found))
    return rows


def trained(likeness: Floats, right: NDArray[np.bool_]) -> Floats:
    """Return what each question weighs: a ridge regression in its dual form.

    Args:
        likeness: Products of the rows of features with each other.
        right: Which questions are about text.
    """
    decay = _WEIGHT_DECAY * np.eye(len(right), dtype=np.float32)
    return _SHARPNESS * np.linalg.solve(likeness + decay, right - 0.5).astype(np.float32)


def unseen(likeness: Floats, right: NDArray[np.bool_]) -> Floats:
    """Return the probability of each question by a model that has not learned from it or its neighbours."""
    part = np.concatenate([np.arange(n) * _PARTS // n for n in (np.sum(~right), np.sum(right))])
    part = part[np.argsort(np.argsort(right, kind="stable"), kind="stable")]
    chances = np.zeros(len(right), np.float32)
    for number in range(_PARTS):
        known, new = part != number, part == number
        chances[new] = likeness[np.ix_(new, known)] @ trained(likeness[np.ix_(known, known)], right[known])
    return (1 / (1 + np.exp(-chances))).astype(np.float32)


def main() -> None:
    """Print how good the classifier is, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-check", action="store_true", help="only write the file")
    given = parser.parse_args()
    texts, right = questions()
    rows = inputs(texts)
    likeness = rows @ rows.T
    if not given.no_check:
        chances = unseen(likeness, right)
        print(f"{len(texts)} questions, {right.mean():.0%} about text")
        print("| sure from | of those about text | of the others |\n|---|---|---|")
        for least in _SURE:
            print(
                f"| {least} | {(chances >= least)[right].mean():.1%} | {(chances >= least)[~right].mean():.1%} |"
            )
    weights = rows.T @ trained(likeness, right)
    scale = np.float32(np.abs(weights).max() / 127)
    np.savez_compressed(WEIGHTS, weights=np.round(weights / scale).astype(np.int8), scale=scale)
    print(f"{WEIGHTS.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
