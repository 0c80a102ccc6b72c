"""The process of a model's server and all that it starts: begun together, ended together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vidagent.errors import UsageError

_KILLED_WITHIN_S = 5.0
_POLL_S = 0.1


class Server:
    """A server that runs in a process group of its own, so that Ctrl-C reaches it through us alone.

    Args:
        argv: Its command line.
        env: Variables set for it, beside our own.
        log: The file that takes what it writes.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        """Start it, without waiting for it.

        Raises:
            UsageError: If its program cannot be run.
        """
        with log.open("ab") as file:
            try:
                self._popen = subprocess.Popen(  # noqa: S603 - the program and flags that the user asked for
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **env},
                    start_new_session=True,
                )
            except OSError as error:
                raise UsageError(f"{argv[0]} cannot be run: {error.strerror}") from None

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._popen.poll() is None

    def how_it_ended(self) -> str:
        """Say how it ended: its exit code, or the signal that ended it."""
        code = self._popen.poll()
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"ended by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def end(self, grace_s: float, *, hurry: Callable[[], bool] = lambda: False) -> bool:
        """End it and all that it started; tell whether they went by themselves.

        Args:
            grace_s: Seconds to let them finish.
            hurry: Asked meanwhile whether to wait no longer.
        """
        if self._gone():
            return True
        self._signal(signal.SIGTERM)
        went = self._gone_within(grace_s, hurry)
        if not went:
            self._signal(signal.SIGKILL)
            self._gone_within(_KILLED_WITHIN_S, lambda: False)
        return went

    def _gone_within(self, seconds: float, hurry: Callable[[], bool]) -> bool:
        until = time.monotonic() + seconds
        while not self._gone():
            if time.monotonic() > until or hurry():
                return False
            time.sleep(_POLL_S)
        return True

    def _gone(self) -> bool:
        """Tell whether no process of its group is left; reaps the child itself."""
        if self._popen.poll() is None:
            return False
        try:
            os.killpg(self._popen.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # macOS, for a group of which only the dead are left
            return True
        return False

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)
