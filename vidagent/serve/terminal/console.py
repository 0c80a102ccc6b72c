"""The terminal: answers go to stdout, everything else to stderr, one line per message."""

from __future__ import annotations

import functools
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.text import Text

from vidagent.text import one_line, without_controls

_PACKAGE = logging.getLogger("vidagent")
_STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}


class Terminal(Console):
    """A console that prints plain text and survives a closed pipe.

    Colour and animation depend on the stream being a terminal and on `NO_COLOR`, as rich decides it.
    """

    def __init__(self, *, stderr: bool) -> None:
        """Write to one of the process's two streams."""
        super().__init__(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def say(self, text: str, style: str = "") -> None:
        """Print text, without control characters that a video or a model may have put into it."""
        self.print(Text(without_controls(text), style=style))

    def on_broken_pipe(self) -> None:
        """Fall silent when the reader has left (`vidagent ask … | head -1`); the exit code stays."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


@functools.cache
def stdout() -> Terminal:
    """Return the console for answers."""
    _never_fail_to_encode(sys.stdout)
    return Terminal(stderr=False)


@functools.cache
def stderr() -> Terminal:
    """Return the console for progress, cost, warnings and errors."""
    _never_fail_to_encode(sys.stderr)
    return Terminal(stderr=True)


def complain(text: str) -> None:
    """Print an error on one line."""
    stderr().say(f"vidagent: {one_line(text)}", style="red")


def loudness(*, quiet: bool, verbose: bool) -> None:
    """Choose which log records are shown: errors only, warnings too, or everything vidagent logs.

    `VIDAGENT_DEBUG` asks for everything whatever the flags say.
    """
    everything = verbose or bool(os.environ.get("VIDAGENT_DEBUG"))
    level = logging.DEBUG if everything else logging.ERROR if quiet else logging.WARNING
    _PACKAGE.setLevel(level)


@contextmanager
def messages() -> Iterator[None]:
    """Show log records and Python warnings on stderr, one line each, while the block runs."""
    handler = _LineHandler()
    root = logging.getLogger()
    show, level = warnings.showwarning, _PACKAGE.level
    root.addHandler(handler)
    warnings.showwarning = _log_warning
    loudness(quiet=False, verbose=False)
    try:
        yield
    finally:
        root.removeHandler(handler)
        warnings.showwarning = show
        _PACKAGE.setLevel(level)


class _LineHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < _PACKAGE.level:
            return
        text = f"vidagent: {record.levelname.lower()}: {one_line(record.getMessage())}"
        stderr().say(text, style=_STYLES.get(record.levelno, "dim"))
        if record.exc_info and record.levelno <= logging.DEBUG:
            stderr().say("".join(traceback.format_exception(*record.exc_info)).rstrip(), style="dim")


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del category, filename, lineno, file, line
    _PACKAGE.warning("%s", message)


def _never_fail_to_encode(stream: TextIO) -> None:
    """Escape what the stream cannot encode, such as the bytes of a file name that is not UTF-8."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
