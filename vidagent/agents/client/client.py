"""The one way to a model: a call passes the gate under a deadline, a reply is read or asked again."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, SecretStr

from vidagent import tracing
from vidagent.agents.client import token_count
from vidagent.agents.client.chat_call import Exchange, Hear
from vidagent.agents.client.limits import CallGate, CallLimits, CallNeed, CallUsage
from vidagent.agents.client.request import Request
from vidagent.agents.client.request_builder import Dialect
from vidagent.agents.parsing.reply_parser import UnreadableError, parse_calls, parse_reply, split_thought
from vidagent.agents.profiles.schema import Profile, Shown
from vidagent.agents.prompting.messages import count_frames
from vidagent.agents.prompting.replies import outline
from vidagent.agents.prompting.templates import render
from vidagent.agents.recording.recorder import RecordedChat, RecordedEndpoint
from vidagent.agents.recording.request_key import Keep
from vidagent.agents.server.connection import TRIES, ServerError, backoff_s, may_retry, public_url, retry
from vidagent.agents.server.endpoint import Endpoint
from vidagent.errors import BudgetSpent, ModelError
from vidagent.types import Step

T = TypeVar("T")
TReply = TypeVar("TReply", bound=BaseModel)

_REPAIRS = 2
_REPEATED_CHARS = 2000


class ReplyError(ModelError):
    """The model was reached and asked again, and none of its replies could be used."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Ask(Generic[T]):
    """One question to the model: how it is put, read and asked again."""

    step: Step
    put: Callable[[Sequence[BaseMessage], CallLimits], Request]
    read: Callable[[AIMessage], T]
    repair: Callable[[str], str]
    hear: Hear | None
    schema_chars: int = 0


