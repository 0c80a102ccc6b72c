"""The one way to a model: a request passes the gate under a deadline, a reply is read or asked again."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from vidagent.agents.dialect import Dialect, Request
from vidagent.agents.messages import count_frames
from vidagent.agents.parsing import UnreadableError, parse_calls, parse_reply, split_thought
from vidagent.agents.profile_schema import Profile
from vidagent.agents.prompts import render
from vidagent.agents.replies import outline
from vidagent.agents.server import ServerError, public_url
from vidagent.errors import BudgetSpent, ModelError
from vidagent.types import Step

__all__ = ["CallGate", "CallLimits", "CallNeed", "CallUsage", "ModelClient", "ReplyError"]

T = TypeVar("T")
TReply = TypeVar("TReply", bound=BaseModel)

_REPAIRS = 2
_RETRIES = 2
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_CHARS_PER_TOKEN = 4
_REPEATED_CHARS = 2000


class ReplyError(ModelError):
    """The model was reached and asked again, and none of its replies could be used."""


@dataclass(frozen=True, slots=True)
class CallNeed:
    """What one request will take at most, as far as it can be told before it is sent.

    Args:
        frames: Pictures in it.
        prompt_tokens: Tokens of its prompt, estimated by length; 0 for a model in this process.
        completion_tokens: The profile's cap on the reply, or None.
    """

    frames: int = 0
    prompt_tokens: int = 0
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What one request may cost; None means that only the profile limits it.

    Args:
        timeout_s: Seconds left of the run. A request that runs into it ends with `BudgetSpent("seconds")`.
        completion_tokens: Most tokens of the reply, thinking included.
        thinking_tokens: Most reasoning tokens; 0 switches thinking off.
    """

    timeout_s: float | None = None
    completion_tokens: int | None = None
    thinking_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class CallUsage:
    """What one request cost; tokens are estimated by length where a server does not count them."""

    seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    thinking_tokens: int = 0
    cached_tokens: int = 0
    frames_sent: int = 0


class CallGate(Protocol):
    """Budgets, seen from the client."""

    async def admit(self, step: Step, need: CallNeed) -> CallLimits:
        """Allow one request, within limits; may wait for others to return what they were promised.

        Raises:
            BudgetSpent: If a budget is gone.
        """

    def record(self, step: Step, usage: CallUsage) -> None:
        """Count one request, whether it succeeded or not."""


