"""The signals that ask a running command to end, taken note of instead of raised."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Interruption:
    """Catches Ctrl-C, SIGTERM and SIGHUP while it is entered; those that the caller has ignored stay so (nohup)."""

    def __init__(self) -> None:
        """Take note of nothing yet."""
        self.caught: list[signal.Signals] = []
        self._asked = threading.Event()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Take the signals over."""
        for name in _NAMES:
            number = getattr(signal, name)
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def asked(self) -> bool:
        """Whether a signal has come."""
        return self._asked.is_set()

    def again(self) -> bool:
        """Tell whether a second one has come: the user will wait no longer."""
        return len(self.caught) > 1

    def wait(self, seconds: float) -> bool:
        """Wait, at most so long, and tell whether a signal has come."""
        return self._asked.wait(seconds)

    def _take(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.caught.append(signal.Signals(number))
        self._asked.set()