class ModelClient:
    """Asks one model for tool calls and typed replies.

    Args:
        chat: The chat model.
        profile: How to use it.

    Attributes:
        name: The model's name.
        where: The server's base URL, or None for a model in this process.
    """

    def __init__(self, chat: BaseChatModel, profile: Profile, endpoint: Endpoint | None = None) -> None:
        """Start with all the features that the profile says the server has; without `endpoint`, ask its own."""
        self.profile = profile
        self.name = str(getattr(chat, "model_name", None) or profile.name)
        url = getattr(chat, "openai_api_base", None)
        self.where = None if url is None else public_url(str(url))
        self._chat = chat
        if endpoint is None and url is not None:
            endpoint = _endpoint(str(url), getattr(chat, "openai_api_key", None), self.name)
        self._endpoint = endpoint
        self._dialect = Dialect(profile)

    def recorded(self, keep: Keep) -> ModelClient:
        """Return a client of the same model that keeps every reply, and what its server counts."""
        endpoint = None if self._endpoint is None else RecordedEndpoint(self._endpoint, keep)
        return ModelClient(RecordedChat.over(self._chat, keep), self.profile, endpoint)

    async def plan(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[BaseTool],
        gate: CallGate,
        *,
        must_call: str | None = None,
        hear: Hear | None = None,
    ) -> AIMessage:
        """Return the planner's turn: at least one call of a known tool, arguments in a dict, ids unique.

        Args:
            messages: The planner's messages.
            tools: The tools on offer.
            gate: The budgets.
            must_call: The one tool that has to be called; calls of others are left out.
            hear: Takes the words of the reply as they come.

        Raises:
            ModelError: If the server fails.
            ReplyError: If three replies hold no usable call.
            BudgetSpent: If a budget ends before that.
        """
        offered = [must_call] if must_call else [tool.name for tool in tools]

        def put(shown: Sequence[BaseMessage], limits: CallLimits) -> Request:
            return self._dialect.plan(shown, tools, must_call, limits, stream=hear is not None)

        def read(reply: AIMessage) -> AIMessage:
            return _planned(reply, offered)

        def repair(problem: str) -> str:
            return render("repair_call", problem=problem, tools=", ".join(offered))

        schemas = json.dumps([convert_to_openai_tool(tool) for tool in tools])
        return await self._until_read(messages, gate, _Ask("plan", put, read, repair, hear, len(schemas)))

    async def ask(
        self,
        step: Step,
        messages: Sequence[BaseMessage],
        schema: type[TReply],
        gate: CallGate,
        *,
        shown: Shown | None = None,
        hear: Hear | None = None,
    ) -> TReply:
        """Return a typed reply.

        Args:
            step: The step it is asked in.
            messages: Its messages.
            schema: What the reply holds.
            gate: The budgets.
            shown: What the pictures are shown for, where the step does not say it.
            hear: Takes the words of the reply as they come.

        Raises:
            ModelError: If the server fails.
            ReplyError: If three replies cannot be read.
            BudgetSpent: If a budget ends before that.
        """

        def put(asked: Sequence[BaseMessage], limits: CallLimits) -> Request:
            return self._dialect.ask(step, asked, schema, limits, shown=shown, stream=hear is not None)

        def read(reply: AIMessage) -> TReply:
            return parse_reply(reply, schema)

        def repair(problem: str) -> str:
            return render("repair_reply", problem=problem, reply=outline(schema))

        return await self._until_read(messages, gate, _Ask(step, put, read, repair, hear))

    async def _until_read(self, messages: Sequence[BaseMessage], gate: CallGate, ask: _Ask[T]) -> T:
        shown, problem = list(messages), ""
        for _ in range(1 + _REPAIRS):
            reply = await self._answered(shown, gate, ask)
            try:
                return ask.read(reply)
            except UnreadableError as error:
                problem = _cut_short(reply) or str(error)
                shown = [*messages, _repeated(reply), HumanMessage(ask.repair(problem))]
        raise ReplyError(f"{self._title} gave no usable reply in {1 + _REPAIRS} attempts: {problem}")

    async def _answered(self, messages: Sequence[BaseMessage], gate: CallGate, ask: _Ask[T]) -> AIMessage:
        """Get one reply; try again if the server was busy, or with less if it refuses a feature."""
        need, limits, may_think = self._need(ask, messages), CallLimits(), True
        request: Request | None = None

        async def attempt() -> AIMessage:
            nonlocal limits, request
            while True:
                limits = await self._admitted(ask.step, need, gate, may_think=may_think)
                request = ask.put(messages, limits)
                try:
                    return await self._exchange(ask, request, limits, gate, need)
                except ServerError as error:
                    if not self._dialect.give_up(error, request):
                        raise

        def allowed(error: ServerError, number: int) -> bool:
            nonlocal may_think
            may_think = may_retry(error, number)
            return may_think or (
                number == TRIES and request is not None and _broke_in_thought(error, request)
            )

        def wait_s(error: ServerError, number: int) -> float:
            seconds = backoff_s(error, number)
            return seconds if limits.timeout_s is None else min(seconds, limits.timeout_s)

        return await retry(attempt, allowed=allowed, wait_s=wait_s)

    async def _admitted(self, step: Step, need: CallNeed, gate: CallGate, *, may_think: bool) -> CallLimits:
        """Pass the gate; where a thought would take a request of its own and there is none left, without one."""
        if not may_think:
            return dataclasses.replace(await gate.admit(step, need), thinking_tokens=0)
        if not self._dialect.thinks_apart(step):
            return await gate.admit(step, need)
        try:
            return await gate.admit(step, need.twice())
        except BudgetSpent:
            return dataclasses.replace(await gate.admit(step, need), thinking_tokens=0)

    async def _exchange(
        self, ask: _Ask[T], request: Request, limits: CallLimits, gate: CallGate, need: CallNeed
    ) -> AIMessage:
        longest_s = self.profile.timeout_s
        budgeted = limits.timeout_s is not None and limits.timeout_s <= longest_s
        exchange = Exchange(self._chat, self.profile.thinking, ask.hear, self._endpoint)
        began = time.monotonic()
        with tracing.span(f"chat {self.name}", self._traced, kind="client", when=tracing.is_traced()) as span:
            try:
                async with asyncio.timeout(limits.timeout_s if budgeted else longest_s):
                    return await exchange.put(request)
            except TimeoutError:
                if budgeted:
                    raise BudgetSpent("seconds") from None
                raise ModelError(f"{self._title} did not reply within {longest_s:g} s") from None
            finally:
                seconds = time.monotonic() - began
                prompt = need.prompt_tokens
                used = token_count.usage(exchange.spent, exchange.sent, request.frames, prompt, seconds)
                span.set({"vidagent.step": ask.step, **_told(used)})
                gate.record(ask.step, used)

    def _need(self, ask: _Ask[T], messages: Sequence[BaseMessage]) -> CallNeed:
        frames, tokens = count_frames(messages), 0
        if self._endpoint is not None:  # a model that reads its prompts, here or on a server
            tokens = token_count.prompt_tokens(messages, frames, self.profile.frame_tokens)
            tokens += token_count.estimate(ask.schema_chars)
        return CallNeed(frames, tokens, self.profile.completion_tokens.get(ask.step))

    @property
    def _traced(self) -> dict[str, str | int | None]:
        """What a span says of the model, in the words of OpenTelemetry's conventions for generative AI.

        https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/; the provider is the form of the API.
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
    def _title(self) -> str:
        return f"model {self.name!r}" + (f" at {self.where}" if self.where else "")


def _endpoint(url: str, key: object, model: str) -> Endpoint:
    return Endpoint(url, key.get_secret_value() if isinstance(key, SecretStr) else None, model=model)


def _told(used: CallUsage) -> dict[str, int]:
    """Return what a call cost, as a span says it."""
    return {
        "gen_ai.usage.input_tokens": used.prompt_tokens,
        "gen_ai.usage.output_tokens": used.completion_tokens,
        "gen_ai.usage.reasoning.output_tokens": used.thinking_tokens,
        "gen_ai.usage.cache_read.input_tokens": used.cached_tokens,
        "vidagent.frames_sent": used.frames_sent,
        "vidagent.requests": used.requests,
    }


def _planned(reply: AIMessage, known: Sequence[str]) -> AIMessage:
    """Return the planner's reply with clean calls, and without what they were read from."""
    calls = parse_calls(reply, known)
    thought, text = split_thought(reply.text)
    kept = {key: value for key, value in reply.additional_kwargs.items() if key.startswith("reasoning")}
    if thought:
        kept.setdefault("reasoning_content", thought)
    said = text if reply.tool_calls or reply.invalid_tool_calls else ""
    return AIMessage(
        said,
        tool_calls=calls,
        additional_kwargs=kept,
        response_metadata=reply.response_metadata,
        usage_metadata=reply.usage_metadata,
        id=reply.id,
    )


def _repeated(reply: AIMessage) -> AIMessage:
    """Say the unusable reply again as plain text: calls in it would ask for results that there are not."""
    written = [str(call["args"]) for call in [*reply.tool_calls, *reply.invalid_tool_calls]]
    text = "\n".join([split_thought(reply.text)[1], *written]).strip()
    return AIMessage(text[:_REPEATED_CHARS] or "(empty)")


def _broke_in_thought(error: ServerError, request: Request) -> bool:
    """Tell whether a server broke on a thought before a bound reply.

    vLLM 0.32 ends such a request with an internal error when the thought holds a token that its parser takes for the
    thought's end, such as `<tool_call>`: the grammar then meets the rest of the thought.
    """
    return error.status == 500 and {"thinking_budget", "schema"} <= request.uses


def _cut_short(reply: AIMessage) -> str | None:
    if reply.response_metadata.get("finish_reason") == "length":
        return "it was too long and was cut off; be brief"
    return None
