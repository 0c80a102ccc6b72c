"""What one line asks: NeVA's fields and ours, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vidagent.errors import UsageError
from vidagent.types import Budget, Question
from vidagent.video.sampling import SingleFrame

MediaType = Literal["video", "image"]
_PLACEHOLDER = re.compile(r"\s*<(?:video|image)>\s*")
"""Where NeVA's prompts put the media; here these stand before the question."""


class Item(BaseModel):
    """One question; fields that are not named here are kept and not read."""

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
    def asked(self) -> Question:
        """The question and its options."""
        said = self.text if self.question is None else self.question
        options = None if self.options is None else tuple(self.options)
        return Question(_PLACEHOLDER.sub(" ", said or "").strip(), options)

    def limits(self, usual: Budget) -> Budget:
        """Return what it may cost: what the line says, over what is usual."""
        return Budget(**{**usual.to_dict(), **(self.budget or {})})  # type: ignore[arg-type]  # checked by Budget


def read_item(fields: Mapping[str, Any]) -> Item:
    """Check the fields of a line.

    Raises:
        UsageError: If one is missing or has a bad value; the message names it.
    """
    try:
        item = Item.model_validate(dict(fields))
    except ValidationError as error:
        raise UsageError(
            "; ".join(_told(one["loc"], one["msg"], one["input"]) for one in error.errors())
        ) from None
    if bool(item.video) == bool(item.image):
        raise UsageError("a line names one file, as `video` or as `image`")
    unknown = set(item.budget or {}) - set(Budget().to_dict())
    if unknown:
        raise UsageError(
            f"budget has no {', '.join(sorted(unknown))}; it has {', '.join(Budget().to_dict())}"
        )
    if item.session is not None and item.kind == "image":
        raise UsageError("a session is about a video, and this line is about an image")
    item.limits(Budget())
    item.asked  # noqa: B018 - checked as it is made
    return item


def _told(where: tuple[int | str, ...], what: str, got: object) -> str:
    shown = repr(got)
    return f"{'.'.join(map(str, where))}: {what[0].lower()}{what[1:]}; got {shown[:80]}"
