"""The answer tool: the planner's draft, with claims that point to what was seen."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from langchain_core.tools import StructuredTool
from pydantic import BaseModel, BeforeValidator, Field

from vidagent.errors import ToolError
from vidagent.tools.context import ToolContext
from vidagent.tools.factory import Seconds, make_tool


class Claim(BaseModel):
    """One statement of the answer that a frame can show."""

    text: str = Field(min_length=1, max_length=500, description="the claim, self-contained, in one sentence")
    ledger: list[str] = Field(default=[], description="ids of the observations that show it, such as L2")
    time_s: Seconds | None = Field(default=None, description="the moment that shows it best, in seconds")
    end_s: Seconds | None = Field(
        default=None, description="where it ends, if it lasts from `time_s` on; null for a moment"
    )


class Place(BaseModel):
    """Where the answer is: from `start_s` until just before `end_s`."""

    start_s: Seconds
    end_s: Seconds


class Draft(BaseModel):
    """What the planner wants to answer, before it is verified."""

    found: Literal["yes", "no", "cannot_judge"]
    answer: str
    claims: list[Claim] = []
    spans: list[Place] = []
    count: int | None = None
    choice: int | None = None
    confidence: float = 0.5


def _one(value: Any) -> Any:  # noqa: ANN401 - pydantic hands over whatever the model wrote
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _claims(value: Any) -> Any:  # noqa: ANN401 - the same
    return [{"text": claim} if isinstance(claim, str) else claim for claim in _one(value)]


def make(context: ToolContext) -> StructuredTool:
    """Make the tool over one video; it reads nothing and only takes the draft."""

    def answer(
        found: Literal["yes", "no", "cannot_judge"],
        answer: Annotated[str, Field(min_length=1, max_length=4000)],
        claims: Annotated[list[Claim], BeforeValidator(_claims)] = [],  # noqa: B006 - a schema default, never changed
        spans: Annotated[list[Place], BeforeValidator(_one)] = [],  # noqa: B006 - the same
        count: Annotated[int | None, Field(ge=0, le=1_000_000)] = None,
        choice: Annotated[int | None, Field(ge=0, le=9999)] = None,
        confidence: Annotated[float, Field(ge=0, le=1)] = 0.5,
    ) -> Draft:
        """Give the answer. Every claim is checked against the frames before it is passed on.

        Say `no` when the thing asked about was looked for and is not there, `cannot_judge` when the pictures do
        not allow a judgement. Never state what no observation shows.

        Args:
            found: Whether the video answers the question.
            answer: The answer in one to three sentences.
            claims: What the answer rests on; each points to ledger entries and to the time that shows it.
            spans: Where the answer is; one for each occurrence asked about, none if it has no place in time.
            count: The number, if the question asks how many.
            choice: Index of the option that is right, from 0, if options were given.
            confidence: From 0 to 1.
        """
        if found == "yes" and not claims:
            raise ToolError("an answer with found=yes needs at least one claim with its time_s")
        places = [_inside(context, place) for place in spans]
        return Draft(
            found=found,
            answer=answer,
            claims=claims,
            spans=places,
            count=count,
            choice=choice,
            confidence=confidence,
        )

    return make_tool(answer)


def _inside(context: ToolContext, place: Place) -> Place:
    start, end = sorted((place.start_s, place.end_s))
    last = context.duration_s
    return Place(start_s=min(start, last), end_s=min(end, last))
