"""Where trials are made: one server, one model, and what earlier trials have shown of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage

from vidagent.agents.client.chat_model import ChatVLM
from vidagent.agents.parsing.reply_parser import split_thought
from vidagent.agents.probes.fixtures import Message, system, user
from vidagent.agents.profiles.schema import Profile
from vidagent.agents.server.endpoint import Endpoint

QUESTION = "Which word is written in the picture? Reply with that word alone."
_NO_BLANKS = 2.0
"""A frequency penalty that keeps a model of random weights from writing blanks until it is cut."""
_LONGER = 8


@dataclass(frozen=True, slots=True)
class Switch:
    """What a request carries to switch thinking on or off.

    Args:
        said: How it is told to people; empty if nothing is carried.
        body: Fields of the request.
        prompt: Text of a system message, or None.
    """

    said: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; counts are None where the server does not report them.

    Args:
        text: The reply without its thought.
        thought: The thought; empty if there is none.
        tagged: Whether the thought stood in the text, between `<think>` and `</think>`.
        calls: Name and arguments of each function call that the server parsed.
        cut: Whether it was cut off at the limit of tokens.
        prompt_tokens: Tokens of the prompt.
        completion_tokens: Tokens generated, thought included.
        thinking_tokens: Those of the thought.
        cached_tokens: Tokens of the prompt that the server had in its cache.
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

    def said(self) -> str:
        """Return the beginning of the reply, for people."""
        text = " ".join(self.text.split())
        return repr(text if len(text) <= 40 else f"{text[:39]}…")


@dataclass
class Bench:
    """Sends requests of trials, each under a deadline, as the agent itself would send them.

    Args:
        chat: The model.
        endpoint: The server beside chat.
        profile: The profile that it would be used with.
        deadline_s: Longest wait for one reply.
        context_tokens: The model's context by the server's account, or None.

    Attributes:
        on: What switches thinking on, once known; None if the model does not think.
        off: What switches it off, once known; None if nothing does.
        room: Tokens that each reply gets on top, where thinking cannot be switched off.
        takes_pictures: Whether a picture comes into the prompt, once known.
        takes_media_options: Whether requests may say how a video is sampled, once known.
    """

    chat: ChatVLM
    endpoint: Endpoint
    profile: Profile
    deadline_s: float
    context_tokens: int | None = None
    on: Switch | None = None
    off: Switch | None = None
    room: int = 0
    takes_pictures: bool = False
    takes_media_options: bool | None = None
    _base: int | None = None

    async def ask(
        self,
        *messages: Message,
        tokens: int = 16,
        switch: Switch | None = None,
        body: Mapping[str, Any] | None = None,
        **options: object,
    ) -> Reply:
        """Send one request.

        Args:
            messages: The messages.
            tokens: Most tokens of the reply; 1 where only the prompt matters.
            switch: What switches thinking; None switches it off, as far as that is known to work.
            body: Fields that OpenAI's client does not know.
            options: Fields that it knows, such as `tools`.

        Raises:
            ServerError: If the server refuses or fails.
            TimeoutError: If no reply comes by the deadline.
        """
        used = switch or self.off or Switch()
        merged = {**self.profile.body, **used.body, **(body or {})}
        sent = _led(used.prompt, messages) if used.prompt else list(messages)
        most = tokens if switch or tokens == 1 else tokens + self.room
        bound = self.chat.bind(max_tokens=most, temperature=0.0, extra_body=merged, **options)
        async with asyncio.timeout(self.deadline_s):
            return read(await bound.ainvoke(sent))

    async def ask_whole(
        self, *messages: Message, tokens: int = 48, body: Mapping[str, Any] | None = None, **options: object
    ) -> Reply:
        """Send a request whose reply has to come to its end: once more, with more room, if it is cut."""
        reply = await self.ask(*messages, tokens=tokens, switch=None, body=body, **options)
        if not reply.cut:
            return reply
        options["frequency_penalty"] = _NO_BLANKS
        return await self.ask(*messages, tokens=_LONGER * tokens, switch=None, body=body, **options)

    async def growth(self, reply: Reply) -> int | None:
        """Return by how many tokens a prompt is longer than the bare question, or None if nobody counts."""
        if self._base is None:
            self._base = (await self.ask(user(QUESTION), tokens=1)).prompt_tokens
        if self._base is None or reply.prompt_tokens is None:
            return None
        return reply.prompt_tokens - self._base

    async def thought_tokens(self, reply: Reply) -> int | None:
        """Count the tokens of a reply's thought: by the server's usage, else by its tokenizer."""
        if reply.thinking_tokens is not None:
            return reply.thinking_tokens
        return await self.endpoint.tokenize(reply.thought) if reply.thought else 0


def read(message: AIMessage) -> Reply:
    """Read a reply.

    Raises:
        ValueError: If its usage is no table.
    """
    usage = message.response_metadata.get("token_usage") or {}
    if not isinstance(usage, Mapping):
        raise ValueError(f"its usage is {usage!r}")
    thought, text = split_thought(message.text)
    field_thought = str(message.additional_kwargs.get("reasoning_content") or "")
    written = [*message.tool_calls, *message.invalid_tool_calls]
    return Reply(
        text=text,
        thought=field_thought or thought,
        tagged=bool(thought) or "<think" in message.text or "</think" in message.text,
        calls=tuple((str(call["name"]), call["args"]) for call in written),
        cut=message.response_metadata.get("finish_reason") == "length",
        prompt_tokens=_count(usage, "prompt_tokens") or None,
        completion_tokens=_count(usage, "completion_tokens") or None,
        thinking_tokens=_count(usage.get("completion_tokens_details"), "reasoning_tokens"),
        cached_tokens=_count(usage.get("prompt_tokens_details"), "cached_tokens"),
    )


def _led(prompt: str, messages: Sequence[Message]) -> list[Message]:
    """Put a text in front of the system message, or make one of it."""
    if messages[0]["role"] == "system":
        return [system(f"{prompt}\n{messages[0]['content']}"), *messages[1:]]
    return [system(prompt), *messages]


def _count(usage: object, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
