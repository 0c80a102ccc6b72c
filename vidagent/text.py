"""Texts that can be written down: half of a character, as JSON and file names may hold one, is not one."""

from __future__ import annotations

from typing import Any

__all__ = ["whole", "whole_values"]


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
