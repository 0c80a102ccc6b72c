"""A benchmark's question with its right answer, in any format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from vidagent.types import Span

Kind = Literal["choice", "span", "instant", "count", "text", "absent"]


@dataclass(frozen=True, slots=True)
class Truth:
    """The right answer.

    Args:
        kind: What has to be right: an option, a range or an instant, a number, a text, or that there is nothing.
        choice: Index of the right option.
        spans: The right ranges; an answer need only match one.
        tolerance_s: How far an edge may be off; None where ranges are scored by their overlap (IoU) alone.
        text: The right text, or number in digits.
    """

    kind: Kind
    choice: int | None = None
    spans: tuple[Span, ...] = ()
    tolerance_s: float | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A question.

    Args:
        id: Its name, unique in the file.
        video: The video's name as the benchmark gives it, with or without suffix and folders.
        question: What is asked.
        truth: The right answer.
        options: The answers to choose from, without letters before them.
        categories: What the benchmark sorts it under, such as `{"duration": ("short",)}`.
    """

    id: str
    video: str
    question: str
    truth: Truth
    options: tuple[str, ...] | None = None
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What a file holds.

    Args:
        name: The format's name, such as `videomme`.
        items: The questions whose right answer is known.
        unanswered: How many questions were left out, as the file does not tell their right answer.
    """

    name: str
    items: tuple[Item, ...]
    unanswered: int = 0
