"""The model client: calls within budgets and deadlines, retries, and repair of unusable replies."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast
from urllib.parse import urlsplit

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, SecretStr

from vidagent import tracing
from vidagent.agents.client import corrections
from vidagent.agents.client.chat_call import ChatCall, OnStream
from vidagent.agents.client.lessons import ServerLessons
from vidagent.agents.client.limits import (
    CallBudget,
    CallLimits,
    CallNeed,
    CallUsage,
    prompt_tokens,
)
from vidagent.agents.client.reply_use import as_shown, cut_short, planned_turn, repeated
from vidagent.agents.client.request_builder import Request, RequestBuilder
from vidagent.agents.client.request_schemas import tool_tokens
from vidagent.agents.client.time_labels import with_time_labels
from vidagent.agents.parsing.reply_parser import CutTextError, UnreadableError, parse_reply
from vidagent.agents.profiles.schema import Profile, Shown
from vidagent.agents.prompting.box_forms import asked_as, frames_in, with_box_form
from vidagent.agents.prompting.messages import count_frames, frame_load, render
from vidagent.agents.prompting.replies import outline
from vidagent.agents.recording.recorder import RecordedChat, RecordedEndpoint
from vidagent.agents.recording.request_key import WriteLine
from vidagent.agents.server.connection import TRIES, ServerError, backoff_s, may_retry, public_url, retry
from vidagent.agents.server.endpoint import Endpoint
from vidagent.agents.server.known_servers import ServerMemory
from vidagent.errors import BudgetSpent, ModelError
from vidagent.types import Step

T = TypeVar("T")
TReply = TypeVar("TReply", bound=BaseModel)

_log = logging.getLogger(__name__)

_REPAIRS = 2


class ReplyError(ModelError):
    """The model was reached and asked again, but none of its replies was usable."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Call(Generic[T]):
    """How to build one call, parse its reply, and ask again after an unusable one.

    `frames` is given if pictures cannot be counted in the messages; `tool_tokens` are those of the tools, and `most`
    returns those of the reply; None for the profile's. A reply that is `judged` shows how the model thinks.
    """

    step: Step
    build: Callable[[Sequence[BaseMessage], CallLimits], Request]
    parse: Callable[[AIMessage], T]
    repair: Callable[[str], str]
    on_stream: OnStream | None
    frames: int | None = None
    tool_tokens: int = 0
    most: Callable[[Sequence[BaseMessage]], int | None] = lambda messages: None
    may_repeat: Callable[[], bool] = lambda: True
    judged: bool = True


