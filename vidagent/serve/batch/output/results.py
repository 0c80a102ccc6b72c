"""What a line of the output holds: the input's fields, and what came of the question."""

from __future__ import annotations

from typing import Any, Literal

from vidagent.errors import ModelError, UsageError, VideoError
from vidagent.serve.batch.input_lines import Line
from vidagent.types import Answer

ErrorType = Literal["video", "model", "usage", "internal"]
Result = dict[str, Any]
"""One object of the output."""

KEY = "vidagent_line"
"""The field that says which line of the input it is: its number and a hash of it."""
_OURS = ("response", "answer", "error")
_TYPES: tuple[tuple[type[Exception], ErrorType], ...] = (
    (VideoError, "video"),
    (ModelError, "model"),
    (UsageError, "usage"),
)


def answered(line: Line, answer: Answer) -> Result:
    """Return the output's line of an answered question."""
    return {**_kept(line), "response": answer.answer, "answer": answer.to_dict(), KEY: line.key}


def failed(line: Line, error: Exception) -> Result:
    """Return the output's line of a question that ended in an error."""
    kind = next((name for known, name in _TYPES if isinstance(error, known)), "internal")
    said = str(error) if kind != "internal" else f"{type(error).__name__}: {error}"
    return {**_kept(line), "error": {"type": kind, "message": said}, KEY: line.key}


def _kept(line: Line) -> Result:
    """Return the input's fields; those that have a name of ours are kept as `input_…`."""
    return {f"input_{name}" if name in _OURS else name: value for name, value in line.fields.items()}
