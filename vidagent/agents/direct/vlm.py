"""Asking a vision-language model directly, without the agent: images, videos, turns, tools, thoughts, many at once.

    vlm = VLM.connect("http://127.0.0.1:8000/v1")
    reply = await vlm.ask("What is in this video?", video("talk.mp4", fps=2), thinking_tokens=256)
    print(reply.text, reply.usage.prompt_tokens)

A request says what the guides of vLLM and NIM say for these forms; what the model's profile knows of its server
decides the rest.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Unpack
from weakref import WeakKeyDictionary

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage

from vidagent import config
from vidagent.agents.client import token_count
from vidagent.agents.client.chat_call import Exchange, Heard, Spent
from vidagent.agents.client.limits import CallLimits
from vidagent.agents.client.media import holds_video
from vidagent.agents.client.request import Request
from vidagent.agents.client.request_builder import Dialect
from vidagent.agents.client.thinking import mode
from vidagent.agents.direct.question import Attached, Composed, Options, Question, compose
from vidagent.agents.direct.reply import Reply, read
from vidagent.agents.profiles.schema import Media, Profile, Thinking
from vidagent.agents.server import model_choice
from vidagent.agents.server.connection import ServerError, may_retry, public_url, retry
from vidagent.agents.server.endpoint import Endpoint
from vidagent.errors import ModelError, UsageError, VidagentError

Said = Literal["thought", "text"]
Listen = Callable[[Said, str], None]
"""Takes the words of a reply as they come."""

_UNTRUSTED = "--trust-request-mm-kwargs"


@dataclass
class _Run:
    """One question on its way: who listens, and what its requests cost."""

    question: Question
    asked: Composed
    hear: Listen | None
    heard: bool = False
    sent: int = 0
    spent: list[Spent] = field(default_factory=list)

    def tell(self, kind: Heard, words: str) -> None:
        """Pass words on as they come."""
        if kind == "begin":
            return
        self.heard = True
        if self.hear is not None:
            self.hear(kind, words)


class VLM:
    """A model on a server, asked directly.

    Args:
        chat: The chat model.
        profile: How to use it.
        endpoint: The server beside chat, for counting the tokens of a thought where the server does not.
        concurrency: Most questions under way at the same time.

    Attributes:
        name: The model's name.

    Raises:
        UsageError: If `concurrency` is below 1.
    """

    def __init__(
        self, chat: BaseChatModel, profile: Profile, *, endpoint: Endpoint | None = None, concurrency: int = 4
    ) -> None:
        """Keep whom to ask; nothing is sent yet."""
        if concurrency < 1:
            raise UsageError(f"concurrency must be 1 or more, got {concurrency}")
        self.name = str(getattr(chat, "model_name", None) or profile.name)
        self.profile = profile
        self._chat, self._endpoint, self._concurrency = chat, endpoint, concurrency
        self._plain = Dialect(_direct(profile, Thinking()))
        self._thinking = Dialect(_direct(profile, dataclasses.replace(profile.thinking, steps=("compose",))))
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
        """Find a model on a server; what is not given comes from the settings (`VIDAGENT_*`, `vidagent.toml`).

        Args:
            base_url: The server's base URL; on this machine, port 8000, unless a setting says otherwise.
            model: The model's name; the first that the server lists.
            api_key: The server's key.
            profile: A profile by name, or the path of a .toml file; the one that fits the model's name.
            concurrency: Most questions under way at the same time.

        Raises:
            ModelError: If the server's models have to be listed, and it cannot be reached or has none.
            UsageError: If an argument or a setting has a bad value.
        """
        from vidagent.agents.client.chat_model import connect  # a second of imports

        settings = config.load(base_url=base_url, model=model, api_key=api_key, profile=profile)
        url = settings.base_url or model_choice.LOCAL_URL
        name = settings.model or model_choice.first_model(url, settings)
        key = settings.api_key.get_secret_value() if settings.api_key else None
        chat = connect(url, name, api_key=key)
        endpoint = Endpoint(url, key, model=name)
        return cls(chat, model_choice.profile_for(name, settings), endpoint=endpoint, concurrency=concurrency)

    async def ask(
        self, text: str, *attached: Attached, hear: Listen | None = None, **options: Unpack[Options]
    ) -> Reply:
        """Ask one question.

        Args:
            text: The question.
            attached: Images and videos.
            hear: Takes the words of the reply as they come.
            options: The other fields of a `Question`.

        Raises:
            UsageError: If the question, or an attachment, cannot be asked of this model.
            VideoError: If a video has to be read here and cannot be.
            ModelError: If the server cannot be reached, refuses or fails.
        """
        return await self._reply(Question(text, attached, **options), hear)

    async def stream(
        self, text: str, *attached: Attached, **options: Unpack[Options]
    ) -> AsyncIterator[tuple[Said, str]]:
        """Yield the words of a reply as they come, as `("thought", words)` and `("text", words)`; errors as in `ask`.

        Leaving early ends the request; `contextlib.aclosing` makes that happen at once.
        """
        words: asyncio.Queue[tuple[Said, str] | None] = asyncio.Queue()
        question = Question(text, attached, **options)
        task = asyncio.create_task(self._reply(question, lambda kind, said: words.put_nowait((kind, said))))
        task.add_done_callback(lambda _: words.put_nowait(None))
        try:
            while (item := await words.get()) is not None:
                yield item
            await task
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def batch(self, questions: Sequence[Question | str]) -> list[Reply | VidagentError]:
        """Ask many questions, so many at a time as `concurrency` says.

        Returns:
            For each question, in their order, its reply, or the error that ended it.
        """
        asked = [Question(one) if isinstance(one, str) else one for one in questions]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._outcome(one)) for one in asked]
        return [task.result() for task in tasks]

    async def _outcome(self, question: Question) -> Reply | VidagentError:
        try:
            return await self._reply(question)
        except VidagentError as error:
            return error

    async def _reply(self, question: Question, hear: Listen | None = None) -> Reply:
        slots = self._slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._concurrency))
        async with slots:
            began = time.monotonic()
            run = _Run(question, await asyncio.to_thread(compose, question, self.profile), hear)
            message = await self._answered(run)
            await self._count_thoughts(run)
            return self._read(message, run, time.monotonic() - began)

    def _read(self, message: AIMessage, run: _Run, seconds: float) -> Reply:
        asked, frames = run.asked, run.asked.frames
        prompt = token_count.prompt_tokens(asked.messages, frames, self.profile.frame_tokens)
        reply = read(message, run.question, token_count.usage(run.spent, run.sent, frames, prompt, seconds))
        if not run.heard and reply.text:
            run.tell("text", reply.text)
        unthought = self._unthought(run.question, video=holds_video(asked.messages))
        return dataclasses.replace(reply, notes=(*asked.notes, *unthought, *reply.notes))

    async def _answered(self, run: _Run) -> AIMessage:
        """Get a reply; try again if the server was busy, or with less if it refuses a feature."""
        builder = self._plain if run.question.thinks is None else self._thinking
        return await retry(
            lambda: self._supported(builder, run),
            allowed=lambda error, attempt: may_retry(error, attempt) and not run.heard,
        )

    async def _supported(self, builder: Dialect, run: _Run) -> AIMessage:
        """Get one reply, without the features that the server refuses."""
        while True:
            request = _request(builder, run)
            try:
                return await self._exchange(request, builder.profile.thinking, run)
            except ServerError as error:
                if _UNTRUSTED in error.detail:
                    raise self._untrusted(error) from None
                if not builder.give_up(error, request):
                    raise

    async def _exchange(self, request: Request, thinking: Thinking, run: _Run) -> AIMessage:
        exchange = Exchange(self._chat, thinking, run.tell)
        try:
            async with asyncio.timeout(self.profile.timeout_s):
                return await exchange.put(request)
        except TimeoutError:
            raise ModelError(f"{self._title} did not reply within {self.profile.timeout_s:g} s") from None
        finally:
            run.sent += exchange.sent
            run.spent += exchange.spent

    async def _count_thoughts(self, run: _Run) -> None:
        """Have thoughts counted by the server's tokenizer where it did not count them itself."""
        for number, one in enumerate(run.spent):
            if self._endpoint is None or not one.thought or one.thinking_tokens is not None:
                continue
            with suppress(ServerError):  # the reply is there: its length tells about as much
                counted = await self._endpoint.tokenize(one.thought)
                run.spent[number] = dataclasses.replace(one, thinking_tokens=counted)

    def _unthought(self, question: Question, *, video: bool) -> tuple[str, ...]:
        """Say why there is no thought although one was wanted."""
        thinking, tokens = self._thinking.profile.thinking, question.thinking_tokens
        if not question.thinks:
            return ()
        if not thinking.can:
            return (f"no thinking: profile {self.profile.name} says that the model does not reason",)
        if video and not thinking.with_video:
            return ("no thinking: the model does not reason over a video",)
        if mode(thinking, "compose", video=video, tokens=tokens, most=question.max_tokens) == "off":
            return (
                f"no thinking: nothing here holds a thought to {tokens} tokens; think=True sets no limit",
            )
        return ()

    def _untrusted(self, error: ServerError) -> ModelError:
        fields = [name for name in ("media_io_kwargs", "mm_processor_kwargs") if name in error.detail]
        return ModelError(
            f"{self._title} takes no {' and '.join(fields)} with a request: start vLLM with {_UNTRUSTED}, "
            "or ask without fps, num_frames, here and max_num_tiles"
        )

    @property
    def _title(self) -> str:
        url = getattr(self._chat, "openai_api_base", None)
        return f"model {self.name!r}" + (f" at {public_url(str(url))}" if url else "")


def _direct(profile: Profile, thinking: Thinking) -> Profile:
    """Return a profile for questions outside the agent: limits are the question's, media are ready as they are."""
    return dataclasses.replace(profile, completion_tokens={}, thinking=thinking, media=Media())


def _request(dialect: Dialect, run: _Run) -> Request:
    question = run.question
    tokens = 0 if question.thinks is False else question.thinking_tokens
    limits = CallLimits(completion_tokens=question.max_tokens, thinking_tokens=tokens)
    put = dialect.say(run.asked.messages, limits, tools=tuple(question.tools), stream=run.hear is not None)
    shape = {} if question.response_format is None else {"response_format": dict(question.response_format)}
    body = {**put.body, **run.asked.body, **shape}
    options: dict[str, Any] = {**put.options, **({"extra_body": body} if body else {})}
    if question.temperature is not None:
        options["temperature"] = question.temperature
    return dataclasses.replace(put, options=options, frames=run.asked.frames)