class ModelClient:
    """Asks one model for tool calls and typed replies.

    Args:
        chat: The chat model.
        profile: How to use it.
        endpoint: The server's other endpoints; by default those of the chat model's server.
        memory: What is known of the server; what a run learns is added to it.

    Attributes:
        name: The model's name.
        where: The server's base URL, or None for a model in this process.
        own_profile: The profile, whatever the server can do.
        memory: What is known of the server.
        endpoint: The server's other endpoints, or None for a model in this process.
        others: Names of other models that could have been chosen.
        lessons: Adds to what is known of the server.
    """

    def __init__(
        self,
        chat: BaseChatModel,
        profile: Profile,
        endpoint: Endpoint | None = None,
        memory: ServerMemory | None = None,
    ) -> None:
        """Assume the features that the profile gives the server, except for what is known of it."""
        self.own_profile = profile
        self.name = str(getattr(chat, "model_name", None) or profile.name)
        url = getattr(chat, "openai_api_base", None)
        self.where = None if url is None else public_url(str(url))
        self.memory = memory or ServerMemory()
        self.others: tuple[str, ...] = ()
        self._chat = chat
        if endpoint is None and url is not None:
            endpoint = _endpoint(str(url), getattr(chat, "openai_api_key", None), self.name)
        self.endpoint = endpoint
        self._builder = RequestBuilder(profile, self.memory)
        self.lessons = ServerLessons(self.title, self.memory, profile)

    @property
    def profile(self) -> Profile:
        """The profile, without what the server cannot do."""
        return self._builder.profile

    def prompt_room(self, step: Step, tools: Sequence[BaseTool]) -> int:
        """Return how many tokens, as estimated, the messages of a step may have beside its tools and its reply."""
        return self._builder.prompt_room(step, tools)

    def recorded(self, keep: WriteLine) -> ModelClient:
        """Return a client of the same model that records every reply, the server's token counts and corrections."""
        endpoint = None if self.endpoint is None else RecordedEndpoint(self.endpoint, keep)
        client = ModelClient(RecordedChat.over(self._chat, keep), self.own_profile, endpoint, self.memory)
        client.others, client.lessons.keep = self.others, keep
        return client

    async def plan(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[BaseTool],
        budget: CallBudget,
        *,
        must_call: str | None = None,
        long: bool = False,
        on_stream: OnStream | None = None,
    ) -> AIMessage:
        """Return the planner's turn: at least one call of a known tool, arguments in a dict, ids unique.

        Args:
            messages: The planner's messages.
            tools: The tools on offer.
            budget: The budgets.
            must_call: The one tool that must be called; calls of others are dropped.
            long: Whether the reply may take what the context has left, up to four times the usual most tokens.
            on_stream: Receives the reply as it is generated.

        Raises:
            ModelError: If the server fails.
            ReplyError: If three replies contain no usable call.
            BudgetSpent: If a budget ends before that.
        """
        messages = with_time_labels(messages, self.profile.time_label, exact=True).messages
        offered = [must_call] if must_call else [tool.name for tool in tools]
        described = [convert_to_openai_tool(tool) for tool in tools]  # once, as it makes a model of each

        def most(messages: Sequence[BaseMessage]) -> int | None:
            return self._builder.long_reply("plan", messages, described) if long else None

        def build(messages: Sequence[BaseMessage], limits: CallLimits) -> Request:
            return self._builder.plan(
                messages, described, must_call, limits, stream=on_stream is not None, most=most(messages)
            )

        def repair(problem: str) -> str:
            return render("repair_call", problem=problem, tools=", ".join(offered))

        call = _Call(
            "plan",
            build,
            lambda reply: planned_turn(reply, offered),
            repair,
            on_stream,
            tool_tokens=tool_tokens(described),
            most=most,
        )
        return await self._usable(messages, budget, call)

    async def ask(
        self,
        step: Step,
        messages: Sequence[BaseMessage],
        schema: type[TReply],
        budget: CallBudget,
        *,
        shown: Shown | None = None,
        on_stream: OnStream | None = None,
    ) -> TReply:
        """Return a typed reply.

        Args:
            step: The step that asks.
            messages: Its messages.
            schema: Schema of the reply.
            budget: The budgets.
            shown: Purpose of the pictures, if the step does not imply it.
            on_stream: Receives the reply as it is generated.

        Raises:
            ModelError: If the server fails.
            ReplyError: If three replies cannot be parsed.
            BudgetSpent: If a budget ends before that.
        """
        on_sheets = False
        form, frames = self.profile.boxes, frames_in(messages)
        asked = asked_as(schema, form)
        messages, exact_s = with_time_labels(with_box_form(messages, form), self.profile.time_label)

        def build(messages: Sequence[BaseMessage], limits: CallLimits) -> Request:
            nonlocal on_sheets
            request = self._builder.ask(
                step, messages, asked, limits, shown=shown, stream=on_stream is not None
            )
            on_sheets = request.packed
            return request

        def shown_as(read: BaseModel) -> TReply:
            return cast("TReply", as_shown(read, exact_s, form, frames, on_sheets=on_sheets))

        def parse(reply: AIMessage) -> TReply:
            try:
                return shown_as(parse_reply(reply, asked))
            except CutTextError as error:
                raise CutTextError(shown_as(error.reply)) from None

        def repair(problem: str) -> str:
            return render("repair_reply", problem=problem, reply=outline(asked))

        call = _Call(step, build, parse, repair, on_stream)
        return await self._usable(messages, budget, call)

    async def chat(
        self,
        messages: Sequence[BaseMessage],
        budget: CallBudget,
        *,
        frames: int,
        on_stream: OnStream | None = None,
        may_repeat: Callable[[], bool] = lambda: True,
        **fields: Any,  # noqa: ANN401 - those of `RequestBuilder.chat`
    ) -> AIMessage:
        """Return a free-form reply, unparsed.

        Args:
            messages: The messages, in the server's format.
            budget: The budgets.
            frames: Pictures in the messages, those inside a video included.
            on_stream: Receives the reply as it is generated.
            may_repeat: Whether a failed attempt may be repeated.
            fields: The other arguments of `RequestBuilder.chat`.

        Raises:
            ModelError: If the server fails.
        """

        def build(messages: Sequence[BaseMessage], limits: CallLimits) -> Request:
            stream = on_stream is not None
            return self._builder.chat(messages, limits, frames=frames, stream=stream, **fields)

        call = _Call(
            "compose",
            build,
            lambda reply: reply,
            str,
            on_stream,
            frames,
            may_repeat=may_repeat,
            judged=False,
        )
        return await self._answered(messages, budget, call)

    async def _usable(self, messages: Sequence[BaseMessage], budget: CallBudget, call: _Call[T]) -> T:
        """Get a usable reply, asking again after an unusable one."""
        sent, problem, before = list(messages), "", self.memory.facts
        cut: CutTextError | None = None
        for left in reversed(range(1 + _REPAIRS)):
            try:
                reply = await self._answered(sent, budget, call)
            except BudgetSpent:
                if cut is None:
                    raise
                return cast("T", cut.reply)
            except ServerError as error:
                if not error.unparsed:
                    raise
                reply = AIMessage("")
            try:
                return await asyncio.to_thread(call.parse, reply)  # a long one takes a second
            except UnreadableError as error:
                if isinstance(error, CutTextError):
                    if cut is not None or not left:
                        return cast("T", error.reply)
                    cut = error
                if left == 1 and call.tool_tokens and not (reply.tool_calls or reply.invalid_tool_calls):
                    self.lessons.learn(*corrections.without_tools(self.memory.facts))
                problem = str(error) if cut is error else cut_short(reply) or str(error)
                sent = [*messages, repeated(reply), HumanMessage(call.repair(problem))]
        if cut is not None:
            return cast("T", cut.reply)
        self.memory.learn(self.memory.facts.with_changes(refused=before.refused))
        raise ReplyError(f"{self.title} gave no usable reply in {1 + _REPAIRS} attempts: {problem}")

    async def _answered(
        self, messages: Sequence[BaseMessage], budget: CallBudget, call: _Call[T]
    ) -> AIMessage:
        """Get one reply, retrying if the server was busy, or without a feature that it refuses."""
        limits, may_think = CallLimits(), True
        request: Request | None = None

        def built() -> Request:
            return self._builder.finished(call.build(messages, limits))

        async def attempt() -> AIMessage:
            nonlocal limits, request
            while True:
                need = self._need(call, messages)
                limits = await self._admitted(call.step, need, budget, may_think=may_think)
                request = built()
                if request.pictures and self.memory.facts.images == 0:
                    raise ModelError(f"{self.title} takes no pictures; name another model (--model)")
                try:
                    reply = await self._run(call, request, limits, budget, need)
                except ServerError as error:
                    if error.unparsed:
                        raise
                    if self.lessons.from_error(error, request, built):
                        continue
                    if call.judged and corrections.is_too_long(error):
                        _log.info(
                            "%s: the shortest form of step %s is too long: %s", self.title, call.step, error
                        )
                        raise BudgetSpent("context") from None
                    raise
                learns = call.judged and self.where is not None
                if not (learns and self.lessons.from_reply(reply, request, call.step, self.profile)):
                    return reply

        def allowed(error: ServerError, number: int) -> bool:
            nonlocal may_think
            may_think = may_retry(error, number)
            broke = number == TRIES and request is not None and _broke_in_thought(error, request)
            return (may_think or broke) and call.may_repeat()

        def wait_s(error: ServerError, number: int) -> float:
            seconds = backoff_s(error, number)
            return seconds if limits.timeout_s is None else min(seconds, limits.timeout_s)

        return await retry(attempt, allowed=allowed, wait_s=wait_s)

    async def _admitted(
        self, step: Step, need: CallNeed, budget: CallBudget, *, may_think: bool
    ) -> CallLimits:
        """Get the call admitted; without a thought if that takes a request of its own and none is left."""
        if not may_think:
            return dataclasses.replace(await budget.admit(step, need), thinking_tokens=0)
        if not self._builder.thinks_in_two_phases(step):
            return await budget.admit(step, need)
        try:
            return await budget.admit(step, need.doubled())
        except BudgetSpent:
            return dataclasses.replace(await budget.admit(step, need), thinking_tokens=0)

    async def _run(
        self, call: _Call[T], request: Request, limits: CallLimits, budget: CallBudget, need: CallNeed
    ) -> AIMessage:
        """Send one request under its deadline, and record its cost."""
        longest_s = self.profile.timeout_s
        budgeted = limits.timeout_s is not None and limits.timeout_s <= longest_s
        chat_call = ChatCall(self._chat, self.profile.thinking, call.on_stream, self.endpoint)
        began = time.monotonic()
        with tracing.span(f"chat {self.name}", self._traced, kind="client", when=tracing.is_traced()) as span:
            try:
                async with asyncio.timeout(limits.timeout_s if budgeted else longest_s):
                    return await chat_call.run(request)
            except TimeoutError:
                if budgeted:
                    raise BudgetSpent("seconds") from None
                raise ModelError(f"{self.title} did not reply within {longest_s:g} s") from None
            finally:
                usage = chat_call.usage(request.frames, need.prompt_tokens, time.monotonic() - began)
                span.set({"vidagent.step": call.step, **_span_usage(usage)})
                budget.record(call.step, usage)

    def _need(self, call: _Call[T], messages: Sequence[BaseMessage]) -> CallNeed:
        frames, tokens = count_frames(messages) if call.frames is None else call.frames, 0
        if self.endpoint is not None:  # a model that reads its prompts, in process or on a server
            load = frame_load(messages) if call.frames is None else call.frames
            tokens = prompt_tokens(messages, load, self.profile.frame_tokens)
            tokens += call.tool_tokens
        return CallNeed(frames, tokens, call.most(messages) or self.profile.completion_tokens.get(call.step))

    @property
    def _traced(self) -> dict[str, str | int | None]:
        """The model's span attributes, after OpenTelemetry's conventions for generative AI.

        https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/; the provider is the type of API.
        """
        server = urlsplit(self.where or "")
        return {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai" if self.where else "vidagent",
            "gen_ai.request.model": self.name,
            "server.address": server.hostname,
            "server.port": server.port,
        }

    @property
    def title(self) -> str:
        """Name of the model in messages, with its server if it has one."""
        return f"model {self.name!r}" + (f" at {self.where}" if self.where else "")


def _endpoint(url: str, key: object, model: str) -> Endpoint:
    return Endpoint(url, key.get_secret_value() if isinstance(key, SecretStr) else None, model=model)


def _span_usage(used: CallUsage) -> dict[str, int]:
    """Return the cost of a call as span attributes."""
    return {
        "gen_ai.usage.input_tokens": used.prompt_tokens,
        "gen_ai.usage.output_tokens": used.completion_tokens,
        "gen_ai.usage.reasoning.output_tokens": used.thinking_tokens,
        "gen_ai.usage.cache_read.input_tokens": used.cached_tokens,
        "vidagent.frames_sent": used.frames_sent,
        "vidagent.requests": used.requests,
    }


def _broke_in_thought(error: ServerError, request: Request) -> bool:
    """Tell whether a server failed on a thought before a schema-constrained reply.

    vLLM 0.32 ends such a request with an internal error if the thought contains a token that its parser takes for the
    thought's end, such as `<tool_call>`: the grammar then meets the rest of the thought.
    """
    return error.status == 500 and {"thinking_budget", "schema"} <= request.uses
