"""The input file: one question a line, in NeVA's fields or ours; a bad line becomes a line with an error."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vidagent.errors import UsageError
from vidagent.types import Budget, Question
from vidagent.video.sampling import SingleFrame

MediaType = Literal["video", "image"]
_PLACEHOLDER = re.compile(r"\s*<(?:video|image)>\s*")
"""Where NeVA's prompts put the media; here these stand before the question."""
_MOST_SHOWN = 1000
_HASH_DIGITS = 16


class Item(BaseModel):
    """One question; other fields of the line are copied to the output and not read."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    video: str | None = Field(default=None, min_length=1)
    image: str | None = Field(default=None, min_length=1)
    question: str | None = None
    text: str | None = None
    options: list[str] | None = None
    budget: dict[str, float | int | None] | None = None
    session: str | None = None
    media_type: MediaType | None = None
    num_frames: int | None = Field(default=None, gt=0)
    splice_single_frame: SingleFrame | None = None

    @property
    def media(self) -> str:
        """The file that is asked about."""
        return self.video or self.image or ""

    @property
    def kind(self) -> MediaType:
        """What that file is."""
        return self.media_type or ("video" if self.video else "image")

    @property
    def prompt(self) -> Question:
        """The question and its options."""
        text = self.text if self.question is None else self.question
        options = None if self.options is None else tuple(self.options)
        return Question(_PLACEHOLDER.sub(" ", text or "").strip(), options)

    def limits(self, default: Budget) -> Budget:
        """Return its budget: the line's own limits over the default ones."""
        return Budget.of({**default.to_dict(), **(self.budget or {})})


@dataclass(frozen=True, slots=True)
class InputLine:
    """One line of the input.

    Args:
        number: Its number in the file, from 1; empty lines count.
        digest: A hash of its bytes.
        fields: Its JSON object; of a line that is none, its text as `input`.
        item: What it asks; None if the line is invalid.
        error: Why it is invalid.
    """

    number: int
    digest: str
    fields: dict[str, Any]
    item: Item | None
    error: str | None = None

    @property
    def key(self) -> str:
        """Its identity: the number and the hash."""
        return f"{self.number}:{self.digest}"


def read_lines(path: Path) -> list[InputLine]:
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


def _lines(data: bytes) -> Iterator[InputLine]:
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if raw.strip():
            yield _line(number, raw.strip())


def _line(number: int, raw: bytes) -> InputLine:
    digest = hashlib.sha256(raw).hexdigest()[:_HASH_DIGITS]
    shown = {"input": raw[:_MOST_SHOWN].decode("utf-8", "replace")}
    try:
        fields = json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        return InputLine(number, digest, shown, None, f"line {number} is no JSON: {error}")
    if not isinstance(fields, dict):
        return InputLine(number, digest, shown, None, f"line {number} is no JSON object")
    try:
        return InputLine(number, digest, fields, _item(fields))
    except UsageError as error:
        return InputLine(number, digest, fields, None, str(error))


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _item(fields: Mapping[str, Any]) -> Item:
    """Check the fields of a line.

    Raises:
        UsageError: If one is missing or has a bad value; the message names it.
    """
    try:
        item = Item.model_validate(dict(fields))
    except ValidationError as error:
        raise UsageError(
            "; ".join(_error_text(one["loc"], one["msg"], one["input"]) for one in error.errors())
        ) from None
    if bool(item.video) == bool(item.image):
        raise UsageError("a line names one file, as `video` or as `image`")
    if item.session is not None and item.kind == "image":
        raise UsageError("a session is about a video, and this line is about an image")
    item.limits(Budget())
    item.prompt  # noqa: B018 - checked as it is made
    return item


def _error_text(where: tuple[int | str, ...], what: str, got: object) -> str:
    shown = repr(got)
    return f"{'.'.join(map(str, where))}: {what[0].lower()}{what[1:]}; got {shown[:80]}"
