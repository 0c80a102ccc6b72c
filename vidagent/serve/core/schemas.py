"""JSON bodies of requests and responses: questions, answers, files, jobs, runs and videos."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from vidagent.agents.direct.attachments import is_data
from vidagent.errors import UsageError
from vidagent.serve.core.errors import ErrorDetail
from vidagent.summary import QUESTIONS, Length
from vidagent.tools.data_schema import read_schema
from vidagent.types import Budget, Limit, Status, Step, Verdict
from vidagent.video.folder import MAX_VIDEOS

MAX_CHARACTERS = 20_000
MAX_NAME = 4096
MAX_OPTIONS = 100
MAX_MODEL = 200
MAX_TITLE = 200
_MAX = 10**9
HOW_TO_UPLOAD = "upload the video with POST /v1/files, and name it by the id in the reply"


def _valid_unicode(text: str) -> str:
    """Refuse lone surrogates, which JSON can escape and UTF-8 cannot encode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode text; it contains a lone surrogate") from None
    return text


def _names_a_video(video: object) -> object:
    """Refuse a data URL by what to do instead, as it would else be called too long a name."""
    if isinstance(video, str) and is_data(video):
        raise ValueError(f"must be the name of a video, not a data URL: {HOW_TO_UPLOAD}")
    return video


Text = Annotated[str, AfterValidator(_valid_unicode)]
VideoName = Annotated[
    Text,
    BeforeValidator(_names_a_video),
    Field(
        min_length=1,
        max_length=MAX_NAME,
        description="the id of an uploaded file, a path under one of the server's folders, or a URL on one of the "
        "hosts it may download from",
    ),
]
Count = Annotated[int | None, Field(gt=0, le=_MAX, strict=True)]


class Limits(BaseModel):
    """Limits on the cost of an answer; the server's own limits apply as well."""

    model_config = ConfigDict(extra="forbid")

    seconds: float | None = Field(default=None, gt=0, le=_MAX, allow_inf_nan=False, strict=True)
    steps: Count = None
    model_calls: Count = None
    prompt_tokens: Count = None
    computed_tokens: Count = None
    completion_tokens: Count = None
    thinking_tokens: int | None = Field(default=None, ge=0, le=_MAX, strict=True)
    frames: Count = None

    def budget(self) -> Budget:
        """Return these limits as the agent's budget."""
        return Budget(**self.model_dump())


def _asks(schema: dict[str, Any]) -> None:
    """Say in a schema that a question or the length of a summary is needed."""
    schema["required"] = [name for name in schema["required"] if name != "question"]
    summary = {"properties": {"summary": {"enum": list(QUESTIONS)}}, "required": ["summary"]}
    schema["anyOf"] = [{"required": ["question"]}, summary]


def _without_patterns(schema: object) -> object:
    """Refuse regular expressions, as some take for ever on a text made for them."""
    if isinstance(schema, dict) and {"pattern", "patternProperties"} & schema.keys():
        raise ValueError("pattern and patternProperties are not supported here")
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _without_patterns(inner)
    return schema


def _readable(schema: dict[str, Any]) -> dict[str, Any]:
    """Refuse what is no JSON Schema."""
    try:
        read_schema(schema)
    except UsageError as error:
        raise ValueError(str(error)) from None
    return schema


DataSchema = Annotated[dict[str, Any], BeforeValidator(_without_patterns), AfterValidator(_readable)]
"""A JSON Schema of the data of an answer."""


