"""The answer tool: the planner's draft, with claims that point to what was seen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from langchain_core.tools import StructuredTool
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema, create_model

from vidagent.text import is_ended, to_last_sentence
from vidagent.tools.context import ToolContext
from vidagent.tools.data_schema import Schema, offered
from vidagent.tools.factory import Seconds, make_tool

_NUMBERING = re.compile(r"^\s*\d{1,3}[.)]\s+")
MOST_FRAMES = 4
"""Most frames that a part of an answer names."""
_DATA = (
    "the answer as data, by this schema. Every value is checked by itself as a claim, so no claim has to repeat it; "
    "null for what no observation shows, never a guess"
)
_SOURCES = "what shows each value of `data`: one entry for each, or one for an object or a list whose values it shows"
_MOST_ANSWER, _MOST_CLAIM, _MOST_PART = 4000, 500, 1000
"""Most characters of the answer, of a claim and of a part."""


def _one(value: Any) -> Any:  # noqa: ANN401 - pydantic hands over whatever the model wrote
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _ended(most: int) -> BeforeValidator:
    """End a text that a server cut at its limit with the last sentence before that."""

    def ended(value: Any) -> Any:  # noqa: ANN401 - pydantic hands over whatever the model wrote
        cut = isinstance(value, str) and len(value) >= most and not is_ended(value)
        return to_last_sentence(value[:most]) if cut else value

    return BeforeValidator(ended)


_AnswerText = Annotated[str, Field(min_length=1, max_length=_MOST_ANSWER), _ended(_MOST_ANSWER)]
_ClaimText = Annotated[str, Field(min_length=1, max_length=_MOST_CLAIM), _ended(_MOST_CLAIM)]
_PartText = Annotated[str, Field(min_length=1, max_length=_MOST_PART), _ended(_MOST_PART)]


class Claim(BaseModel):
    """One statement of the answer that a frame can show."""

    text: _ClaimText = Field(description="the claim, self-contained, in one sentence")
    ledger: list[str] = Field(default=[], description="ids of the observations that show it, such as L2")
    time_s: Seconds | None = Field(default=None, description="the moment that shows it best")
    end_s: Seconds | None = Field(
        default=None, description="where it ends, if it lasts from `time_s` on; null for a moment"
    )


class Part(BaseModel):
    """One part of an answer that has several, each with a time of its own."""

    start_s: Seconds
    end_s: Seconds | None = Field(
        default=None, description="where it ends; null if it lasts until the next part begins"
    )
    text: _PartText = Field(
        description="what is seen in it, in the question's language, without times or numbering",
    )
    ledger: list[str] = Field(default=[], description="as in a claim")
    frames_s: Annotated[list[Seconds], BeforeValidator(_one)] = Field(
        default=[],
        description=f"times of up to {MOST_FRAMES} frames that show it best, one for each thing",
    )


class Place(BaseModel):
    """Where the answer is: from `start_s` until just before `end_s`."""

    start_s: Seconds
    end_s: Seconds


class Source(BaseModel):
    """What shows one value of the data."""

    path: str = Field(description="JSON Pointer of the value in `data`, such as /goals/0/minute")
    text: str = Field(
        default="", description="in one sentence, what is seen that shows it; for null, why not"
    )
    time_s: Seconds | None = Field(default=None, description="the moment that shows it best, in seconds")
    ledger: list[str] = Field(default=[], description="ids of the observations that show it, such as L2")


class Draft(BaseModel):
    """What the planner wants to answer, before it is verified."""

    found: Literal["yes", "no", "cannot_judge"]
    answer: str
    claims: list[Claim] = []
    spans: list[Place] = []
    parts: list[Part] = []
    count: int | None = None
    choice: int | None = None
    confidence: float = 0.5
    data: Any = None
    sources: list[Source] = []

    def source_of(self, pointer: str) -> Source | None:
        """Return the source of a leaf of the data: its own, or that of the nearest object or list around it."""
        around = [one for one in self.sources if f"{pointer}/".startswith(f"{one.path.rstrip('/')}/")]
        return max(around, key=lambda one: len(one.path), default=None)


def _claims(value: Any) -> Any:  # noqa: ANN401 - the same
    return [{"text": claim} if isinstance(claim, str) else claim for claim in _one(value)]


def make(context: ToolContext) -> StructuredTool:
    """Make the tool over one video; it reads nothing and only takes the draft."""

    def answer(
        found: Literal["yes", "no", "cannot_judge"],
        answer: _AnswerText,
        claims: Annotated[list[Claim], BeforeValidator(_claims)] = [],  # noqa: B006 - a schema default, never changed
        spans: Annotated[list[Place], BeforeValidator(_one)] = [],  # noqa: B006 - the same
        parts: Annotated[list[Part], BeforeValidator(_one), Field(max_length=200)] = [],  # noqa: B006 - the same
        count: Annotated[int | None, Field(ge=0, le=1_000_000)] = None,
        choice: Annotated[int | None, Field(ge=0, le=9999)] = None,
        confidence: Annotated[float, Field(ge=0, le=1)] = 0.5,
    ) -> Draft:
        """Give the answer. Every claim is checked against the frames before it is passed on.

        Never state what no observation shows.

        Args:
            found: Whether the video answers the question.
            answer: The answer in one to three sentences; with parts, a headline for them, without times.
            claims: What the answer rests on.
            spans: Where the answer is; one for each occurrence asked about, none if it has no place in time.
            parts: The answer part by part, in order of time, if it is told in parts: a summary, steps, a list. They
                need neither claims nor spans beside them.
            count: The number, if the question asks how many.
            choice: Index of the option that is right, from 0, if options were given.
            confidence: From 0 to 1.
        """
        places = [_inside(context, place) for place in spans]
        return Draft(
            found=found,
            answer=answer,
            claims=claims,
            spans=places,
            parts=_in_order(context, parts),
            count=count,
            choice=choice,
            confidence=confidence,
        )

    tool = make_tool(answer)
    return tool if context.schema is None else _with_data(tool, context.schema)


def _with_data(tool: StructuredTool, schema: Schema) -> StructuredTool:
    """Return the tool with two more arguments: data that follows a schema, and what shows each of its values."""
    plain, arguments = tool.func, tool.args_schema
    assert plain is not None  # noqa: S101 - made from a function
    assert isinstance(arguments, type)  # noqa: S101 - the same
    assert issubclass(arguments, BaseModel)  # noqa: S101 - the same
    data = Annotated[Any, WithJsonSchema(offered(schema)), Field(description=_DATA)]
    sources = Annotated[list[Source], BeforeValidator(_one), Field(description=_SOURCES)]
    fields: dict[str, Any] = {"data": (data, None), "sources": (sources, [])}

    def answer(data: Any = None, sources: Sequence[Source] = (), **rest: Any) -> Draft:  # noqa: ANN401 - as the model wrote
        draft: Draft = plain(**rest)
        return draft.model_copy(update={"data": data, "sources": list(sources)})

    return StructuredTool(
        name=tool.name,
        description=tool.description,
        func=answer,
        args_schema=create_model("answer", __base__=arguments, **fields),
    )


def _inside(context: ToolContext, place: Place) -> Place:
    start, end = sorted((place.start_s, place.end_s))
    last = context.duration_s
    return Place(start_s=min(start, last), end_s=min(end, last))


def _in_order(context: ToolContext, parts: list[Part]) -> list[Part]:
    """Return parts in order of time, inside the video, each with an end."""
    last_s, frame_s = context.duration_s, context.video.info.frame_s
    ordered = sorted(parts, key=lambda part: part.start_s)
    placed = []
    for number, part in enumerate(ordered, 1):
        until_s = ordered[number].start_s if number < len(ordered) else last_s
        start_s, end_s = sorted((part.start_s, until_s if part.end_s is None else part.end_s))
        start_s = max(0.0, min(start_s, last_s - frame_s))
        end_s = min(max(end_s, start_s + frame_s), last_s)
        text = _NUMBERING.sub("", part.text) or part.text
        placed.append(part.model_copy(update={"start_s": start_s, "end_s": end_s, "text": text}))
    return placed
