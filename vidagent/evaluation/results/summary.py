"""Summary of the results: scores with intervals, by category, both modes compared, and costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vidagent.evaluation.results.statistics import Interval, bootstrap, mcnemar, wilson
from vidagent.evaluation.runner import COSTS, MODES, Mode

Line = Mapping[str, Any]
RECALLS = (0.3, 0.5, 0.7)
"""Overlaps of R@1, as Charades-STA and QVHighlights are reported."""


@dataclass(frozen=True, slots=True)
class Score:
    """Questions asked in one mode.

    Args:
        questions: How many.
        abstained: How many got no answer.
        errors: How many failed; they count as not right.
        accuracy: Share that is right, of all.
        miou: Mean overlap over the questions about ranges, 0 where no range was given; None if there are none.
        recall: Share of these whose overlap is at least so much.
    """

    questions: int
    abstained: int
    errors: int
    accuracy: Interval
    miou: Interval | None
    recall: Mapping[float, Interval]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        told: dict[str, Any] = {
            "questions": self.questions,
            "abstained": self.abstained,
            "errors": self.errors,
            "accuracy": self.accuracy.to_dict(),
        }
        if self.miou is not None:
            told["miou"] = self.miou.to_dict()
            told["recall"] = {f"{least:g}": share.to_dict() for least, share in self.recall.items()}
        return told


@dataclass(frozen=True, slots=True)
class Compared:
    """The agent against the direct call, over the questions that both were asked.

    Args:
        questions: How many.
        only_agent: How many only the agent got right.
        only_direct: How many only the direct call got right.
        p: How likely so uneven a split is by chance (exact McNemar test).
        accuracy: Difference of the accuracies, the agent's less the other's; bootstrap over the questions.
        miou: Difference of the mean overlaps, likewise; None without questions about ranges.
    """

    questions: int
    only_agent: int
    only_direct: int
    p: float
    accuracy: Interval
    miou: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "questions": self.questions,
            "only_agent": self.only_agent,
            "only_direct": self.only_direct,
            "p": round(self.p, 6),
            "accuracy": self.accuracy.to_dict(),
            **({} if self.miou is None else {"miou": self.miou.to_dict()}),
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole evaluation.

    Args:
        setting: Benchmark, model and frames.
        scores: Of each way: under `""` all questions, under a category its values.
        costs: Of each way: the mean of a question, by name.
        compared: Both ways compared, where both were asked.
        missing: Videos that are not in the folder, and how many questions are about each.
        unanswered: Questions left out as their right answer is not known.
    """

    setting: Mapping[str, Any]
    scores: Mapping[Mode, Mapping[str, Mapping[str, Score]]]
    costs: Mapping[Mode, Mapping[str, float]]
    compared: Compared | None
    missing: Mapping[str, int]
    unanswered: int

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            **self.setting,
            "modes": {mode: self._mode(mode) for mode in self.scores},
            "compared": None if self.compared is None else self.compared.to_dict(),
            "missing_videos": {"questions": sum(self.missing.values()), "videos": dict(self.missing)},
            "without_answer": self.unanswered,
        }

    def _mode(self, mode: Mode) -> dict[str, Any]:
        by = {
            name: {value: score.to_dict() for value, score in values.items()}
            for name, values in self.scores[mode].items()
            if name
        }
        return {"all": self.scores[mode][""]["all"].to_dict(), "by": by, "cost": dict(self.costs[mode])}


def add_up(
    lines: Sequence[Line], setting: Mapping[str, Any], missing: Mapping[str, int], unanswered: int
) -> Summary:
    """Sum up lines of results; there is at least one."""
    by_mode: dict[Mode, list[Line]] = {
        mode: [line for line in lines if line["mode"] == mode] for mode in MODES
    }
    asked = {mode: known for mode, known in by_mode.items() if known}
    return Summary(
        setting=setting,
        scores={mode: _scores(known) for mode, known in asked.items()},
        costs={mode: _costs(known) for mode, known in asked.items()},
        compared=_compared(by_mode["direct"], by_mode["agent"]),
        missing=missing,
        unanswered=unanswered,
    )


def _scores(lines: Sequence[Line]) -> dict[str, dict[str, Score]]:
    scores = {"": {"all": _score(lines)}}
    for name in dict.fromkeys(name for line in lines for name in line["categories"]):
        values = dict.fromkeys(value for line in lines for value in line["categories"].get(name, ()))
        scores[name] = {
            value: _score([line for line in lines if value in line["categories"].get(name, ())])
            for value in sorted(values)
        }
    return scores


def _score(lines: Sequence[Line]) -> Score:
    overlaps = [line["iou"] for line in lines if "iou" in line]
    recall = {
        least: wilson(sum(iou >= least for iou in overlaps), len(overlaps)) for least in RECALLS if overlaps
    }
    return Score(
        questions=len(lines),
        abstained=_count(lines, "abstained"),
        errors=_count(lines, "error"),
        accuracy=wilson(_count(lines, "right"), len(lines)),
        miou=bootstrap(overlaps) if overlaps else None,
        recall=recall,
    )


def _costs(lines: Sequence[Line]) -> dict[str, float]:
    known = [line["cost"] for line in lines if "cost" in line]
    return {name: round(sum(cost[name] for cost in known) / len(known), 3) for name in COSTS if known}


def _compared(direct: Iterable[Line], agent: Iterable[Line]) -> Compared | None:
    first = {line["id"]: line for line in direct}
    pairs = [(first[line["id"]], line) for line in agent if line["id"] in first]
    if not pairs:
        return None
    right = [(one["mark"] == "right", other["mark"] == "right") for one, other in pairs]
    only_direct, only_agent = right.count((True, False)), right.count((False, True))
    overlaps = [other["iou"] - one["iou"] for one, other in pairs if "iou" in one and "iou" in other]
    return Compared(
        questions=len(pairs),
        only_agent=only_agent,
        only_direct=only_direct,
        p=mcnemar(only_direct, only_agent),
        accuracy=bootstrap([float(other) - float(one) for one, other in right]),
        miou=bootstrap(overlaps) if overlaps else None,
    )


def _count(lines: Sequence[Line], mark: str) -> int:
    return sum(line["mark"] == mark for line in lines)
