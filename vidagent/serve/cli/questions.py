"""The question and its options, as the command line takes them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from vidagent.types import Question

_STDIN = "-"
_MOST_BYTES = 4 * Question.MOST_CHARACTERS + 1


def read(argument: str, options: Sequence[str] | None) -> Question:
    """Return what is asked; the argument `-` stands for the text on stdin.

    Raises:
        UsageError: If the question or the options are not legal.
    """
    text = _stdin() if argument == _STDIN else _valid_unicode(argument)
    choices = tuple(_valid_unicode(option).strip() for option in options) if options else None
    return Question(text.strip(), choices)


def _stdin() -> str:
    return sys.stdin.buffer.read(_MOST_BYTES).decode("utf-8", "replace")


def _valid_unicode(text: str) -> str:
    """Turn bytes of the command line that are not UTF-8 into replacement characters."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
