"""One call of a model, in one request or two, whole or word by word, and what it cost."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message
from langchain_core.messages.ai import UsageMetadata

from vidagent.agents.client.request import Request
from vidagent.agents.client.thinking import CUT, reply_request, thought_of, thought_request, was_cut
from vidagent.agents.parsing.reply_parser import split_thought
from vidagent.agents.profiles.schema import Thinking
from vidagent.agents.server.connection import ServerError
from vidagent.agents.server.endpoint import Endpoint
from vidagent.errors import ModelError
from vidagent.text import repair_surrogates, repair_surrogates_in

_log = logging.getLogger(__name__)

Heard = Literal["begin", "thought", "text"]
Hear = Callable[[Heard, str], None]
"""Takes the words of a reply as they come: of the thought, or of the text.

`begin`, without words, stands before each reply: of one that failed, or could not be used, what was heard is void.
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """What the server counted for one request.

    Args:
        usage: Its count, or None where it does not count.
        thought: The thought's text.
        text: All other text.
        thinking_tokens: Tokens of the thought, where they are known without a tokenizer.
        frames: Pictures sent.
    """

    usage: UsageMetadata | None
    thought: str
    text: str
    thinking_tokens: int | None
    frames: int


class Exchange:
    """Puts one request, or the two phases of it, to a chat model.

    Args:
        chat: The chat model.
        thinking: How the model thinks.
        hear: Takes the words of the reply as they come.
        endpoint: Counts tokens where replies do not say them, if there is one.

    Attributes:
        spent: What each request cost that was answered, in order; also after an error.
        sent: Requests begun.
    """

    def __init__(
        self,
        chat: BaseChatModel,
        thinking: Thinking,
        hear: Hear | None = None,
        endpoint: Endpoint | None = None,
    ) -> None:
        """Remember whom to ask."""
        self.spent: list[Spent] = []
        self.sent = 0
        self._chat = chat
        self._thinking = thinking
        self._hear = hear
        self._endpoint = endpoint

    async def put(self, request: Request) -> AIMessage:
        """Return the reply; a thought that was had in a request of its own stands in its reasoning.

        Raises:
            ServerError: If the server fails.
            ModelError: If it replies with something that is no message.
        """
        if self._hear is not None:
            self._hear("begin", "")
        if request.thought is None:
            return await self._one(request)
        first = await self._one(thought_request(request, self._thinking), thinks=True)
        marked, text = thought_in(first), split_thought(first.text)[1]
        thought = thought_of(first, marked, text)
        if thought is None and not _bound(request) and _whole(first):
            return first
        if thought is not None and was_cut(first):
            thought = await self._fitted(thought, request.thought) + CUT
        used = first.usage_metadata["output_tokens"] if first.usage_metadata else 0
        second = await self._one(reply_request(request, self._thinking, thought, used))
        return _continued(second, thought)

    async def _one(self, request: Request, *, thinks: bool = False) -> AIMessage:
        chat: Any = self._chat
        if request.tools:
            chat = chat.bind_tools(request.tools, **request.binding)
        self.sent += 1
        reply = await (self._streamed(chat, request, thinks) if request.stream else chat.ainvoke(
            request.messages, **request.options
        ))  # fmt: skip
        if not isinstance(reply, AIMessage):
            raise ModelError(f"the model replied with a {type(reply).__name__}, not a message")
        reply = _whole_reply(reply)
        spent = _spent(reply, request, thinks=thinks)
        self.spent.append(spent)
        if spent.thinking_tokens is None and spent.thought:
            self.spent[-1] = dataclasses.replace(spent, thinking_tokens=await self._counted(spent.thought))
        return reply

    async def _counted(self, thought: str) -> int | None:
        """Count a thought that the reply does not count."""
        try:
            return None if self._endpoint is None else await self._endpoint.tokenize(thought)
        except ServerError as error:
            _log.info("a thought is counted by its length: %s", error)
            return None

    async def _fitted(self, thought: str, tokens: int) -> str:
        """Cut a thought to its budget again: read anew, it may have more tokens than it was written in."""
        try:
            return thought if self._endpoint is None else await self._endpoint.shorten(thought, tokens)
        except ServerError as error:
            _log.info("a thought is left at the length it was cut to: %s", error)
            return thought

    async def _streamed(self, chat: Any, request: Request, thinks: bool) -> AIMessage:  # noqa: ANN401 - bound or not
        whole: AIMessageChunk | None = None
        async for chunk in chat.astream(request.messages, **request.options):
            self._tell(chunk, thinks)
            whole = chunk if whole is None else whole + chunk
        if whole is None:
            raise ModelError("the model replied with nothing")
        message = message_chunk_to_message(whole)
        return message if isinstance(message, AIMessage) else AIMessage(whole.content)

    def _tell(self, chunk: AIMessageChunk, thinks: bool) -> None:
        if self._hear is None:
            return
        if thought := str(chunk.additional_kwargs.get("reasoning_content") or ""):
            self._hear("thought", repair_surrogates(thought))
        if chunk.text:
            self._hear("thought" if thinks else "text", repair_surrogates(chunk.text))


def thought_in(reply: AIMessage) -> str:
    """Return what a reply marks as reasoning, in its own field or in its text."""
    return str(reply.additional_kwargs.get("reasoning_content") or split_thought(reply.text)[0])


def _whole_reply(reply: AIMessage) -> AIMessage:
    r"""Return a reply whose texts can be written down: JSON may hold half of a character, such as `"\ud800"`."""
    fields = ("content", "additional_kwargs", "tool_calls", "invalid_tool_calls")
    return reply.model_copy(update={name: repair_surrogates_in(getattr(reply, name)) for name in fields})


def _spent(reply: AIMessage, request: Request, *, thinks: bool) -> Spent:
    usage, thought = reply.usage_metadata, thought_in(reply)
    counted = _reasoned(usage)
    if thinks and usage is not None and thought_of(reply, thought, reply.text) is not None:
        # A first phase generates nothing else; in streams vLLM 0.32 counts too few.
        counted = usage["output_tokens"]
    return Spent(usage, thought, split_thought(reply.text)[1], counted, request.frames)


def _reasoned(usage: UsageMetadata | None) -> int | None:
    details: Mapping[str, Any] = usage.get("output_token_details") or {} if usage else {}
    reasoned = details.get("reasoning")
    return None if reasoned is None else int(reasoned)


def _bound(request: Request) -> bool:
    """Tell whether the reply has to keep to a form that a first phase is not held to."""
    return "response_format" in request.body or "tool_choice" in request.binding


def _whole(reply: AIMessage) -> bool:
    return bool(reply.tool_calls) or not was_cut(reply)


def _continued(reply: AIMessage, thought: str | None) -> AIMessage:
    """Return a second phase's reply as if it had been one: a server may take all of it for reasoning."""
    kept = dict(reply.additional_kwargs)
    said = str(reply.text)
    if not said and not reply.tool_calls:
        said = str(kept.pop("reasoning_content", "") or "")
    if thought is not None:
        kept["reasoning_content"] = thought
    return reply.model_copy(update={"content": said or reply.content, "additional_kwargs": kept})
