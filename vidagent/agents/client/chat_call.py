"""One model call: a single request, or a thought and its reply in two, streamed or whole, and its cost.

In two phases (NVIDIA's `ThinkingBudgetClient`, but keeping the pictures), the first request generates only the thought,
within its budget; the thought is closed, and a second request continues the same message with the reply itself.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message
from langchain_core.messages.ai import UsageMetadata

from vidagent.agents.client.limits import CallUsage, estimate_tokens
from vidagent.agents.client.request_builder import Request
from vidagent.agents.parsing.reply_parser import split_thought
from vidagent.agents.profiles.schema import Thinking
from vidagent.agents.prompting.control_tokens import StreamUnmarker, marked
from vidagent.agents.server.connection import ServerError
from vidagent.agents.server.endpoint import Endpoint
from vidagent.errors import ModelError
from vidagent.text import repair_surrogates, repair_surrogates_in

_log = logging.getLogger(__name__)

StreamKind = Literal["begin", "thought", "text"]
OnStream = Callable[[StreamKind, str], None]
"""Receives a reply as it is generated: pieces of the thought, and of the text.

`begin`, without words, comes before each attempt and voids what was streamed of an earlier one that failed or was
unusable.
"""

CUT_MARK = "."
"""Appended to a thought cut at its budget before it is closed: one token, as in NVIDIA's client."""
_BROKEN = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class RequestUsage:
    """Cost of one request.

    Args:
        counts: The server's counts, or None if it does not count.
        thought: The thought's text.
        text: All other text.
        thinking_tokens: Tokens of the thought, if known without a tokenizer.
    """

    counts: UsageMetadata | None
    thought: str
    text: str
    thinking_tokens: int | None


class ChatCall:
    """Sends one request, or the two phases of it, to a chat model.

    Args:
        chat: The chat model.
        thinking: How the model thinks.
        on_stream: Receives the reply as it is generated.
        endpoint: Counts tokens that replies do not report, if given.

    Attributes:
        usages: Cost of each answered request, in order; also after an error.
        requests: Requests sent.
    """

    def __init__(
        self,
        chat: BaseChatModel,
        thinking: Thinking,
        on_stream: OnStream | None = None,
        endpoint: Endpoint | None = None,
    ) -> None:
        """Prepare the call; nothing is sent yet."""
        self.usages: list[RequestUsage] = []
        self.requests = 0
        self._chat = chat
        self._thinking = thinking
        self._on_stream = on_stream
        self._endpoint = endpoint

    async def run(self, request: Request) -> AIMessage:
        """Return the reply; a thought from a request of its own is stored as its reasoning.

        Raises:
            ServerError: If the server fails.
            ModelError: If the reply is not a message.
        """
        if self._on_stream is not None:
            self._on_stream("begin", "")
        if request.thought is None:
            return await self._send(request)
        first = await self._send(_thought_request(request, self._thinking), thinks=True)
        thought = _thought_of_phase(first, thought_in(first), split_thought(first.text)[1])
        complete = bool(first.tool_calls) or not _was_cut(first)
        if thought is None and complete and not _has_form(request):
            return first
        if thought is not None and _was_cut(first):
            thought = await self._shortened(thought, request.thought) + CUT_MARK
        used = first.usage_metadata["output_tokens"] if first.usage_metadata else 0
        second = await self._send(_reply_request(request, self._thinking, thought, used))
        return _joined(second, thought)

    def usage(self, frames: int, prompt_tokens: int, seconds: float) -> CallUsage:
        """Sum the cost of the requests.

        Args:
            frames: Pictures in each request.
            prompt_tokens: Estimated prompt tokens of each, for a server that does not count; 0 for an in-process model.
            seconds: Wall-clock seconds of the call.
        """
        requests = max(self.requests, 1)
        total = sum((_counted(one, prompt_tokens) for one in self.usages), CallUsage())
        return dataclasses.replace(total, seconds=seconds, frames_sent=frames * requests, requests=requests)

    async def _send(self, request: Request, *, thinks: bool = False) -> AIMessage:
        chat: Any = self._chat
        if request.tools:
            chat = chat.bind_tools(request.tools, **request.binding)
        self.requests += 1
        if request.stream:
            reply = await self._streamed(chat, request, thinks)
        else:
            reply = await chat.ainvoke(request.messages, **request.options)
        if not isinstance(reply, AIMessage):
            raise ModelError(f"the model replied with a {type(reply).__name__}, not a message")
        reply = _with_whole_characters(reply)
        usage = _request_usage(reply, thinks=thinks)
        self.usages.append(usage)
        if usage.thinking_tokens is None and usage.thought:
            tokens = await self._tokens_of(usage.thought)
            self.usages[-1] = dataclasses.replace(usage, thinking_tokens=tokens)
        return reply

    async def _tokens_of(self, thought: str) -> int | None:
        """Count the tokens of a thought that the reply does not count."""
        try:
            return None if self._endpoint is None else await self._endpoint.tokenize(thought)
        except ServerError as error:
            _log.info("the tokens of a thought are estimated by its length: %s", error)
            return None

    async def _shortened(self, thought: str, tokens: int) -> str:
        """Cut a thought to its budget again: retokenized, it may have more tokens than when it was generated."""
        try:
            return thought if self._endpoint is None else await self._endpoint.shorten(thought, tokens)
        except ServerError as error:
            _log.info("a thought keeps the length that it was cut to: %s", error)
            return thought

    async def _streamed(self, chat: Any, request: Request, thinks: bool) -> AIMessage:  # noqa: ANN401 - bound or not
        message: AIMessageChunk | None = None
        texts: dict[StreamKind, StreamUnmarker] = {"thought": StreamUnmarker(), "text": StreamUnmarker()}
        async for chunk in chat.astream(request.messages, **request.options):
            thought = str(chunk.additional_kwargs.get("reasoning_content") or "")
            self._report("thought", texts["thought"].add(thought))
            kind: StreamKind = "thought" if thinks else "text"
            self._report(kind, texts[kind].add(chunk.text))
            message = chunk if message is None else message + chunk
        for kind, text in texts.items():
            self._report(kind, text.rest())
        if message is None:
            raise ModelError("the model replied with nothing")
        reply = message_chunk_to_message(message)
        return reply if isinstance(reply, AIMessage) else AIMessage(message.content)

    def _report(self, kind: StreamKind, text: str) -> None:
        if text and self._on_stream is not None:
            self._on_stream(kind, repair_surrogates(text))


