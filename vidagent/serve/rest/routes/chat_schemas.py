"""Bodies of OpenAI's chat completions, with extra fields for questions about videos."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.schemas import QuestionBody

MODEL = "vidagent"


class Address(BaseModel):
    """URL, path or id of a video."""

    url: str


class FileRef(BaseModel):
    """An uploaded video."""

    file_id: str


class TextPart(BaseModel):
    """A text."""

    type: Literal["text"]
    text: str


class VideoPart(BaseModel):
    """A video, named as in a question: a file's id, a path or a URL."""

    type: Literal["video_url"]
    video_url: Address


class FilePart(BaseModel):
    """An uploaded video."""

    type: Literal["file"]
    file: FileRef


Part = Annotated[TextPart | VideoPart | FilePart, Field(discriminator="type")]


class Message(BaseModel):
    """A message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None

    def parts(self) -> list[TextPart | VideoPart | FilePart]:
        """Return the content as parts."""
        if isinstance(self.content, str):
            return [TextPart(type="text", text=self.content)]
        return self.content or []


class StreamOptions(BaseModel):
    """Options of a stream."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """A conversation whose last message is a question about a video.

    The question stands alone: earlier messages may name the video and are otherwise ignored; `session` is for follow-up
    questions. Fields of other models, such as `temperature`, are accepted and ignored.
    """

    model: str
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    options: list[str] | None = None
    budget: dict[str, Any] | None = None
    session: str | None = None

    def question(self) -> QuestionBody:
        """Return the question.

        Raises:
            ApiError: If the model, the question or the video is missing.
            ValidationError: If the question is not valid.
        """
        if self.model != MODEL:
            raise model_not_found()
        if self.messages[-1].role != "user":
            raise ApiError(422, "no_question", "the last message must be the user's question")
        words = [part.text for part in self.messages[-1].parts() if isinstance(part, TextPart)]
        videos = [
            part.file.file_id if isinstance(part, FilePart) else part.video_url.url
            for message in self.messages
            for part in message.parts()
            if not isinstance(part, TextPart)
        ]
        if not videos:
            message = "name the video in a part of type `video_url`, or `file` with a `file_id`"
            raise ApiError(422, "no_video", message)
        fields = {"options": self.options, "budget": self.budget, "session": self.session}
        return QuestionBody.model_validate(
            {"video": videos[-1], "question": "\n".join(words).strip(), **fields}
        )


class Model(BaseModel):
    """A model."""

    id: str = MODEL
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["vidagent"] = "vidagent"


class ModelList(BaseModel):
    """The available models."""

    object: Literal["list"] = "list"
    data: list[Model]


def model_not_found() -> ApiError:
    """Return the error for any other model."""
    return ApiError(404, "model_not_found", f"the only model here is {MODEL}")
