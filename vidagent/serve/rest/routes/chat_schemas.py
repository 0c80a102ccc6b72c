"""Bodies of OpenAI's chat completions, with extra fields for questions about videos."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from vidagent.agents.direct.attachments import is_data
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.schemas import QuestionBody
from vidagent.serve.core.storage.data_url import DataUrl

MODEL = "vidagent"


class Address(BaseModel):
    """URL, path or id of a video, or a data URL with the video itself."""

    url: str


class FileRef(BaseModel):
    """An uploaded video, or the video itself as a data URL."""

    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class TextPart(BaseModel):
    """A text."""

    type: Literal["text"]
    text: str


class VideoPart(BaseModel):
    """A video, named as in a question: a file's id, a path or a URL."""

    type: Literal["video_url"]
    video_url: Address


class FilePart(BaseModel):
    """An uploaded video, or the video itself."""

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

    def videos(self) -> list[str | DataUrl]:
        """Return the names of the videos in the last message that has any, or the videos themselves.

        Raises:
            ApiError: If the model is another one, or the question or the video is missing.
        """
        if self.model != MODEL:
            raise model_not_found()
        if self.messages[-1].role != "user":
            raise ApiError(422, "no_question", "the last message must be the user's question")
        for message in reversed(self.messages):
            videos = [video for part in message.parts() if (video := _video_of(part)) is not None]
            if videos:
                return videos
        told = "name the video in a part of type `video_url`, or `file` with a `file_id` or `file_data`"
        raise ApiError(422, "no_video", told)

    def question(self, videos: list[str]) -> QuestionBody:
        """Return the question about one video, or several.

        Raises:
            ValidationError: If it is not valid.
        """
        words = [part.text for part in self.messages[-1].parts() if isinstance(part, TextPart)]
        return QuestionBody.model_validate(
            {
                "video": videos[0],
                "more_videos": videos[1:] or None,
                "question": "\n".join(words).strip(),
                "options": self.options,
                "budget": self.budget,
                "session": self.session,
            }
        )


def _video_of(part: TextPart | VideoPart | FilePart) -> str | DataUrl | None:
    """Return the name of the video that a part names, or the video in it."""
    match part:
        case VideoPart():
            return DataUrl(part.video_url.url) if is_data(part.video_url.url) else part.video_url.url
        case FilePart() if part.file.file_data is not None:
            return DataUrl(part.file.file_data, part.file.filename)
        case FilePart():
            return part.file.file_id
    return None


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