class QuestionBody(BaseModel):
    """A question about a video, or the wish for a summary of it."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, json_schema_extra=_asks)

    video: VideoName
    more_videos: list[VideoName] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_VIDEOS - 1,
        description="further videos to ask about together with `video`; the answer then has `videos`, and each span, "
        "part and claim the index of its video",
    )
    question: Text = Field(
        min_length=1, max_length=MAX_CHARACTERS, description="the question; not needed with `summary`"
    )
    summary: Length | None = Field(
        default=None,
        description="how long a summary is wanted, in place of a question; the answer then has `chapters`, "
        "`highlights`, `sentences` and `left_out`",
    )
    schema_: DataSchema | None = Field(
        default=None,
        alias="schema",
        description="JSON Schema of the data that is wanted; the answer then has `data`, which follows it with null "
        "for what could not be proved, and `fields`, which say what proves each value, or why it is null",
    )
    options: list[Annotated[Text, Field(min_length=1, max_length=MAX_CHARACTERS)]] | None = Field(
        default=None, min_length=2, max_length=MAX_OPTIONS, description="answers to choose from"
    )
    model: Annotated[Text, Field(min_length=1, max_length=MAX_MODEL)] | None = Field(
        default=None, description="which of the models of `GET /v1/agent-models` answers"
    )
    budget: Limits | None = Field(default=None, description="limits on the cost of the answer")
    session: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,32}$",
        description="a name that you choose, for follow-up questions about one video",
    )

    @property
    def videos(self) -> list[str]:
        """All videos."""
        return [self.video, *(self.more_videos or [])]

    @model_validator(mode="before")
    @classmethod
    def _ask_for_summary(cls, body: Any) -> Any:  # noqa: ANN401 - whatever the request holds
        length = body.get("summary") if isinstance(body, dict) else None
        if not isinstance(length, str) or length not in QUESTIONS:
            return body
        return {"question": QUESTIONS[length], **body}

    @model_validator(mode="after")
    def _check_summary(self) -> Self:
        if self.summary is None:
            return self
        if self.question != QUESTIONS[self.summary]:
            raise ValueError("summary: it takes the place of the question; leave one of them out")
        for name, given in (
            ("options", self.options),
            ("schema", self.schema_),
            ("more_videos", self.more_videos),
        ):
            if given is not None:
                raise ValueError(f"{name}: a summary has none")
        return self

    @model_validator(mode="after")
    def _check_several(self) -> Self:
        if self.more_videos and self.schema_ is not None:
            raise ValueError(f"schema: a schema is for one video, and this question about {len(self.videos)}")
        if self.more_videos and self.session is not None:
            raise ValueError(
                f"session: a session is about one video, and this question about {len(self.videos)}"
            )
        if len(set(self.videos)) < len(self.videos):
            raise ValueError("more_videos: give each video once")
        return self


class FileVideo(BaseModel):
    """Properties of a video, from its container."""

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
    """Uploaded videos; if `has_more`, the next page comes `after` the last of these."""

    object: Literal["list"] = "list"
    data: list[FileBody]
    has_more: bool


class FileDeleted(BaseModel):
    """A deleted video."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


Ending = Literal["succeeded", "failed", "cancelled"]


class SpanBody(BaseModel):
    """A range of the video, `[start_s, end_s)`; of several videos, of the one with the index `video`."""

    model_config = ConfigDict(extra="allow")

    start_s: float
    end_s: float


class PartBody(BaseModel):
    """One part of an answer in parts, and the verdict on it."""

    model_config = ConfigDict(extra="allow")

    start_s: float
    end_s: float
    text: str
    verdict: Verdict


class EvidenceBody(BaseModel):
    """One claim, the time that shows it, and the verdict on it."""

    model_config = ConfigDict(extra="allow")

    time_s: float
    claim: str
    verdict: Verdict
    frame: str | None = Field(default=None, description="path of the frame on this server")
    box_px: tuple[int, int, int, int] | None = None


class CoverageBody(BaseModel):
    """How much of the video was looked at; of several, `videos` says it of each."""

    model_config = ConfigDict(extra="allow")

    seconds_seen: float
    fraction: float
    spans: list[SpanBody]


class _CostBody(BaseModel):
    model_config = ConfigDict(extra="allow")

    seconds: float
    model_calls: int
    prompt_tokens: int
    completion_tokens: int
    thinking_tokens: int
    cached_tokens: int
    frames_decoded: int
    frames_sent: int
    computed_tokens: int = 0


class StepBody(_CostBody):
    """Cost of one step."""

    step: Step


class UsageBody(_CostBody):
    """Cost of the run."""

    steps: int
    rounds: int = 0
    by_step: list[StepBody]


