"""What became of all lines: how many were answered, what that cost, and the exit code that says it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from rich.table import Table

from vidagent.serve.batch.output_file import Result

OUTCOMES = ("answered", "not_found", "cannot_judge", "partial", "video", "model", "usage", "internal")
"""The statuses of answers, then the types of errors."""
_ANSWERS = 4
_UNSURE = "unsure"
"""Column of the answers that are `cannot_judge`, left out where there is none."""
_ERROR_CODES = {"internal": 1, "model": 4, "video": 3, "usage": 2}
"""The gravest first: one of these makes it the exit code."""
_PARTIAL_CODE = 5
_COSTS = ("seconds", "prompt_tokens", "completion_tokens", "model_calls", "frames_sent")
_HEADS = (
    "answered",
    "not found",
    "unsure",
    "partial",
    "errors",
    "calls",
    "tokens",
    "frames",
    "seconds",
)
_ALL, _NONE = "all", "-"


def outcome(result: Mapping[str, Any]) -> str:
    """Return how a line ended: an answer's status, or an error's type."""
    error = result.get("error")
    return str(error["type"] if error else result["answer"]["status"])


@dataclass
class Tally:
    """Lines of one category, counted.

    Args:
        outcomes: How they ended.
        costs: What they cost in all: seconds of the runs, tokens, calls, frames.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    costs: Counter[str] = field(default_factory=Counter)

    def add(self, result: Result) -> None:
        """Count a line."""
        self.outcomes[outcome(result)] += 1
        usage = result["answer"]["usage"] if "error" not in result else {}
        for name in _COSTS:
            self.costs[name] += usage.get(name, 0)

    @property
    def lines(self) -> int:
        """How many there are."""
        return self.outcomes.total()

    @property
    def errors(self) -> int:
        """How many ended in an error."""
        return sum(self.outcomes[name] for name in _ERROR_CODES)

    @property
    def tokens(self) -> int:
        """Tokens sent and generated."""
        return self.costs["prompt_tokens"] + self.costs["completion_tokens"]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        outcomes = {name: self.outcomes[name] for name in OUTCOMES[:_ANSWERS]}
        errors = {name: self.outcomes[name] for name in OUTCOMES[_ANSWERS:]}
        costs = {name: round(self.costs[name], 3) for name in _COSTS}
        return {"lines": self.lines, **outcomes, "errors": errors, **costs}

    def cells(self) -> list[str]:
        """Return its row of the table."""
        counts = [self.outcomes[name] for name in OUTCOMES[:_ANSWERS]]
        numbers = [*counts, self.errors, self.costs["model_calls"], self.tokens, self.costs["frames_sent"]]
        return [f"{number:,}" for number in numbers] + [f"{self.costs['seconds']:,.1f}"]


@dataclass
class Summary:
    """All lines of the output, by category.

    Args:
        all: All of them.
        categories: Those of each category, in the order in which they were met.
    """

    all: Tally = field(default_factory=Tally)
    categories: dict[str, Tally] = field(default_factory=dict)

    @classmethod
    def of(cls, results: Iterable[Result]) -> Summary:
        """Count lines."""
        summary = cls()
        for result in results:
            summary.all.add(result)
            category = result.get("category")
            name = _NONE if category is None else str(category)
            summary.categories.setdefault(name, Tally()).add(result)
        return summary

    @property
    def exit_code(self) -> int:
        """0 if all are answered or not found, 5 if budgets ended some, else the code of the gravest error."""
        for name, code in _ERROR_CODES.items():
            if self.all.outcomes[name]:
                return code
        return _PARTIAL_CODE if self.all.outcomes["partial"] else 0

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        by_category = {name: tally.to_dict() for name, tally in self._rows() if name != _ALL}
        return {**self.all.to_dict(), "by_category": by_category}

    def table(self) -> Table:
        """Return it as a table for people."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("category")
        shown = [head != _UNSURE or self.all.outcomes["cannot_judge"] > 0 for head in _HEADS]
        for head in compress(_HEADS, shown):
            table.add_column(head, justify="right")
        for name, tally in self._rows():
            table.add_row(name, *compress(tally.cells(), shown))
        return table

    def _rows(self) -> Iterator[tuple[str, Tally]]:
        yield _ALL, self.all
        if set(self.categories) - {_NONE}:
            yield from sorted(self.categories.items(), key=lambda row: row[0] == _NONE)
