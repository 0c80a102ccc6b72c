"""Texts for people and files: whole characters, one line, counted nouns."""

from __future__ import annotations

import re
from typing import Any

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What moves the cursor, starts an escape sequence, breaks a line or turns the direction of writing."""


def whole(text: str) -> str:
    """Return a text with its lone surrogates replaced, and the two halves of a character joined.

    UTF-8 has no form for them, so that such a text can neither be sent, nor printed, nor kept.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def whole_values(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return a JSON value with all of its texts whole."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        return {whole_values(key): whole_values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole_values(item) for item in value]
    return value


def plain(text: str) -> str:
    """Replace control characters; tabs and line breaks stay."""
    return _CONTROLS.sub("�", text)


def escaped(text: str) -> str:
    """Write control characters in a JSON text as JSON does, so that nothing of it is lost."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """Fold a message onto one line."""
    return " ".join(text.split())


def counted(count: int, what: str) -> str:
    """Say how many of a thing there are, such as `1 frame` or `2,500 frames`."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def valid_unicode(text: str) -> str:
    """Replace bytes that are not UTF-8, which Python keeps in arguments and on stdin as lone surrogates."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
