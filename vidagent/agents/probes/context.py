"""Context of the probes: one server, one model, and what earlier probes have found."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, convert_to_messages

from vidagent.agents.client.chat_call import ChatCall, OnStream
from vidagent.agents.client.limits import CallLimits
from vidagent.agents.client.request_builder import RequestBuilder
from vidagent.agents.parsing.reply_parser import split_thought
from vidagent.agents.probes.fixtures import Message, system, user
from vidagent.agents.profiles.schema import Profile
from vidagent.agents.profiles.thinking_switch import Switch
from vidagent.agents.server.endpoint import Endpoint

if TYPE_CHECKING:
    from vidagent.agents.client.chat_model import ChatVLM  # a second of imports

QUESTION = "Which word is written in the picture? Reply with that word alone."
_NO_BLANKS = 2.0
"""Frequency penalty that stops a model with random weights from writing blanks until it is cut off."""
_LONGER = 8


@dataclass(frozen=True, slots=True)
class ProbeReply:
    """A probe's reply; counts are None if the server does not report them.

    Args:
        text: The reply without its thought.
        thought: The thought; empty if there is none.
        tagged: Whether the thought was in the text, between `<think>` and `</think>`.
        calls: Name and arguments of each function call that the server parsed.
        cut: Whether it was cut off at the token limit.
        prompt_tokens: Tokens of the prompt.
        completion_tokens: Tokens generated, thought included.
        thinking_tokens: Tokens of the thought.
        cached_tokens: Prompt tokens found in the server's cache.
    """

    text: str
    thought: str
    tagged: bool
    calls: tuple[tuple[str, Any], ...]
    cut: bool
    prompt_tokens: int | None
    completion_tokens: int | None
    thinking_tokens: int | None
    cached_tokens: int | None

    def excerpt(self) -> str:
        """Return the beginning of the reply, for messages."""
        text = " ".join(self.text.split())
        return repr(text if len(text) <= 40 else f"{text[:39]}…")


@dataclass
class ProbeContext:
    """Sends the probes' requests, each under a deadline, as the agent itself would.

    Args:
        chat: The model.
        endpoint: The server's other endpoints.
        profile: The profile for this model.
        deadline_s: Longest wait for one reply.
        context_tokens: The context length as the server reports it, or None.

    Attributes:
        on: The switch for thinking, once known; None if the model does not think.
        off: The switch against it, once known; None if nothing switches it off.
        extra_tokens: Extra tokens for each reply if thinking cannot be switched off.
        takes_pictures: Whether the model receives pictures, once known.
        takes_media_options: Whether requests may set video sampling, once known.
    """

    chat: ChatVLM
    endpoint: Endpoint
    profile: Profile
    deadline_s: float
    context_tokens: int | None = None
    on: Switch | None = None
    off: Switch | None = None
    extra_tokens: int = 0
    takes_pictures: bool = False
    takes_media_options: bool | None = None
    _question_tokens: int | None = None

    async def ask(
        self,
        *messages: Message,
        tokens: int = 16,
        switch: Switch | None = None,
        body: Mapping[str, Any] | None = None,
        tools: Sequence[dict[str, Any]] = (),
        tool_choice: str | Mapping[str, Any] | None = None,
        on_stream: OnStream | None = None,
        **options: object,
    ) -> ProbeReply:
        """Send one request.

        Args:
            messages: The messages.
            tokens: Most tokens of the reply; 1 if only the prompt matters.
            switch: Thinking switch; None switches it off, if a working one is known.
            body: Fields outside OpenAI's API.
            tools: Tools on offer.
            tool_choice: Which of them must be called.
            on_stream: Receives the reply as it is generated.
            options: Further fields of OpenAI's API.

        Raises:
            ServerError: If the server refuses or fails.
            TimeoutError: If no reply comes by the deadline.
        """
        used = switch or self.off or Switch()
        sent = with_prompt(used.prompt, messages) if used.prompt else list(messages)
        most = tokens if switch or tokens == 1 else tokens + self.extra_tokens
        bare = Profile(self.profile.name, body=self.profile.body)
        request = RequestBuilder(bare).chat(
            convert_to_messages(sent),
            CallLimits(completion_tokens=most),
            tools=tools,
            tool_choice=tool_choice,
            body={**used.body, **(body or {})},
            options={"temperature": 0.0, **options},
            stream=on_stream is not None,
        )
        async with asyncio.timeout(self.deadline_s):
            return read_reply(await ChatCall(self.chat, bare.thinking, on_stream).run(request))

    async def ask_whole(
        self,
        *messages: Message,
        tokens: int = 48,
        **options: Any,  # noqa: ANN401 - those of `ask`
    ) -> ProbeReply:
        """Send a request whose reply must be complete: if it is cut off, repeat it with more tokens."""
        reply = await self.ask(*messages, tokens=tokens, **options)
        if not reply.cut:
            return reply
        options["frequency_penalty"] = _NO_BLANKS
        return await self.ask(*messages, tokens=_LONGER * tokens, **options)

    async def growth(self, reply: ProbeReply) -> int | None:
        """Return how many tokens longer a prompt is than the bare question, or None if the server does not count."""
        if self._question_tokens is None:
            self._question_tokens = (await self.ask(user(QUESTION), tokens=1)).prompt_tokens
        if self._question_tokens is None or reply.prompt_tokens is None:
            return None
        return reply.prompt_tokens - self._question_tokens

    async def thought_tokens(self, reply: ProbeReply) -> int | None:
        """Count the tokens of a reply's thought, by the server's usage or else its tokenizer."""
        if reply.thinking_tokens is not None:
            return reply.thinking_tokens
        return await self.endpoint.tokenize(reply.thought) if reply.thought else 0


def read_reply(message: AIMessage) -> ProbeReply:
    """Parse a reply.

    Raises:
        ValueError: If its usage is not a table.
    """
    usage = message.response_metadata.get("token_usage") or {}
    if not isinstance(usage, Mapping):
        raise ValueError(f"its usage is {usage!r}")
    thought, text = split_thought(message.text)
    field_thought = str(message.additional_kwargs.get("reasoning_content") or "")
    written = [*message.tool_calls, *message.invalid_tool_calls]
    return ProbeReply(
        text=text,
        thought=field_thought or thought,
        tagged=bool(thought) or "<think" in message.text or "</think" in message.text,
        calls=tuple((str(call["name"]), call["args"]) for call in written),
        cut=message.response_metadata.get("finish_reason") == "length",
        prompt_tokens=_count(usage, "prompt_tokens")
        or _count(message.usage_metadata, "input_tokens")
        or None,
        completion_tokens=_count(usage, "completion_tokens") or None,
        thinking_tokens=_count(usage.get("completion_tokens_details"), "reasoning_tokens"),
        cached_tokens=_count(usage.get("prompt_tokens_details"), "cached_tokens"),
    )


def with_prompt(prompt: str, messages: Sequence[Message]) -> list[Message]:
    """Put a text before the system message, or add one."""
    if messages[0]["role"] == "system":
        return [system(f"{prompt}\n{messages[0]['content']}"), *messages[1:]]
    return [system(prompt), *messages]


def _count(usage: object, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
