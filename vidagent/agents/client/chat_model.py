"""A chat model over an OpenAI-compatible server that keeps what ChatOpenAI drops."""

# ruff: noqa: ANN401  (the signatures of LangChain's hooks)
from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import openai
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from vidagent.agents.client.wire_reply import StreamedReply, mended_chunk, mended_reply, reasoning
from vidagent.agents.server.connection import (
    ServerError,
    error_text,
    is_loopback,
    public_url,
    short_line,
)
from vidagent.agents.server.errors import explain
from vidagent.agents.server.size_limit import limit_size

_NO_KEY = "EMPTY"
_CHARS_PER_TOKEN = 4
_WIRE_KEYS = frozenset({"type", "text", "image_url", "video_url", "uuid"})
"""Keys of the parts that vLLM and OpenAI accept; LangChain converts parts with other keys."""


class ChatVLM(ChatOpenAI):
    """ChatOpenAI for vLLM, NIM and similar servers.

    - Reasoning, streamed or not, is stored in `additional_kwargs["reasoning_content"]`, and goes back to the server
      under the name the server used.
    - A call's `extra_body` is merged over the constructor's instead of replacing it.
    - Tokens are estimated by length: the tiktoken tables that ChatOpenAI would fetch fit no VLM.
    - Every failure is a `ServerError` with one clear line.
    """

    @classmethod
    def over(cls, base_url: str, model: str, *, api_key: str | None = None, **kwargs: Any) -> Self:
        """Make the chat model for one server; nothing is sent yet.

        The server gets only the given key: `OPENAI_API_KEY` is never sent to it. Connections are closed after each
        call, so that the model can be used from several event loops in turn, and servers on this machine bypass any
        proxy.
        """
        return cls(
            model=model,
            base_url=base_url,
            api_key=SecretStr(api_key or _NO_KEY),
            http_async_client=openai.DefaultAsyncHttpxClient(
                trust_env=not is_loopback(base_url),
                follow_redirects=False,
                event_hooks={"response": [limit_size]},
            ),
            default_headers={"Connection": "close", "Accept-Encoding": "identity"},
            max_retries=0,
            timeout=None,
            stream_usage=True,
            stream_chunk_timeout=None,  # deadlines are ours; its `wait_for` loses cancellations before Python 3.12
            use_responses_api=False,
            **kwargs,
        )

    def get_num_tokens(self, text: str) -> int:
        """Estimate the tokens of a text, without a tokenizer or network access."""
        return -(-len(text) // _CHARS_PER_TOKEN)

    def get_num_tokens_from_messages(
        self, messages: Sequence[BaseMessage], tools: Any = None, **kwargs: Any
    ) -> int:
        """Estimate the tokens of the text in the messages; pictures do not count."""
        return sum(self.get_num_tokens(message.text) for message in messages)

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        with self._explained():
            return await super()._agenerate(*args, **kwargs)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        reply = StreamedReply()
        with self._explained():
            async for chunk in super()._astream(*args, **kwargs):
                if (ready := reply.add(chunk)) is not None:
                    yield ready
            if (rest := reply.rest()) is not None:
                yield rest
        if not reply.count:
            where = public_url(str(self.openai_api_base))
            raise ServerError(
                f"the model server at {where} sent no event of a stream", status=501, detail="no stream"
            )

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        if self.extra_body and "extra_body" in kwargs:
            kwargs["extra_body"] = {**self.extra_body, **kwargs["extra_body"]}
        messages = self._convert_input(input_).to_messages()
        payload = super()._get_request_payload(list(map(_without_parts, messages)), stop=stop, **kwargs)
        if "max_completion_tokens" in payload and not self._is_openai:
            payload["max_tokens"] = payload.pop("max_completion_tokens")
        for message, sent in zip(messages, payload["messages"], strict=True):
            if _in_wire_form(message):
                sent["content"] = message.content
            if isinstance(message, AIMessage) and (
                thought := message.additional_kwargs.get("reasoning_content")
            ):
                sent[message.additional_kwargs.get("reasoning_key", "reasoning")] = thought
        return _past_the_types(payload)

    def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
        if not isinstance(response, dict | openai.BaseModel):
            where = public_url(str(self.openai_api_base))
            raise ServerError(
                f"{where} answered with a page, not JSON; is the base URL right, such as http://HOST:8000/v1?"
            )
        reply = response if isinstance(response, dict) else response.model_dump(warnings=False)
        self._check(reply)
        reply = mended_reply(reply)
        for choice in reply["choices"]:
            _break_calls_without_arguments(choice["message"])
        result = super()._create_chat_result(reply, generation_info)
        for generation, choice in zip(result.generations, reply["choices"], strict=True):
            generation.message.additional_kwargs.update(reasoning(choice["message"]))
            if choice.get("stop_reason") is not None:
                generation.message.response_metadata["stop_reason"] = choice["stop_reason"]
        return result

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        chunk = mended_chunk(chunk)
        made = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        choices = chunk.get("choices") or chunk.get("chunk", {}).get("choices") or []
        if made is not None and choices:
            thought = reasoning(choices[0].get("delta") or {})
            thought.pop("reasoning_key", None)  # chunks are concatenated, which would repeat the name
            made.message.additional_kwargs.update(thought)
        return made

    def _check(self, reply: Mapping[str, Any]) -> None:
        where = public_url(str(self.openai_api_base))
        if error := reply.get("error"):
            line = short_line(error_text(reply) or str(error), self._key)
            raise ServerError(f"the model server at {where} replied with an error: {line}")
        choices = reply.get("choices")
        if not isinstance(choices, list) or not choices:
            raise ServerError(f"the model server at {where} replied without choices", retried=True)
        if not isinstance(choices[0], dict) or not isinstance(choices[0].get("message"), dict):
            raise ServerError(f"the model server at {where} replied without a message", retried=True)

    @property
    def _key(self) -> str:
        """The server's key; empty if there is none."""
        key = self.openai_api_key
        secret = key.get_secret_value() if isinstance(key, SecretStr) else ""
        return "" if secret == _NO_KEY else secret

    @property
    def _is_openai(self) -> bool:
        return urlsplit(str(self.openai_api_base)).hostname == "api.openai.com"

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (
            openai.OpenAIError,
            ValueError,
            TypeError,
            AttributeError,
            LookupError,
            RecursionError,
        ) as error:
            raise explain(
                error, base_url=str(self.openai_api_base), model=self.model_name, key=self._key
            ) from error


def connect(base_url: str, model: str, *, api_key: str | None = None, **kwargs: Any) -> ChatVLM:
    """Make the chat model for one server; nothing is sent yet."""
    return ChatVLM.over(base_url, model, api_key=api_key, **kwargs)


def _in_wire_form(message: BaseMessage) -> bool:
    """Tell whether a message's parts are already in the protocol's format."""
    return (
        isinstance(message, HumanMessage)
        and isinstance(message.content, list)
        and all(isinstance(part, dict) and part.keys() <= _WIRE_KEYS for part in message.content)
    )


def _without_parts(message: BaseMessage) -> BaseMessage:
    """Return a message without its parts if they need no conversion: LangChain's costs 1 ms per part."""
    return message.model_copy(update={"content": ""}) if _in_wire_form(message) else message


def _past_the_types(payload: dict[str, Any]) -> dict[str, Any]:
    """Send the messages as extra body fields, so that the client does not walk their types part by part.

    For forty pictures the walk takes as long as the rest of the request's preparation.
    """
    body = {**(payload.get("extra_body") or {}), "messages": payload["messages"]}
    return {**payload, "messages": [], "extra_body": body}


def _break_calls_without_arguments(message: Mapping[str, Any]) -> None:
    """Make arguments that are JSON, but not an object, unparsable; of a string, what is in it is read.

    LangChain treats unparsable arguments as an invalid call, which is requested again; on `true` or a number, which
    vLLM passes on when no schema constrains the call, it fails, as it does on huge numbers and deep nesting.
    """
    for call in message.get("tool_calls") or []:
        function = call.get("function") or {}
        try:
            arguments = json.loads(function["arguments"])
        except (KeyError, TypeError, json.JSONDecodeError):
            continue
        except (
            ValueError,
            RecursionError,
        ) as error:  # a number of thousands of digits, thousands of brackets
            function["arguments"] = f"not read: {error}"
            continue
        if isinstance(arguments, str) and arguments.lstrip().startswith("{"):
            function["arguments"] = arguments
        elif not isinstance(arguments, dict | None):
            function["arguments"] = f"not an object: {function['arguments']}"
