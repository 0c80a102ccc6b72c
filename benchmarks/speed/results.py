"""What a run of the benchmarks found: where and with what, as JSON, as a plot, and as a section of RESULTS.md."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed.turns import Table

_PACKAGES = (
    "vidagent",
    "av",
    "decord",
    "torchcodec",
    "opencv-python-headless",
    "numpy",
    "langgraph",
    "langchain-core",
)
_BEGIN, _END = "<!-- speed: {} -->", "<!-- /speed: {} -->"
_DPI = 90


@dataclass(frozen=True)
class Found:
    """The tables of one benchmark.

    Args:
        name: Name of the benchmark.
        about: What it measures.
        command: The command that made it.
        tables: Its tables.
        seconds: How long it took.
    """

    name: str
    about: str
    command: str
    tables: Sequence[Table]
    seconds: float

    def markdown(self) -> str:
        """Return the section as Markdown."""
        head = (
            f"### {self.name}\n\n`{self.command}`, {datetime.now(UTC):%Y-%m-%d}; {machine()}\n\n{self.about}"
        )
        return "\n\n".join([head, *(table.markdown() for table in self.tables)])

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        tables = [table.to_dict() for table in self.tables]
        return {"name": self.name, "command": self.command, "seconds": self.seconds, "tables": tables}


def machine() -> str:
    """Say where and with what this runs."""
    load = os.getloadavg()[0]
    busy = " (busy with other work: read the ratios only)" if load > (os.cpu_count() or 1) else ""
    system = f"{_processor()}, {len(os.sched_getaffinity(0))} cores, load {load:.1f}{busy}"
    packages = ", ".join(f"{name} {found}" for name in _PACKAGES if (found := _version(name)))
    return f"{system}, Python {platform.python_version()}, {packages}"


def write_json(path: Path, found: Sequence[Found]) -> None:
    """Write all that was found, with the machine, as one JSON object."""
    told = {"machine": machine(), "benchmarks": [one.to_dict() for one in found]}
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def rewrite(path: Path, found: Sequence[Found]) -> None:
    """Put the sections of the benchmarks that were run in place of their older ones; others stay.

    Raises:
        ValueError: If the file has no place for one of them.
    """
    text = path.read_text(encoding="utf-8")
    for one in found:
        begin, end = _BEGIN.format(one.name), _END.format(one.name)
        place = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        section = f"{begin}\n{one.markdown()}\n{end}"
        text, count = place.subn(lambda _, section=section: section, text)
        if count != 1:
            raise ValueError(
                f"{path} has {count} places for the benchmark {one.name}, wanted 1: {begin} … {end}"
            )
    path.write_text(text, encoding="utf-8")


def plot(path: Path, found: Sequence[Found]) -> None:
    """Draw the median ratios of each table that compares, with their spread.

    Raises:
        ImportError: If matplotlib is missing.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    tables = [table for one in found for table in one.tables if table.base]
    figure = pyplot.figure(figsize=(9, 2.5 * max(1, len(tables))), layout="constrained")
    for number, table in enumerate(tables, 1):
        rows = [row for row in table.rows if row.base]
        axes = figure.add_subplot(len(tables), 1, number)
        middles = [median(row.ratios) for row in rows]
        spread = [
            [middle - min(row.ratios) for middle, row in zip(middles, rows, strict=True)],
            [max(row.ratios) - middle for middle, row in zip(middles, rows, strict=True)],
        ]
        bars = axes.barh([row.what for row in rows], middles, xerr=spread)
        axes.bar_label(bars, fmt="%.2f", padding=4, fontsize=7)
        axes.axvline(1.0, color="black", linewidth=0.8)
        axes.set_title(f"{table.title}: × {table.base}", fontsize=9)
        axes.invert_yaxis()
        axes.margins(x=0.12)
    figure.savefig(path, dpi=_DPI)
    pyplot.close(figure)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    named = (
        re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.exists() else None
    )
    return named[1] if named else platform.machine()
