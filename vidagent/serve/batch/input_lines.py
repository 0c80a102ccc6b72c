"""Reading the input: one JSON object a line; a bad line is a line with an error, never the end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidagent.errors import UsageError
from vidagent.serve.batch.items import Item, read_item

_MOST_SHOWN = 1000
_HASH_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the input.

    Args:
        number: Its number in the file, from 1; empty lines count.
        digest: A hash of its bytes.
        fields: What it holds; of a line that is no JSON object, its text as `input`.
        item: What it asks, or None where that cannot be read.
        wrong: Why not.
    """

    number: int
    digest: str
    fields: dict[str, Any]
    item: Item | None
    wrong: str | None = None

    @property
    def key(self) -> str:
        """Its identity: the number, and the hash of what stood there."""
        return f"{self.number}:{self.digest}"


def read_lines(path: Path) -> list[Line]:
    """Read all lines of a file that are not empty.

    Raises:
        UsageError: If the file cannot be read, or has no lines.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    lines = list(_lines(data))
    if not lines:
        raise UsageError(f"{path} has no lines: each is a JSON object such as "
                         '{"video": "a.mp4", "question": "What happens?"}')  # fmt: skip
    return lines


def _lines(data: bytes) -> Iterator[Line]:
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if raw.strip():
            yield _line(number, raw.strip())


def _line(number: int, raw: bytes) -> Line:
    digest = hashlib.sha256(raw).hexdigest()[:_HASH_DIGITS]
    shown = {"input": raw[:_MOST_SHOWN].decode("utf-8", "replace")}
    try:
        fields = json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        return Line(number, digest, shown, None, f"line {number} is no JSON: {error}")
    if not isinstance(fields, dict):
        return Line(number, digest, shown, None, f"line {number} is no JSON object")
    try:
        return Line(number, digest, fields, read_item(fields))
    except UsageError as error:
        return Line(number, digest, fields, None, str(error))


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