def thought_in(reply: AIMessage) -> str:
    """Return a reply's reasoning, from its own field or from its text."""
    return str(reply.additional_kwargs.get("reasoning_content") or split_thought(reply.text)[0])


def _thought_request(request: Request, thinking: Thinking) -> Request:
    """Return the first-phase request: the same prompt, generating only the thought, without a schema."""
    budget = request.thought or 0
    body = {key: value for key, value in request.body.items() if key != "response_format"}
    options = {
        **request.options,
        "max_tokens": min(budget, request.options.get("max_tokens", budget)),
        "stop": [thinking.closing.strip()],
    }
    binding = {key: value for key, value in request.binding.items() if key != "tool_choice"}
    return dataclasses.replace(
        request, binding=binding, options={**options, "extra_body": body} if body else options, thought=None
    )


def _reply_request(request: Request, thinking: Thinking, thought: str | None, used: int) -> Request:
    """Return the second-phase request: the reply continues the closed thought; pictures, tools and schema stay.

    Args:
        request: The request as built.
        thinking: The profile's settings.
        thought: The thought; None if there was none.
        used: Reply tokens that the first phase used.
    """
    options = dict(request.options)
    if "max_tokens" in options:
        options["max_tokens"] = max(1, options["max_tokens"] - used)
    body = {key: value for key, value in request.body.items() if key not in thinking.on_body}
    body |= thinking.off_body
    messages = list(request.messages)
    if thought is not None:
        messages.append(AIMessage(f"{thinking.opening}{marked(thought)}{thinking.closing}"))
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    return dataclasses.replace(
        request, messages=messages, options={**options, "extra_body": body}, thought=None
    )


def _thought_of_phase(reply: AIMessage, thought: str, text: str) -> str | None:
    """Return the thought from a first phase; None if the model replied at once.

    A template may open the thought in the prompt, so that the server cannot tell it from text; text cut at the budget,
    or at the closing mark, then counts as the thought.
    """
    if reply.tool_calls:
        return None
    if not thought:
        if not (_was_cut(reply) or reply.response_metadata.get("stop_reason")):
            return None
        thought = text
    return thought.replace(_BROKEN, "").strip()


def _was_cut(reply: AIMessage) -> bool:
    """Tell whether a reply ended at its token limit."""
    return reply.response_metadata.get("finish_reason") == "length"


def _has_form(request: Request) -> bool:
    """Tell whether the reply must follow a format that the first phase does not enforce."""
    return "response_format" in request.body or "tool_choice" in request.binding


def _joined(reply: AIMessage, thought: str | None) -> AIMessage:
    """Return a second-phase reply as if from one request: a server may take all of it for reasoning."""
    fields, text = dict(reply.additional_kwargs), str(reply.text)
    if not text and not reply.tool_calls:
        text = str(fields.pop("reasoning_content", "") or "")
    if thought is not None:
        fields["reasoning_content"] = thought
    return reply.model_copy(update={"content": text or reply.content, "additional_kwargs": fields})


def _with_whole_characters(reply: AIMessage) -> AIMessage:
    r"""Return a reply with encodable text: JSON may contain a lone surrogate, such as `"\ud800"`."""
    fields = ("content", "additional_kwargs", "tool_calls", "invalid_tool_calls")
    return reply.model_copy(update={name: repair_surrogates_in(getattr(reply, name)) for name in fields})


def _request_usage(reply: AIMessage, *, thinks: bool) -> RequestUsage:
    counts, thought = reply.usage_metadata, thought_in(reply)
    details: Mapping[str, Any] = counts.get("output_token_details") or {} if counts else {}
    reasoning = details.get("reasoning")
    tokens = None if reasoning is None else int(reasoning)
    if thinks and counts is not None and _thought_of_phase(reply, thought, reply.text) is not None:
        # A first phase generates nothing else; vLLM 0.32 undercounts in streams.
        tokens = counts["output_tokens"]
    return RequestUsage(counts, thought, split_thought(reply.text)[1], tokens)


def _counted(usage: RequestUsage, prompt_tokens: int) -> CallUsage:
    counts, thinking = usage.counts, usage.thinking_tokens
    if thinking is None:
        thinking = estimate_tokens(len(usage.thought))
    if counts is None or counts["input_tokens"] == 0:
        if prompt_tokens == 0:
            return CallUsage()
        completion = estimate_tokens(max(len(usage.thought) + len(usage.text), 1))
        return CallUsage(prompt_tokens=prompt_tokens, completion_tokens=completion, thinking_tokens=thinking)
    return CallUsage(
        prompt_tokens=counts["input_tokens"],
        completion_tokens=counts["output_tokens"],
        thinking_tokens=min(thinking, counts["output_tokens"]),
        cached_tokens=(counts.get("input_token_details") or {}).get("cache_read") or 0,
    )
