"""Scoring: a prediction against the right answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vidagent.evaluation.formats.item import Truth
from vidagent.types import Answer, Span, Status

Mark = Literal["right", "wrong", "abstained", "error"]

RIGHT_IOU = 0.5
"""Overlap from which a span without a tolerance is correct, as in the usual R@1, IoU = 0.5."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was answered.

    Args:
        status: As in `Answer`.
        text: The answer in words.
        choice: Index of the chosen option.
        spans: Where it is; the first counts.
        count: The number, for counting questions.
    """

    status: Status
    text: str
    choice: int | None = None
    spans: tuple[Span, ...] = ()
    count: int | None = None

    @classmethod
    def of(cls, answer: Answer) -> Prediction:
        """Return the prediction of an answer."""
        return cls(answer.status, answer.answer, answer.choice, answer.spans, answer.count)

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Prediction:
        """Return the prediction in the JSON of an answer."""
        spans = tuple(Span(span["start_s"], span["end_s"]) for span in answer["spans"])
        return cls(answer["status"], answer["answer"], answer["choice"], spans, answer["count"])

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, by the names of the answer's JSON."""
        spans = [{"start_s": round(span.start_s, 6), "end_s": round(span.end_s, 6)} for span in self.spans]
        return {
            "status": self.status,
            "answer": self.text,
            "choice": self.choice,
            "spans": spans,
            "count": self.count,
        }

    @property
    def claims(self) -> bool:
        """Whether something is claimed, also by a run that a budget ended."""
        told = bool(self.spans) or self.choice is not None or self.count is not None
        return self.status == "answered" or (self.status == "partial" and told)


@dataclass(frozen=True, slots=True)
class Marked:
    """An answer's mark.

    Args:
        mark: How it is judged; an abstention is right where there is nothing to be found.
        iou: Overlap of its first range with the nearest true one, for questions about a range; 0 without a range.
        off_s: The larger error of the edges, where a time was asked for and given.
    """

    mark: Mark
    iou: float | None = None
    off_s: float | None = None


def mark(truth: Truth, said: Prediction) -> Marked:
    """Score a prediction."""
    if truth.kind == "absent":
        unsure = said.status == "cannot_judge"
        return Marked("wrong" if said.claims else "abstained" if unsure else "right")
    if truth.kind in {"span", "instant"}:
        return _placed(truth, said)
    if not said.claims:
        return Marked("abstained")
    if truth.kind == "choice":
        return Marked("abstained" if said.choice is None else _judged(said.choice == truth.choice))
    if truth.kind == "count":
        return Marked(_judged(str(said.count) == truth.text))
    return Marked(_judged(_plain(truth.text or "") in _plain(said.text)))


def iou(span: Span, others: Sequence[Span]) -> float:
    """Return the best intersection over union with any of the others."""
    return max((_overlap(span, other) for other in others), default=0.0)


def _overlap(one: Span, other: Span) -> float:
    common = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    union = max(one.end_s, other.end_s) - min(one.start_s, other.start_s)
    return max(0.0, common) / union if union > 0 else 1.0


def _placed(truth: Truth, said: Prediction) -> Marked:
    ranged = truth.kind == "span"
    if not said.claims or not said.spans:
        return Marked("abstained", iou=0.0 if ranged else None)
    span = said.spans[0]
    overlap = iou(span, truth.spans) if ranged else None
    if truth.tolerance_s is None:
        return Marked(_judged((overlap or 0.0) >= RIGHT_IOU), overlap)
    off_s = min(_off_s(span, true, ranged=ranged) for true in truth.spans)
    return Marked(_judged(off_s <= truth.tolerance_s), overlap, off_s)


def _off_s(span: Span, true: Span, *, ranged: bool) -> float:
    if ranged:
        return max(abs(span.start_s - true.start_s), abs(span.end_s - true.end_s))
    return max(0.0, true.start_s - span.start_s, span.start_s - true.end_s)


def _judged(right: bool) -> Mark:
    return "right" if right else "wrong"


def _plain(text: str) -> str:
    return re.sub(r"\W|_", "", text.casefold())
