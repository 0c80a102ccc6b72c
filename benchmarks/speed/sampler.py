"""Where a program's CPU time goes: a thread that looks every few milliseconds at what the others run."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from pathlib import PurePath
from types import FrameType
from typing import Self

_STEP_S = 0.002


class Sampler:
    """Sums the CPU seconds of all threads by the package whose code they run; a context manager.

    What a thread has used since the last look is counted for the code that it runs now.

    Attributes:
        cpu_s: CPU seconds by package; vidagent's own by folder.
    """

    def __init__(self) -> None:
        """Start with none."""
        self.cpu_s: Counter[str] = Counter()
        self._clocks: dict[int, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(_STEP_S):
            frames = sys._current_frames()  # noqa: SLF001 - the documented way
            for thread in threading.enumerate():
                if thread is self._thread or thread.ident not in frames:
                    continue
                now = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
                used = now - self._clocks.get(thread.ident, now)
                self._clocks[thread.ident] = now
                if used > 0:
                    self.cpu_s[_package(frames[thread.ident])] += used


def _package(frame: FrameType) -> str:
    """Return the package whose code runs, or the module of the standard library."""
    path = PurePath(frame.f_code.co_filename)
    parts = path.parts
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1]
    if "vidagent" in parts:
        return "/".join(parts[len(parts) - parts[::-1].index("vidagent") - 1 :][:2])
    return f"standard library: {path.stem if path.parent.name.startswith('python') else path.parent.name or path.stem}"
