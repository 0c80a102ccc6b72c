"""The log file of a model's server, read as it grows to see what the server is doing and why it died."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from pathlib import Path

import platformdirs

from vidagent.errors import UsageError

_LINES_KEPT = 400
"""Two or three tracebacks of vLLM's processes, the root cause among them."""
_CHARS_SHOWN = 300
_CAUSES = 4
_LAST = 6

_PREFIX = re.compile(r"^(\(\S+ pid=\d+\) )?((INFO|WARNING|ERROR) \d\d-\d\d [\d:]+ \[[^\]]*\] ?)?")
_CAUSE = re.compile(
    r"^(\w+\.)*\w*(Error|Exception)(:| |$)|: error: |^ +Value error, |^Killed|out of memory", re.IGNORECASE
)

_PHASES = tuple(
    (re.compile(pattern), phase)
    for pattern, phase in (
        (r"non-default args:", "reading the model's configuration"),
        (r"Initializing a V1 LLM engine", "starting the engine"),
        (r"Downloading|Fetching \d+ files", "downloading the model"),
        (r"Starting to load model|Loading (safetensors|pt) checkpoint", "loading weights"),
        (r"Loading weights took", "warming up"),
        (r"Starting torch\.compile|Compiling a graph", "compiling"),
        (r"Capturing .*CUDA ?graph|Capturing encoder cudagraph", "capturing graphs"),
        (r"Starting vLLM server", "opening the port"),
    )
)
"""What vLLM 0.32 writes as it starts, in its order."""
_FIRST = "the server"
_SHARE = re.compile(r"\b\d{1,3}%")


def default_path(port: int) -> Path:
    """Return the default log file of a server on a port."""
    return Path(platformdirs.user_log_dir("vidagent", appauthor=False)) / f"vlm-{port}.log"


class Log:
    """A log file that a server writes and we read.

    Args:
        path: The file; it is appended to.

    Attributes:
        phase: What the server was last seen doing.
        share: How much of that it has done, such as `50%`; empty if it does not say.
    """

    def __init__(self, path: Path) -> None:
        """Make the file and its folder.

        Raises:
            UsageError: If that cannot be.
        """
        self.path = path
        self.phase, self.share = _FIRST, ""
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._rest = b""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                self._at = file.tell()
        except OSError as error:
            raise UsageError(
                f"the log {path} cannot be written: {error.strerror}; name another with --log"
            ) from None

    def begin(self, command: str) -> None:
        """Say in the file what is started now, and forget what an earlier process wrote."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"# {time.strftime('%Y-%m-%d %H:%M:%S')}  {command}\n")
            self._at = file.tell()
        self._rest = b""
        self._lines.clear()
        self.phase, self.share = _FIRST, ""

    def read(self) -> None:
        """Take in what has been written since, also where the file has been cut or moved away meanwhile."""
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._at:
                    self._at = 0
                file.seek(self._at)
                new = file.read()
        except FileNotFoundError:
            return
        self._at += len(new)
        *whole, self._rest = re.split(rb"[\r\n]+", self._rest + new)
        for line in whole:
            self._take(_PREFIX.sub("", line.decode("utf-8", "replace")).rstrip())

    def reasons(self) -> list[str]:
        """Return the lines that tell best why the server died: the first errors, else the last lines."""
        causes = list(dict.fromkeys(line for line in self._lines if _CAUSE.search(line)))
        shown = causes[:_CAUSES] or list(self._lines)[-_LAST:]
        return [line[:_CHARS_SHOWN] for line in shown]

    def _take(self, line: str) -> None:
        if not line.strip():
            return
        self._lines.append(line)
        for pattern, phase in _PHASES:
            if pattern.search(line):
                share = _SHARE.search(line)
                self.phase, self.share = phase, share[0] if share else ""
