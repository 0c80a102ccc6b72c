"""A direct question to a model, and its conversion to messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from langchain_core.messages import BaseMessage, SystemMessage, convert_to_messages
from langchain_core.tools import BaseTool

from vidagent.agents.client.media import holds_video
from vidagent.agents.direct.attachments import Image
from vidagent.agents.direct.video_input import Clip, SentVideo, prepare_video
from vidagent.agents.profiles.schema import Profile
from vidagent.agents.prompting.messages import Part, count_frames
from vidagent.errors import UsageError
from vidagent.text import repair_surrogates

Attached = Image | Clip
ClipParts = Callable[[Clip], tuple[Part, ...]]
"""Prepares a video for the server and returns its parts of the message."""
Tool = BaseTool | dict[str, Any]
"""A LangChain tool, or one in OpenAI's format."""
Turn = BaseMessage | Mapping[str, Any]
"""A LangChain message, or one in OpenAI's format, whose content may contain plain texts and attachments:
`{"role": "user", "content": ["What is this?", image("a.jpg")]}`."""


class Options(TypedDict, total=False):
    """Options of a question; `Question` documents each."""

    system: str | None
    history: Sequence[Turn]
    tools: Sequence[Tool]
    max_tokens: int
    think: bool | None
    thinking_tokens: int | None
    temperature: float | None
    response_format: Mapping[str, Any] | None
    max_num_tiles: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """One question to a model.

    Args:
        text: The question; empty to let the model continue where the history ends, such as after a tool's result.
        attached: Images and videos, which follow the text in this order.
        system: The system prompt.
        history: Earlier turns, oldest first.
        tools: Functions that the model may call.
        max_tokens: Most tokens of the reply, thinking included.
        think: Whether the model should think before it replies; None leaves it to the server, unless `thinking_tokens`
            decides it.
        thinking_tokens: Most tokens of the thought, below `max_tokens`; at most three quarters of these are used. 0
            switches thinking off.
        temperature: Randomness of the reply; None for the profile's.
        response_format: Format of the reply, as in OpenAI's API.
        max_num_tiles: Most tiles that the server cuts a picture into.

    Raises:
        UsageError: If there is nothing to reply to, or a number is out of range.
    """

    text: str
    attached: tuple[Attached, ...] = ()
    system: str | None = None
    history: Sequence[Turn] = ()
    tools: Sequence[Tool] = ()
    max_tokens: int = 1024
    think: bool | None = None
    thinking_tokens: int | None = None
    temperature: float | None = None
    response_format: Mapping[str, Any] | None = None
    max_num_tiles: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers, and replace lone surrogates in the text."""
        object.__setattr__(self, "text", repair_surrogates(self.text))
        if not (self.text or self.attached or self.history):
            raise UsageError("a question has a text, an attachment or a history; got none of them")
        if self.max_tokens < 1:
            raise UsageError(f"max_tokens must be 1 or more, got {self.max_tokens}")
        if self.thinking_tokens is not None and not 0 <= self.thinking_tokens < self.max_tokens:
            raise UsageError(
                f"thinking_tokens is from 0 to below max_tokens ({self.max_tokens}); got {self.thinking_tokens}"
            )
        if self.think is False and self.thinking_tokens:
            raise UsageError(
                f"thinking_tokens goes with thinking; got think=False and {self.thinking_tokens}"
            )
        if self.max_num_tiles is not None and self.max_num_tiles < 1:
            raise UsageError(f"max_num_tiles must be 1 or more, got {self.max_num_tiles}")

    @property
    def thinks(self) -> bool | None:
        """Whether the model should think; None leaves it to the server."""
        return self.think if self.thinking_tokens is None else self.thinking_tokens > 0

    @property
    def turn(self) -> tuple[Turn, ...]:
        """The user's turn, if any: a text alone is a string, as servers of text models expect."""
        if not self.attached:
            return ({"role": "user", "content": self.text},) if self.text else ()
        text = [self.text] if self.text else []
        return ({"role": "user", "content": [*text, *self.attached]},)


@dataclass(frozen=True, slots=True)
class ComposedQuestion:
    """A question in one server's format.

    Args:
        messages: Its messages.
        body: Request fields that belong to its media.
        frames: Pictures sent, those inside a video included.
        notes: Differences from the request.
    """

    messages: list[BaseMessage]
    body: dict[str, Any]
    frames: int
    notes: tuple[str, ...]


def compose(question: Question, profile: Profile) -> ComposedQuestion:
    """Compose the messages of a question, and read its attachments.

    Raises:
        UsageError: If an attachment cannot be read or the server does not support such a request.
        VideoError: If a video must be read here and cannot be.
    """
    videos: list[SentVideo] = []

    def parts_of_clip(clip: Clip) -> tuple[Part, ...]:
        videos.append(prepare_video(clip, profile))
        return videos[-1].parts

    system: list[BaseMessage] = [] if question.system is None else [SystemMessage(question.system)]
    turns = [_message(turn, parts_of_clip) for turn in (*question.history, *question.turn)]
    messages = [*system, *turns]
    body = {**_processing(question, profile, messages), **_sampling(videos)}
    frames = count_frames(messages) + sum(one.frames for one in videos)
    notes = tuple(one.note for one in videos if one.note is not None)
    return ComposedQuestion(messages, body, frames, notes)


def _sampling(videos: Sequence[SentVideo]) -> dict[str, Any]:
    """Return `media_io_kwargs`, which apply to every video of a request."""
    samplings = [dict(one.sampling) for one in videos if one.sampling is not None]
    if len(videos) > 1 and any(one.listed for one in videos):
        raise UsageError(
            f"a video whose frames are taken here must be the only one of a request; got {len(videos)} videos"
        )
    if any(one != samplings[0] for one in samplings):
        raise UsageError(
            f"all videos of a request are sampled alike; got {' and '.join(map(str, samplings))}"
        )
    return {"media_io_kwargs": {"video": samplings[0]}} if samplings else {}


def _message(turn: Turn, parts_of_clip: ClipParts) -> BaseMessage:
    if isinstance(turn, BaseMessage):
        return turn
    content = turn.get("content")
    if not isinstance(content, str) and isinstance(content, Iterable):
        content = [part for item in content for part in _parts(item, parts_of_clip)]
    try:
        return convert_to_messages([{**turn, "content": content or ""}])[0]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"a turn of the history is no message: {str(error).splitlines()[0]}") from None


def _parts(item: object, parts_of_clip: ClipParts) -> Iterable[Part]:
    if isinstance(item, Image):
        return (item.part(),)
    if isinstance(item, Clip):
        return parts_of_clip(item)
    if isinstance(item, str):
        return ({"type": "text", "text": item},)
    if isinstance(item, dict):
        return (item,)
    raise UsageError(f"a content holds texts, attachments and parts; got {type(item).__name__}")


def _processing(question: Question, profile: Profile, messages: Sequence[BaseMessage]) -> dict[str, Any]:
    """Return the server's options for tiling pictures."""
    limits, tiles = profile.media, question.max_num_tiles
    if not limits.per_request:
        if tiles is not None:
            raise UsageError(
                f"max_num_tiles goes with a request only to a server that takes it (vLLM with "
                f"--trust-request-mm-kwargs, and media.per_request in the profile, here {profile.name})"
            )
        return {}
    kwargs = {
        **(limits.processor if count_frames(messages) else {}),
        **(limits.video_processor if holds_video(messages) else {}),
        **({} if tiles is None else {"max_num_tiles": tiles}),
    }
    return {"mm_processor_kwargs": kwargs} if kwargs else {}
