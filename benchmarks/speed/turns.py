"""Several ways of doing one thing, measured in turn, and the tables of their medians, spreads and ratios."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Setting:
    """What the benchmarks are run on.

    Args:
        folder: Folder for drawn videos and caches.
        rounds: How often each way is measured.
        length_s: Length of the drawn video.
        size_wh: Its size.
        at_once: Numbers of questions at once.
        video: A video to use in place of the drawn one.
    """

    folder: Path
    rounds: int
    length_s: float
    size_wh: tuple[int, int]
    at_once: tuple[int, ...]
    video: Path | None = None


@dataclass(frozen=True)
class Row:
    """One thing measured in each round.

    Args:
        what: What was measured.
        values: Its value in each round.
        base: The values that it is compared with, of the same rounds; none if it is compared with nothing.
        note: Whatever else is to be known of it.
    """

    what: str
    values: Sequence[float]
    base: Sequence[float] = ()
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        """Return its value over the base, round by round."""
        return [value / base for value, base in zip(self.values, self.base, strict=True)] if self.base else []

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        told: dict[str, Any] = {"what": self.what, "values": list(self.values), "median": median(self.values)}
        if self.base:
            told |= {"ratios": self.ratios, "ratio": median(self.ratios)}
        return {**told, "note": self.note} if self.note else told


@dataclass(frozen=True)
class Table:
    """Rows of one unit.

    Args:
        title: What the rows are about.
        unit: Unit of their values.
        rows: The rows.
        base: What ratios compare with; empty if nothing is compared.
    """

    title: str
    unit: str
    rows: Sequence[Row]
    base: str = ""

    def markdown(self) -> str:
        """Return the table as Markdown."""
        ratio = [f"× {self.base}", "least to most"] if self.base else []
        notes = ["note"] if any(row.note for row in self.rows) else []
        head = [self.title, self.unit, "least to most", *ratio, *notes]
        lines = [head, ["---", *["---:"] * (2 + len(ratio)), *["---"] * len(notes)]]
        for row in self.rows:
            cells = [row.what, *_spread(row.values)]
            if ratio:
                cells += _spread(row.ratios) if row.base else ["", ""]
            lines.append([*cells, row.note] if notes else cells)
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        rows = [row.to_dict() for row in self.rows]
        return {"title": self.title, "unit": self.unit, "base": self.base, "rows": rows}


def _spread(values: Sequence[float]) -> list[str]:
    least_to_most = f"{_short(min(values))} to {_short(max(values))}" if len(values) > 1 else ""
    return [_short(median(values)), least_to_most]


def _short(value: float) -> str:
    """Write a number with three digits, and all digits of a larger whole part."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def in_turn(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Measure each way once a round; each round begins with another one."""
    values: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            values[name].append(ways[name]())
    return values


def compared(values: Mapping[str, Sequence[float]], base: str) -> list[Row]:
    """Return a row for each way, compared with the way named `base`."""
    return [Row(name, some, values[base] if name != base else ()) for name, some in values.items()]


def wall_s(work: Callable[[], object]) -> float:
    """Do something and return the seconds that it took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
