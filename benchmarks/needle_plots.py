"""Pictures of the results: what each method finds, and how frames and seconds grow with the length of the video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.needle_marks import Marked, Sum, add_up
from benchmarks.needle_tables import by_method, spoken

_DPI = 90


def plot(answers: Sequence[Marked], folder: Path) -> list[Path]:
    """Write the plots as PNG and return their paths: none without matplotlib (the `bench` extra), which is said."""
    try:
        import matplotlib as mpl
    except ImportError:
        print("no plots: matplotlib is missing (pip install 'vidagent[bench]')")
        return []
    mpl.use("Agg")
    from matplotlib import pyplot

    written = []
    for name, width, draw in (("needle_found", 9, _found), ("needle_growth", 9, _growth)):
        figure = pyplot.figure(figsize=(width, 4), layout="constrained")
        draw(figure, answers)
        written.append(folder / f"{name}.png")
        figure.savefig(written[-1], dpi=_DPI)
        pyplot.close(figure)
    return written


def _found(figure: Any, answers: Sequence[Marked]) -> None:  # noqa: ANN401 - matplotlib comes with an extra
    """Draw the share found and the median error in time, methods side by side, a colour for each length."""
    groups = {place: add_up(some) for place, some in by_method(answers).items()}
    methods = list(dict.fromkeys(method for method, _ in groups))
    lengths = sorted({length for _, length in groups})
    wide = 0.8 / len(lengths)
    for place, (title, value) in enumerate((("found, %", _share_found), ("median frames off", _off))):
        axes = figure.add_subplot(1, 2, place + 1)
        for number, length in enumerate(lengths):
            rows = [row for row, method in enumerate(methods) if (method, length) in groups]
            values = [value(groups[methods[row], length]) for row in rows]
            middles = [row + (number - (len(lengths) - 1) / 2) * wide for row in rows]
            known = [(middle, size) for middle, size in zip(middles, values, strict=True) if size is not None]
            bars = axes.barh([m for m, _ in known], [size for _, size in known], wide, label=spoken(length))
            axes.bar_label(bars, fmt="%.0f", padding=2, fontsize=7)
        axes.set_yticks(range(len(methods)), methods)
        axes.invert_yaxis()
        axes.set_xlabel(title)
        axes.margins(x=0.12)
    axes.set_xscale("symlog", linthresh=1)
    axes.legend(title="length", loc="lower right")


def _share_found(total: Sum) -> float | None:
    return 100 * total.found / total.events if total.events else None


def _off(total: Sum) -> float | None:
    return total.off_frames


def _growth(figure: Any, answers: Sequence[Marked]) -> None:  # noqa: ANN401 - matplotlib comes with an extra
    """Draw frames sent and seconds over the length, for the agent: the median and every question."""
    agent = [one for one in answers if one.method == "agent"]
    lengths = sorted({one.duration_s for one in agent})
    for place, name in enumerate(("frames", "seconds")):
        axes = figure.add_subplot(1, 2, place + 1)
        values = [float(getattr(one.said, name)) for one in agent]
        axes.scatter([one.duration_s for one in agent], values, s=10, alpha=0.4, label="each question")
        sums = [add_up([one for one in agent if one.duration_s == length]) for length in lengths]
        axes.plot(lengths, [getattr(total, name) for total in sums], "o-", color="C1", label="median")
        axes.set_xscale("log")
        axes.set_xticks(lengths, [spoken(length) for length in lengths])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel("length of the video")
        axes.set_ylabel(f"{name} sent" if name == "frames" else name)
    axes.legend()
