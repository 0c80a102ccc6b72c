"""Ask a vision-language model directly, without the agent: images, videos, turns, tools, thoughts, batches.

    vlm = VLM.connect("http://127.0.0.1:8000/v1")
    reply = await vlm.ask("What is in this video?", video("talk.mp4", fps=2), thinking_tokens=256)
    print(reply.text, reply.usage.prompt_tokens)

Requests follow the guides of vLLM and NIM for these formats; the model's profile decides the rest.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Unpack
from weakref import WeakKeyDictionary

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolCall
from langchain_core.utils.function_calling import convert_to_openai_tool

from vidagent import config
from vidagent.agents.client.chat_call import StreamKind, thought_in
from vidagent.agents.client.client import ModelClient
from vidagent.agents.client.limits import CallLimits, CallNeed, CallUsage
from vidagent.agents.client.media import holds_video
from vidagent.agents.client.request_builder import thinking_mode
from vidagent.agents.direct.question import Attached, Options, Question, Turn, compose
from vidagent.agents.parsing.reply_parser import UnreadableError, parse_calls, split_thought
from vidagent.agents.profiles.schema import Profile
from vidagent.agents.prompting.control_tokens import unmarked
from vidagent.agents.server import model_choice
from vidagent.agents.server.connection import ServerError
from vidagent.agents.server.endpoint import Endpoint
from vidagent.errors import ModelError, UsageError, VidagentError
from vidagent.keywords import check_keywords
from vidagent.types import Step

TextKind = Literal["thought", "text"]
OnText = Callable[[TextKind, str], None]
"""Receives a reply as it is generated: pieces of the thought, and of the text."""

_UNTRUSTED = "--trust-request-mm-kwargs"


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to a question.

    Args:
        text: Its text; empty if it only calls functions.
        thought: The thought before it, as far as the server reveals it.
        tool_calls: Its function calls, with arguments in dicts.
        usage: Its cost: prompt, completion, thinking and cached tokens, seconds, requests, pictures.
        finish_reason: Why it ended, as the server reports: `stop`, `length`, `tool_calls`.
        notes: Where and why the request differed from the question.
        history: The conversation up to here, for the next question.
    """

    text: str
    thought: str
    tool_calls: tuple[ToolCall, ...]
    usage: CallUsage
    finish_reason: str | None
    notes: tuple[str, ...]
    history: tuple[Turn, ...]


@dataclass
class _QuestionBudget:
    """The limits of one question, and the cost of its requests."""

    limits: CallLimits
    usage: CallUsage = field(default_factory=lambda: CallUsage(requests=0))

    async def admit(self, step: Step, need: CallNeed) -> CallLimits:
        return self.limits

    def record(self, step: Step, usage: CallUsage) -> None:
        self.usage += usage


@dataclass
class _Stream:
    """Passes a reply on as it is generated, and remembers whether any of it arrived."""

    on_text: OnText | None
    started: bool = False

    def __call__(self, kind: StreamKind, words: str) -> None:
        if kind == "begin":
            return
        self.started = True
        if self.on_text is not None:
            self.on_text(kind, words)


