"""What clients send and get, as JSON: a question about a video, the events of its run, and the answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from vidagent.serve.core.errors import ErrorDetail
from vidagent.types import Budget, BudgetName, Status, Step, Verdict

MOST_CHARACTERS = 20_000
MOST_NAME = 4096
MOST_OPTIONS = 100
_MOST = 10**9


def _whole(text: str) -> str:
    """Refuse halves of characters, which JSON can spell and nothing else can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be text; it has half of a character in it") from None
    return text


Text = Annotated[str, AfterValidator(_whole)]
Count = Annotated[int | None, Field(gt=0, le=_MOST, strict=True)]


class Limits(BaseModel):
    """What the answer may cost; the server's own limits hold beside these."""

    model_config = ConfigDict(extra="forbid")

    seconds: float | None = Field(default=None, gt=0, le=_MOST, allow_inf_nan=False, strict=True)
    steps: Count = None
    model_calls: Count = None
    prompt_tokens: Count = None
    completion_tokens: Count = None
    thinking_tokens: int | None = Field(default=None, ge=0, le=_MOST, strict=True)
    frames: Count = None

    def budget(self) -> Budget:
        """Return the same as the agent's budget."""
        return Budget(**self.model_dump())


class QuestionBody(BaseModel):
    """A question about a video."""

    model_config = ConfigDict(extra="forbid")

    video: Text = Field(
        min_length=1,
        max_length=MOST_NAME,
        description="the id of an uploaded file, a path under one of the server's folders, or an address on "
        "one of the hosts it may fetch from",
    )
    question: Text = Field(min_length=1, max_length=MOST_CHARACTERS)
    options: list[Annotated[Text, Field(min_length=1, max_length=MOST_CHARACTERS)]] | None = Field(
        default=None, min_length=2, max_length=MOST_OPTIONS, description="answers to choose from"
    )
    budget: Limits | None = Field(default=None, description="what the answer may cost")
    session: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,32}$",
        description="a name of your own for questions about one video that follow each other",
    )


class FileVideo(BaseModel):
    """What the container of an uploaded video says."""

    duration_s: float
    fps: str
    width: int
    height: int
    sha256: str


class FileBody(BaseModel):
    """An uploaded video, in the form of OpenAI's files."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    filename: str
    purpose: Literal["user_data"] = "user_data"
    video: FileVideo


class FileList(BaseModel):
    """Uploaded videos; where there are more, `after` the last of these they go on."""

    object: Literal["list"] = "list"
    data: list[FileBody]
    has_more: bool


class FileDeleted(BaseModel):
    """A video that is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


Ending = Literal["succeeded", "failed", "cancelled"]


class SpanBody(BaseModel):
    """A part of the video, from `start_s` up to `end_s`."""

    start_s: float
    end_s: float


class EvidenceBody(BaseModel):
    """One claim, the moment that shows it, and how the check of it ended."""

    model_config = ConfigDict(extra="allow")

    time_s: float
    claim: str
    verdict: Verdict
    frame: str | None = Field(default=None, description="path of the frame on this server")
    box_px: tuple[int, int, int, int] | None = None


class CoverageBody(BaseModel):
    """How much of the video was looked at."""

    seconds_seen: float
    fraction: float
    spans: list[SpanBody]


class StepBody(BaseModel):
    """What one step cost."""

    model_config = ConfigDict(extra="allow")

    step: Step
    seconds: float
    model_calls: int
    prompt_tokens: int
    completion_tokens: int
    thinking_tokens: int
    cached_tokens: int
    frames_decoded: int
    frames_sent: int


class UsageBody(BaseModel):
    """What the run cost."""

    model_config = ConfigDict(extra="allow")

    seconds: float
    steps: int
    model_calls: int
    prompt_tokens: int
    completion_tokens: int
    thinking_tokens: int
    cached_tokens: int
    frames_decoded: int
    frames_sent: int
    by_step: list[StepBody]


class BudgetBody(BaseModel):
    """The limits of the run, and which of them ended it."""

    limit: dict[str, float | None]
    ended_by: BudgetName | None


class VideoBody(BaseModel):
    """The video asked about; `path` is the name that the request gave."""

    model_config = ConfigDict(extra="allow")

    path: str
    duration_s: float
    fps: str
    width: int
    height: int
    sha256: str


class AnswerBody(BaseModel):
    """The answer, as `vidagent ask --json` prints it."""

    model_config = ConfigDict(extra="allow")

    status: Status
    answer: str
    choice: int | None
    confidence: float
    spans: list[SpanBody]
    count: int | None
    evidence: list[EvidenceBody]
    coverage: CoverageBody
    usage: UsageBody
    budget: BudgetBody
    video: VideoBody
    model: str
    run_id: str


class JobBody(BaseModel):
    """A question that is answered whether its client waits or not."""

    id: str
    object: Literal["job"] = "job"
    status: Literal["queued", "running"] | Ending
    created_at: float
    ended_at: float | None
    asked: QuestionBody
    run_id: str | None
    answer: AnswerBody | None
    error: ErrorDetail | None


class JobList(BaseModel):
    """Jobs, the newest first."""

    object: Literal["list"] = "list"
    data: list[JobBody]


class RunBody(BaseModel):
    """A question that was asked, however it was, and what came of it."""

    id: str
    object: Literal["run"] = "run"
    created_at: float
    asked: QuestionBody
    answer: AnswerBody | None


class RunList(BaseModel):
    """Runs, the newest first."""

    object: Literal["list"] = "list"
    data: list[RunBody]


class VideoListed(BaseModel):
    """A video under one of the server's folders."""

    name: str = Field(description="what to ask with")
    bytes: int


class VideoList(BaseModel):
    """Videos by name."""

    object: Literal["list"] = "list"
    data: list[VideoListed]
