"""Chat completions as OpenAI's clients send them, with what a question about a video needs beside them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.schemas import QuestionBody

MODEL = "vidagent"


class Address(BaseModel):
    """Where a video is."""

    url: str


class FileRef(BaseModel):
    """An uploaded video."""

    file_id: str


class TextPart(BaseModel):
    """Words."""

    type: Literal["text"]
    text: str


class VideoPart(BaseModel):
    """A video, named as in a question: a file's id, a path, or an address."""

    type: Literal["video_url"]
    video_url: Address


class FilePart(BaseModel):
    """An uploaded video."""

    type: Literal["file"]
    file: FileRef


Part = Annotated[TextPart | VideoPart | FilePart, Field(discriminator="type")]


class Message(BaseModel):
    """A turn of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None

    def parts(self) -> list[TextPart | VideoPart | FilePart]:
        """Return what it says, as parts."""
        if isinstance(self.content, str):
            return [TextPart(type="text", text=self.content)]
        return self.content or []


class StreamOptions(BaseModel):
    """What a stream tells beside the answer."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """A conversation whose last turn is a question about a video.

    The question stands alone: earlier turns may name the video, and are not read otherwise; `session` is for questions
    that follow each other. Fields of other models, such as `temperature`, are taken and not used.
    """

    model: str
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    options: list[str] | None = None
    budget: dict[str, Any] | None = None
    session: str | None = None

    def asked(self) -> QuestionBody:
        """Return the question.

        Raises:
            ApiError: If the model, the question or the video is missing.
            ValidationError: If it is not a legal question.
        """
        if self.model != MODEL:
            raise ApiError(404, "model_not_found", f"there is one model here: {MODEL}")
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
            told = "name the video in a part of type `video_url`, or `file` with a `file_id`"
            raise ApiError(422, "no_video", told)
        wanted = {"options": self.options, "budget": self.budget, "session": self.session}
        return QuestionBody.model_validate(
            {"video": videos[-1], "question": "\n".join(words).strip(), **wanted}
        )


class Model(BaseModel):
    """A model that may be asked."""

    id: str = MODEL
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["vidagent"] = "vidagent"


class ModelList(BaseModel):
    """The models that may be asked."""

    object: Literal["list"] = "list"
    data: list[Model]