class VLM:
    """A model on a server, asked directly.

    Args:
        chat: The chat model.
        profile: How to use it.
        endpoint: The server's tokenizer, for thoughts whose tokens a reply does not report; None for that of the chat
            model's server.
        concurrency: Most questions in progress at once.

    Attributes:
        name: The model's name.

    Raises:
        UsageError: If `concurrency` is below 1.
    """

    def __init__(
        self, chat: BaseChatModel, profile: Profile, *, endpoint: Endpoint | None = None, concurrency: int = 4
    ) -> None:
        """Prepare the client; nothing is sent yet."""
        if concurrency < 1:
            raise UsageError(f"concurrency must be 1 or more, got {concurrency}")
        self._client = ModelClient(chat, profile, endpoint)
        self.name, self.profile = self._client.name, profile
        self._concurrency = concurrency
        self._slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    @classmethod
    def connect(
        cls,
        base_url: str | None = None,
        model: str | None = None,
        *,
        api_key: str | None = None,
        profile: str | None = None,
        concurrency: int = 4,
    ) -> VLM:
        """Find a model on a server; missing arguments come from the settings (`VIDAGENT_*`, `vidagent.toml`).

        Args:
            base_url: The server's base URL; by default port 8000 on this machine, unless a setting says otherwise.
            model: The model's name; by default the first that the server lists.
            api_key: The server's key.
            profile: A profile by name, or the path of a .toml file; by default the one that fits the model's name.
            concurrency: Most questions in progress at once.

        Raises:
            ModelError: If the server's models must be listed, and it cannot be reached or has none.
            UsageError: If an argument or a setting has a bad value.
        """
        from vidagent.agents.client.chat_model import connect  # a second of imports

        settings = config.load(base_url=base_url, model=model, api_key=api_key, profile=profile)
        url = settings.base_url or model_choice.local_url()
        name = settings.model or model_choice.first_model(url, settings)
        key = model_choice.key_for(settings)
        chat = connect(url, name, api_key=key)
        endpoint = Endpoint(url, key, model=name)
        return cls(
            chat, model_choice.profile_for(name, settings, url), endpoint=endpoint, concurrency=concurrency
        )

    async def ask(
        self, text: str, *attached: Attached, on_text: OnText | None = None, **options: Unpack[Options]
    ) -> Reply:
        """Ask one question.

        Args:
            text: The question.
            attached: Images and videos.
            on_text: Receives the reply as it is generated.
            options: The other fields of a `Question`.

        Raises:
            UsageError: If this model cannot be asked the question or given an attachment.
            VideoError: If a video must be read here and cannot be.
            ModelError: If the server cannot be reached, refuses or fails.
        """
        check_keywords("VLM.ask", options, {"on_text", *Options.__annotations__})
        return await self._reply(Question(text, attached, **options), on_text)

    async def stream(
        self, text: str, *attached: Attached, **options: Unpack[Options]
    ) -> AsyncIterator[tuple[TextKind, str]]:
        """Yield a reply as it is generated, as `("thought", words)` and `("text", words)`; errors as in `ask`.

        Leaving early ends the request; `contextlib.aclosing` makes that happen at once.
        """
        check_keywords("VLM.stream", options, Options.__annotations__)
        queue: asyncio.Queue[tuple[TextKind, str] | None] = asyncio.Queue()
        question = Question(text, attached, **options)
        task = asyncio.create_task(self._reply(question, lambda kind, words: queue.put_nowait((kind, words))))
        task.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (item := await queue.get()) is not None:
                yield item
            await task
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def batch(self, questions: Sequence[Question | str]) -> list[Reply | VidagentError]:
        """Ask many questions, up to `concurrency` at a time.

        Returns:
            For each question, in order, its reply, or the error that ended it.
        """
        prepared = [Question(one) if isinstance(one, str) else one for one in questions]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._outcome(one)) for one in prepared]
        return [task.result() for task in tasks]

    async def _outcome(self, question: Question) -> Reply | VidagentError:
        try:
            return await self._reply(question)
        except VidagentError as error:
            return error

    async def _reply(self, question: Question, on_text: OnText | None = None) -> Reply:
        slots = self._slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._concurrency))
        async with slots:
            began = time.monotonic()
            composed = await asyncio.to_thread(compose, question, self.profile)
            tokens = 0 if question.thinks is False else question.thinking_tokens
            budget = _QuestionBudget(CallLimits(None, question.max_tokens, tokens))
            stream = _Stream(on_text)
            shape = question.response_format
            try:
                message = await self._client.chat(
                    composed.messages,
                    budget,
                    frames=composed.frames,
                    on_stream=None if on_text is None else stream,
                    may_repeat=lambda: not stream.started,
                    tools=question.tools,
                    think=question.thinks,
                    body={**composed.body, **({} if shape is None else {"response_format": dict(shape)})},
                    options={} if question.temperature is None else {"temperature": question.temperature},
                )
            except ServerError as error:
                if _UNTRUSTED in error.detail:
                    raise self._untrusted(error) from None
                raise
            usage = dataclasses.replace(budget.usage, seconds=time.monotonic() - began)
            reply = _reply_of(message, question, usage)
            if not stream.started and reply.text:
                stream("text", reply.text)
            why = self._why_no_thought(question, video=holds_video(composed.messages))
            return dataclasses.replace(reply, notes=(*composed.notes, *why, *reply.notes))

    def _why_no_thought(self, question: Question, *, video: bool) -> tuple[str, ...]:
        """Say why there is no thought although one was asked for."""
        thinking, tokens = self.profile.direct_thinking, question.thinking_tokens
        if not question.thinks:
            return ()
        if not thinking.can:
            return (f"no thinking: profile {self.profile.name} says that the model does not reason",)
        if video and not thinking.with_video:
            return ("no thinking: the model does not reason over a video",)
        if thinking_mode(thinking, "compose", video=video, tokens=tokens, most=question.max_tokens) == "off":
            return (
                f"no thinking: nothing here holds a thought to {tokens} tokens; think=True sets no limit",
            )
        return ()

    def _untrusted(self, error: ServerError) -> ModelError:
        fields = [name for name in ("media_io_kwargs", "mm_processor_kwargs") if name in error.detail]
        return ModelError(
            f"{self._client.title} takes no {' and '.join(fields)} with a request: start vLLM with {_UNTRUSTED}, "
            "or ask without fps, num_frames, here and max_num_tiles"
        )


def _reply_of(message: AIMessage, question: Question, usage: CallUsage) -> Reply:
    """Parse a reply, including function calls that the model wrote into its text."""
    text = split_thought(message.text)[1]
    calls, problem = _tool_calls(message, text, question)
    text = "" if calls and not message.tool_calls else unmarked(text)
    return Reply(
        text=text,
        thought=unmarked(thought_in(message)),
        tool_calls=calls,
        usage=usage,
        finish_reason=message.response_metadata.get("finish_reason"),
        notes=() if problem is None else (problem,),
        history=(*question.history, *question.turn, AIMessage(text, tool_calls=list(calls))),
    )


def _tool_calls(message: AIMessage, text: str, question: Question) -> tuple[tuple[ToolCall, ...], str | None]:
    """Return the function calls, in whatever notation, and the problem if they cannot be used."""
    if not question.tools:
        return (), None
    known = [str(convert_to_openai_tool(tool)["function"]["name"]) for tool in question.tools]
    readable = message.model_copy(update={"additional_kwargs": {}}) if text else message
    try:
        return tuple(parse_calls(readable, known)), None
    except UnreadableError as error:
        attempted = message.tool_calls or message.invalid_tool_calls
        return (), f"a function call cannot be used: {error}" if attempted else None
