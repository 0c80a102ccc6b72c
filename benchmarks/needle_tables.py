"""The results as Markdown tables and as JSON: by method and duration, and the agent's by kind of event."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any, TypeVar

import psutil

from benchmarks.needle_marks import Marked, Sum, add_up
from benchmarks.needle_methods import METHODS

TKey = TypeVar("TKey", bound=Hashable)

_PACKAGES = ("vidagent", "av", "numpy", "opencv-python-headless", "rapidocr", "onnxruntime", "zxing-cpp")
_HEADS = (
    "| method | length | asked | found | wrong | abstained | median frames off | absent asked | false claims | "
    "median frames sent | most | median tokens | median s |"
)


def grouped(answers: Sequence[Marked], key: Callable[[Marked], TKey]) -> dict[TKey, list[Marked]]:
    """Group answers by a key."""
    groups: dict[TKey, list[Marked]] = {}
    for one in answers:
        groups.setdefault(key(one), []).append(one)
    return groups


def by_method(answers: Sequence[Marked]) -> dict[tuple[str, float], list[Marked]]:
    """Group answers by method, in the order of `METHODS`, and duration."""
    groups = grouped(answers, lambda one: (one.method, one.duration_s))
    return dict(sorted(groups.items(), key=lambda item: (METHODS.index(item[0][0]), item[0][1])))


def spoken(duration_s: float) -> str:
    """Write a duration in the largest unit that it is a whole number of."""
    for unit_s, name in ((3600, "h"), (60, "min")):
        if duration_s % unit_s == 0:
            return f"{duration_s / unit_s:g} {name}"
    return f"{duration_s:g} s"


def tables(answers: Sequence[Marked], scans: dict[str, float]) -> str:
    """Return the tables as Markdown.

    Args:
        answers: All answers.
        scans: Seconds that indexing took, by duration and seed.
    """
    rows = [
        _row(method, spoken(length), add_up(some)) for (method, length), some in by_method(answers).items()
    ]
    kinds = grouped(
        [one for one in answers if one.method == "agent"],
        lambda one: (one.question.kind, spoken(one.duration_s)),
    )
    kind_rows = [_row(kind, length, add_up(some)) for (kind, length), some in sorted(kinds.items())]
    about = "; ".join(f"{name} {value}" for name, value in machine().items())
    indexed = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in scans.items())
    rule = "|".join(["", "---", "---", *["---:"] * 11, ""])
    parts = [
        f"{about}.",
        "\n".join([_HEADS, rule, *rows]),
        "The agent by kind of event:",
        "\n".join([_HEADS.replace("method", "kind"), rule, *kind_rows]),
        f"Indexing, once for all questions about a video: {indexed}.",
    ]
    return "\n\n".join(parts) + "\n"


def to_json(answers: Sequence[Marked], scans: dict[str, float]) -> dict[str, Any]:
    """Return the same as JSON values."""
    sums = [
        {"method": method, "duration_s": length, **asdict(add_up(some))}
        for (method, length), some in by_method(answers).items()
    ]
    return {"machine": machine(), "index_seconds": scans, "sums": sums}


def machine() -> dict[str, str]:
    """Tell what was measured on, and with which versions."""
    cores, memory = os.cpu_count() or 1, psutil.virtual_memory().total / 2**30
    known = {name: version(name) for name in _PACKAGES}
    return {"Python": platform.python_version(), **known, "cores": str(cores), "GiB": f"{memory:.0f}"}


def _row(name: str, length: str, total: Sum) -> str:
    off = "" if total.off_frames is None else f"{total.off_frames:.1f}"
    share = f"{total.found} ({total.found / total.events:.0%})" if total.events else ""
    claims = f"{total.false_claims} ({total.false_claims / total.absent:.0%})" if total.absent else ""
    cells = [name, length, total.events, share, total.wrong, total.abstained, off, total.absent, claims]
    cells += [f"{total.frames:.0f}", total.most_frames, f"{total.tokens:.0f}", f"{total.seconds:.1f}"]
    return "| " + " | ".join(map(str, cells)) + " |"
