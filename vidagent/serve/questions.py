"""The question and its options, as the command line takes them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from vidagent.errors import UsageError

__all__ = ["MAX_CHARACTERS", "options", "question"]

MAX_CHARACTERS = 20_000
_STDIN = "-"


def question(argument: str) -> str:
    """Return the question, read from stdin if the argument is `-`.

    Raises:
        UsageError: If it is empty or longer than `MAX_CHARACTERS`.
    """
    text = _read_stdin() if argument == _STDIN else _valid_unicode(argument)
    text = text.strip()
    if not 1 <= len(text) <= MAX_CHARACTERS:
        got = f"{len(text):,}" + (" or more" if len(text) > MAX_CHARACTERS and argument == _STDIN else "")
        raise UsageError(f"a question needs 1 to {MAX_CHARACTERS:,} characters, got {got}")
    return text


def options(given: Sequence[str] | None) -> list[str] | None:
    """Return the options to choose from, or None when there are none.

    Raises:
        UsageError: If there is only one, or one is empty or given twice.
    """
    if not given:
        return None
    texts = [_valid_unicode(text).strip() for text in given]
    if len(texts) < 2:
        raise UsageError(f"--option needs at least 2 options to choose from, got 1: {texts[0]!r}")
    if "" in texts:
        raise UsageError(f"--option {texts.index('') + 1} is empty; an option needs at least 1 character")
    twice = next((text for text in texts if texts.count(text) > 1), None)
    if twice is not None:
        raise UsageError(f"--option {twice!r} is given more than once; options must differ")
    return texts


def _read_stdin() -> str:
    most_bytes = 4 * MAX_CHARACTERS + 1
    return sys.stdin.buffer.read(most_bytes).decode("utf-8", "replace")


def _valid_unicode(text: str) -> str:
    """Turn bytes of the command line that are not UTF-8 into replacement characters."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
