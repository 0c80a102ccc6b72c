"""Marks: each answer against the truth, and sums over answers by method, duration and kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from benchmarks.long_video import FPS
from benchmarks.needle_methods import Said
from benchmarks.needle_videos import Question
from vidagent.agents.signals.language.matching import normal

Mark = Literal["found", "missed", "wrong", "abstained", "rejected", "false claim"]
"""`missed` says that it is not there; `rejected` says so rightly; `wrong` names another place, text or number."""

_SLACK_S = 1.5 / FPS


@dataclass(frozen=True)
class Marked:
    """A question that was asked in one way.

    Args:
        duration_s: Length of the video, as asked for.
        seed: What the video was drawn from.
        method: How it was asked.
        question: The question.
        said: What was said.
        mark: How it is judged.
        off_frames: The larger error of start and end in frames, where a place was found.
    """

    duration_s: float
    seed: int
    method: str
    question: Question
    said: Said
    mark: Mark
    off_frames: float | None


@dataclass(frozen=True)
class Sum:
    """What many answers come to.

    Args:
        events: Questions about something that is there.
        found: Those answered rightly.
        wrong: Those answered wrongly.
        abstained: Those that the model said it cannot judge.
        off_frames: Median error of the places found, in frames.
        absent: Questions about what is not there.
        false_claims: Those answered all the same.
        frames: Median of pictures sent.
        most_frames: The most pictures sent for a question.
        tokens: Median of prompt tokens.
        seconds: Median of seconds.
    """

    events: int
    found: int
    wrong: int
    abstained: int
    off_frames: float | None
    absent: int
    false_claims: int
    frames: float
    most_frames: int
    tokens: float
    seconds: float


def mark(question: Question, said: Said) -> tuple[Mark, float | None]:
    """Judge an answer; for a place that was found, also return how many frames it is off."""
    if question.wants == "nothing":
        return ("false claim" if said.found else "rejected"), None
    if said.found is None:
        return "abstained", None
    if question.wants == "count" and said.count is not None:
        return ("found" if str(said.count) == question.answer else "wrong"), None
    if not said.found:
        return "missed", None
    if question.wants == "text":
        return ("found" if _says(said.text, question.answer or "") else "wrong"), None
    return _placed(question, said)


def _says(said: str, wanted: str) -> bool:
    """Tell whether words of what was said are the text wanted, no letter more or less."""
    words = [normal(word) for word in said.split()]
    runs = (words[first:last] for first in range(len(words)) for last in range(first + 1, len(words) + 1))
    return any("".join(run) == normal(wanted) for run in runs)


def _placed(question: Question, said: Said) -> tuple[Mark, float | None]:
    if said.start_s is None or said.end_s is None or question.start_s is None or question.end_s is None:
        return "missed", None
    if said.start_s > question.end_s + _SLACK_S or said.end_s < question.start_s - _SLACK_S:
        return "wrong", None
    off_s = max(abs(said.start_s - question.start_s), abs(said.end_s - question.end_s))
    return "found", round(off_s * FPS, 2)


def add_up(answers: Iterable[Marked]) -> Sum:
    """Sum up some answers."""
    known = list(answers)
    there = [one for one in known if one.question.wants != "nothing"]
    off = [one.off_frames for one in there if one.off_frames is not None]
    return Sum(
        events=len(there),
        found=_count(there, "found"),
        wrong=_count(there, "wrong"),
        abstained=_count(there, "abstained"),
        off_frames=median(off) if off else None,
        absent=len(known) - len(there),
        false_claims=_count(known, "false claim"),
        frames=median(one.said.frames for one in known),
        most_frames=max(one.said.frames for one in known),
        tokens=median(one.said.tokens for one in known),
        seconds=median(one.said.seconds for one in known),
    )


def _count(answers: Sequence[Marked], wanted: Mark) -> int:
    return sum(one.mark == wanted for one in answers)
