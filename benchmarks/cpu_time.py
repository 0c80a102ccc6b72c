"""CPU seconds of a program and of what it has started, decoding processes among them."""

from __future__ import annotations

import contextlib

import psutil


def cpu_s() -> float:
    """Return the CPU seconds of this process and of all below it, those that have ended included."""
    own = psutil.Process()
    total = 0.0
    for process in (own, *own.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(
                process.cpu_times()[:4]
            )  # its own user and system time, and those of its ended children
    return total
