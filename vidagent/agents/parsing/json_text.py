"""JSON as models write it: in prose and code fences, with Python's spelling, or cut off at the end."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator

_TRAILING_COMMA = re.compile(r",\s*([}\]])")
_CONSTANTS = {"true": "True", "false": "False", "null": "None"}
_STARTS = 50
_TEXT_CHARS = 200_000


def json_values(text: str) -> Iterator[object]:
    """Yield the JSON objects and lists in a text, outermost first.

    Forgives code fences, prose around, trailing commas, Python's quotes and constants, and a cut-off end. Of a text
    too long to be searched that is not one object, only the beginning is read.
    """
    if len(text) > _TEXT_CHARS:
        whole = _strict(text[text.find("{") : text.rfind("}") + 1])
        if whole is not None:
            yield whole
            return
    text = text[:_TEXT_CHARS]
    position = 0
    for _ in range(_STARTS):
        start = min(
            (at for at in (text.find("{", position), text.find("[", position)) if at >= 0), default=-1
        )
        if start < 0:
            return
        end, closers = bracketed(text, start)
        value = _loads(text[start:end]) if not closers else _close(text[start:end])
        if value is None:
            position = start + 1
        else:
            yield value
            position = end


def bracketed(text: str, start: int) -> tuple[int, str]:
    """Return where the bracket at `start` closes, and the closers that are missing (`""` if none)."""
    stack: list[str] = []
    quoted = escaped = False
    for index in range(start, len(text)):
        char = text[index]
        if quoted:
            quoted = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            quoted = True
        elif char in "{[(":
            stack.append({"{": "}", "[": "]", "(": ")"}[char])
        elif char in "}])" and stack:
            stack.pop()
            if not stack:
                return index + 1, ""
    return len(text), ('"' if quoted else "") + "".join(reversed(stack))


def _strict(text: str) -> object:
    """Read JSON; None if it is none."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _loads(text: str) -> object:
    """Read JSON, or what a model takes for JSON; None if it is neither."""
    for attempt in (text, _TRAILING_COMMA.sub(r"\1", text)):
        value = _strict(attempt)
        if value is not None:
            return value
    python = re.sub(r"\b(true|false|null)\b", lambda match: _CONSTANTS[match[1]], text)
    try:
        return ast.literal_eval(python)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def _close(text: str) -> object:
    """Read JSON whose end is cut off, leaving out the last item if that is broken."""
    for _ in range(4):
        closers = bracketed(text, 0)[1]
        value = _loads(text.rstrip().rstrip(",:") + closers)
        if value is not None:
            return value
        text = text[: max(text.rfind(","), text.rfind("{"), text.rfind("["), 0)]
        if not text:
            return None
    return None