class ModelClient:
    """Asks one model for tool calls and typed replies.

    Args:
        chat: The chat model.
        profile: How to use it.

    Attributes:
        name: The model's name.
        where: The server's base URL, or None for a model in this process.
    """

    def __init__(self, chat: BaseChatModel, profile: Profile) -> None:
        """Start with all the features that the profile says the server has."""
        self.profile = profile
        self.name = str(getattr(chat, "model_name", None) or profile.name)
        url = getattr(chat, "openai_api_base", None)
        self.where = None if url is None else public_url(str(url))
        self._chat = chat
        self._dialect = Dialect(profile)

    async def plan(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[BaseTool],
        gate: CallGate,
        *,
        must_call: str | None = None,
        also: Sequence[str] = (),
    ) -> AIMessage:
        """Return the planner's turn: at least one call of a known tool, arguments in a dict, ids unique.

        Args:
            messages: The planner's messages.
            tools: The tools on offer.
            gate: The budgets.
            must_call: The one tool that has to be called; calls of others are left out.
            also: Names of tools whose calls are taken although they are not on offer now.

        Raises:
            ModelError: If the server fails.
            ReplyError: If three replies hold no usable call.
            BudgetSpent: If a budget ends before that.
        """
        offered = [must_call] if must_call else [tool.name for tool in tools]
        known = offered if must_call else [*offered, *also]

        def put(shown: Sequence[BaseMessage], limits: CallLimits) -> Request:
            return self._dialect.plan(
                shown,
                tools,
                must_call,
                completion_tokens=limits.completion_tokens,
                thinking_tokens=limits.thinking_tokens,
            )

        def read(reply: AIMessage) -> AIMessage:
            return _planned(reply, known)

        def repair(problem: str) -> str:
            return render("repair_call", problem=problem, tools=", ".join(offered))

        schemas = json.dumps([convert_to_openai_tool(tool) for tool in tools])
        return await self._until_read("plan", messages, gate, put, read, repair, len(schemas))

    async def ask(
        self, step: Step, messages: Sequence[BaseMessage], schema: type[TReply], gate: CallGate
    ) -> TReply:
        """Return a typed reply.

        Raises:
            ModelError: If the server fails.
            ReplyError: If three replies cannot be read.
            BudgetSpent: If a budget ends before that.
        """

        def put(shown: Sequence[BaseMessage], limits: CallLimits) -> Request:
            return self._dialect.ask(
                step,
                shown,
                schema,
                completion_tokens=limits.completion_tokens,
                thinking_tokens=limits.thinking_tokens,
            )

        def read(reply: AIMessage) -> TReply:
            return parse_reply(reply, schema)

        def repair(problem: str) -> str:
            return render("repair_reply", problem=problem, reply=outline(schema))

        return await self._until_read(step, messages, gate, put, read, repair)

    async def _until_read(
        self,
        step: Step,
        messages: Sequence[BaseMessage],
        gate: CallGate,
        put: Callable[[Sequence[BaseMessage], CallLimits], Request],
        read: Callable[[AIMessage], T],
        repair: Callable[[str], str],
        schema_chars: int = 0,
    ) -> T:
        shown, problem = list(messages), ""
        for _ in range(1 + _REPAIRS):
            reply = await self._request(step, shown, gate, put, schema_chars)
            try:
                return read(reply)
            except UnreadableError as error:
                problem = _cut_short(reply) or str(error)
                shown = [*messages, _repeated(reply), HumanMessage(repair(problem))]
        raise ReplyError(f"{self._title} gave no usable reply in {1 + _REPAIRS} attempts: {problem}")

    async def _request(
        self,
        step: Step,
        messages: Sequence[BaseMessage],
        gate: CallGate,
        put: Callable[[Sequence[BaseMessage], CallLimits], Request],
        schema_chars: int,
    ) -> AIMessage:
        """Send a request; again if the server was busy, or with less if it refuses a feature."""
        retries = 0
        need = self._need(step, messages, schema_chars)
        while True:
            limits = await gate.admit(step, need)
            request = put(messages, limits)
            try:
                return await self._send(step, request, limits, gate)
            except ServerError as error:
                if self._dialect.give_up(error, request):
                    continue
                if not error.retried or retries == _RETRIES:
                    raise
                wait_s = min(error.wait_s or _FIRST_WAIT_S * 2**retries, _LONGEST_WAIT_S)
                retries += 1
                await asyncio.sleep(wait_s if limits.timeout_s is None else min(wait_s, limits.timeout_s))

    async def _send(self, step: Step, request: Request, limits: CallLimits, gate: CallGate) -> AIMessage:
        chat: Any = self._chat
        if request.tools:
            chat = chat.bind_tools(request.tools, **request.binding)
        longest_s = self.profile.timeout_s
        budgeted = limits.timeout_s is not None and limits.timeout_s <= longest_s
        began, reply = time.monotonic(), None
        try:
            async with asyncio.timeout(limits.timeout_s if budgeted else longest_s):
                reply = await chat.ainvoke(request.messages, **request.options)
        except TimeoutError:
            if budgeted:
                raise BudgetSpent("seconds") from None
            raise ModelError(f"{self._title} did not reply within {longest_s:g} s") from None
        finally:
            gate.record(step, self._usage(request, reply, time.monotonic() - began))
        if not isinstance(reply, AIMessage):
            raise ModelError(f"{self._title} replied with a {type(reply).__name__}, not a message")
        return reply

    def _need(self, step: Step, messages: Sequence[BaseMessage], schema_chars: int) -> CallNeed:
        frames = count_frames(messages)
        tokens = 0 if self.where is None else self._prompt_tokens(messages, frames) + _tokens(schema_chars)
        return CallNeed(frames, tokens, self.profile.completion_tokens.get(step))

    def _prompt_tokens(self, messages: Sequence[BaseMessage], frames: int) -> int:
        """Estimate a prompt by its bytes, which hold for scripts whose letters are a token each, too."""
        said = "".join(message.text for message in messages)
        called = "".join(str(m.tool_calls) for m in messages if isinstance(m, AIMessage))
        return _tokens(len(f"{said}{called}".encode())) + frames * self.profile.frame_tokens

    def _usage(self, request: Request, reply: AIMessage | None, seconds: float) -> CallUsage:
        frames = count_frames(request.messages)
        usage = reply.usage_metadata if reply is not None else None
        counted = usage is not None and usage["input_tokens"] > 0
        if reply is None or (self.where is None and not counted):
            return CallUsage(seconds=seconds, frames_sent=frames)
        thought = _thought(reply)
        if usage is None or not counted:
            return CallUsage(
                seconds=seconds,
                prompt_tokens=self._prompt_tokens(request.messages, frames),
                completion_tokens=_tokens(max(len(thought) + len(reply.text), 1)),
                thinking_tokens=_tokens(len(thought)),
                frames_sent=frames,
            )
        reasoned = usage.get("output_token_details", {}).get("reasoning")
        if reasoned is None:
            reasoned = min(_tokens(len(thought)), usage["output_tokens"])
        return CallUsage(
            seconds=seconds,
            prompt_tokens=usage["input_tokens"],
            completion_tokens=usage["output_tokens"],
            thinking_tokens=reasoned,
            cached_tokens=usage.get("input_token_details", {}).get("cache_read") or 0,
            frames_sent=frames,
        )

    @property
    def _title(self) -> str:
        return f"model {self.name!r}" + (f" at {self.where}" if self.where else "")


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


def _thought(reply: AIMessage) -> str:
    return str(reply.additional_kwargs.get("reasoning_content") or split_thought(reply.text)[0])


def _repeated(reply: AIMessage) -> AIMessage:
    """Say the unusable reply again as plain text: calls in it would ask for results that there are not."""
    written = [str(call["args"]) for call in [*reply.tool_calls, *reply.invalid_tool_calls]]
    text = "\n".join([split_thought(reply.text)[1], *written]).strip()
    return AIMessage(text[:_REPEATED_CHARS] or "(empty)")


def _cut_short(reply: AIMessage) -> str | None:
    if reply.response_metadata.get("finish_reason") == "length":
        return "it was too long and was cut off; be brief"
    return None


def _tokens(chars: int) -> int:
    return -(-chars // _CHARS_PER_TOKEN)