class BudgetBody(BaseModel):
    """The run's limits, and which of them, or `context`, ended it."""

    limit: dict[str, float | None]
    ended_by: Limit | None


class VideoBody(FileVideo):
    """The video of the question; `path` is its name as the request gave it."""

    model_config = ConfigDict(extra="allow")

    path: str


class AnswerBody(BaseModel):
    """The answer, as `vidagent ask --json` prints it; that about several videos has all of them in `videos`."""

    model_config = ConfigDict(extra="allow")

    status: Status
    answer: str
    choice: int | None
    confidence: float
    spans: list[SpanBody]
    parts: list[PartBody] = []
    count: int | None
    evidence: list[EvidenceBody]
    coverage: CoverageBody
    usage: UsageBody
    budget: BudgetBody
    video: VideoBody
    model: str
    run_id: str


class AgentModelBody(BaseModel):
    """A model that may answer questions."""

    id: str = Field(description="the name to use in questions")
    object: Literal["agent_model"] = "agent_model"
    default: bool = Field(description="whether it answers questions that name no model")
    embedded: bool = Field(
        description="whether it is the embedded one, which reads text, codes, cuts, motion and colours"
    )
    sees: bool | None = Field(
        default=None, description="whether it takes pictures; null if its server does not say"
    )
    context_tokens: int | None = None


class AgentModelList(BaseModel):
    """The models that may answer, the default one first."""

    object: Literal["list"] = "list"
    data: list[AgentModelBody]


class JobBody(BaseModel):
    """A question that is answered in the background."""

    id: str
    object: Literal["job"] = "job"
    status: Literal["queued", "running"] | Ending
    created_at: float
    ended_at: float | None
    title: str | None = Field(default=None, description="the name that its conversation was given")
    asked: QuestionBody
    run_id: str | None
    answer: AnswerBody | None
    error: ErrorDetail | None


class JobList(BaseModel):
    """Jobs, the newest first."""

    object: Literal["list"] = "list"
    data: list[JobBody]


class ConversationTitle(BaseModel):
    """The name of a conversation."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[Text, Field(min_length=1, max_length=MAX_TITLE)] | None


class ConversationDeleted(BaseModel):
    """A deleted conversation."""

    id: str
    object: Literal["conversation"] = "conversation"
    deleted: Literal[True] = True


class RunBody(BaseModel):
    """A question that was asked by any route, and its answer."""

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

    name: str = Field(description="the name to use in questions")
    bytes: int


class VideoList(BaseModel):
    """Videos under the server's folders."""

    object: Literal["list"] = "list"
    data: list[VideoListed]


class HitBody(BaseModel):
    """A place in a video that fits a query."""

    video: str = Field(description="the name to use in questions")
    time_s: float
    end_s: float
    why: str = Field(description="why it fits; what it quotes of the video is data")
    score: float = Field(description="how well it fits in comparison with the others, from 0 to 1")


class FoundBody(BaseModel):
    """The hits of a query, the best first; `searched` videos were searched, `notes` say what was not."""

    query: str
    hits: list[HitBody]
    searched: int
    notes: list[str]


class SpokenWord(BaseModel):
    """A word with its times, in seconds."""

    start_s: float
    end_s: float
    text: str


class SpokenLine(SpokenWord):
    """A line of speech with its times, in seconds."""

    speaker: str | None = Field(
        default=None, description="who says it, by the speech model's label; null if unknown"
    )
    words: list[SpokenWord] = Field(
        default=[], description="its words, where the speech model told their times"
    )


class SpokenLines(BaseModel):
    """What is transcribed of a video so far."""

    model: str | None = Field(default=None, description="the speech model; null if none is set")
    languages: list[str] = Field(default=[], description="languages spoken, the most frequent first")
    done_s: float = Field(default=0.0, description="seconds of the video that are transcribed")
    complete: bool = Field(default=False, description="whether all of the video is transcribed")
    lines: list[SpokenLine] = Field(default=[], description="the lines, in order of time")
