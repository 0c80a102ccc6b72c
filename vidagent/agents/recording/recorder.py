"""Recording of a model's replies as they arrive, and of the token counts of its server."""

# ruff: noqa: ANN401  (the signatures of LangChain's hooks)
from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage, message_chunk_to_message, message_to_dict
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr

from vidagent.agents.recording.request_key import (
    ChatProxy,
    TraceLine,
    WriteLine,
    as_chunk,
    describe_request,
    hash_of,
    options_of,
)
from vidagent.agents.server.connection import ServerError
from vidagent.agents.server.endpoint import Endpoint


class RecordedChat(ChatProxy):
    """Passes each request to a chat model and records it with its reply or error, or that it was cancelled.

    Args:
        inner: The chat model.
        keep: Writes the lines.
    """

    inner: BaseChatModel
    keep: WriteLine
    _counts: Counter[str] = PrivateAttr(default_factory=Counter)

    @classmethod
    def over(cls, inner: BaseChatModel, keep: WriteLine) -> RecordedChat:
        """Wrap a chat model under its own name."""
        return cls(
            inner=inner,
            keep=keep,
            model_name=str(getattr(inner, "model_name", "")),
            openai_api_base=getattr(inner, "openai_api_base", None),
        )

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        with self._recorded(messages, options_of(stop, kwargs), run_manager) as line:
            chat, options = self._bound(stop, kwargs)
            reply = await chat.ainvoke(messages, **options)
            _add_reply(line, reply)
        return ChatResult(generations=[ChatGeneration(message=reply)])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        whole: AIMessageChunk | None = None
        with self._recorded(messages, options_of(stop, kwargs), run_manager) as line:
            chat, options = self._bound(stop, kwargs)
            async for chunk in chat.astream(messages, **options):
                piece = as_chunk(chunk)
                whole = piece if whole is None else whole + piece
                yield ChatGenerationChunk(message=piece)
            if whole is not None:
                _add_reply(line, message_chunk_to_message(whole))

    def _bound(self, stop: list[str] | None, kwargs: Mapping[str, Any]) -> tuple[Any, TraceLine]:
        options = {key: value for key, value in kwargs.items() if key not in {"offered", "binding"}}
        if stop is not None:
            options["stop"] = stop
        if "offered" not in kwargs:
            return self.inner, options
        return self.inner.bind_tools(kwargs["offered"], **kwargs["binding"]), options

    @contextmanager
    def _recorded(
        self, messages: Sequence[BaseMessage], options: TraceLine, run_manager: Any
    ) -> Iterator[TraceLine]:
        """Write one line at the end, however it ends; `n` numbers equal requests in their order."""
        request = describe_request(messages, options, run_manager)
        line: TraceLine = {
            "kind": "request",
            "step": request.step,
            "key": request.key,
            "n": self._counts[request.key],
        }
        self._counts[request.key] += 1
        line |= {"frames": request.frames, "reply": None, "usage": None, "error": None}
        began = time.monotonic()
        try:
            yield line
        except ServerError as error:
            line["error"] = _error(error)
            raise
        except Exception as error:  # whatever the model raises is recorded and raised again
            line["error"] = {"message": str(error)[:1000], "kind": type(error).__name__}
            raise
        finally:
            line["cut"] = line["reply"] is None and line["error"] is None
            line["seconds"] = round(time.monotonic() - began, 3)
            self.keep({**line, "request": request.body})


class RecordedEndpoint(Endpoint):
    """Counts tokens through another endpoint and records the counts.

    Args:
        inner: The other endpoint.
        keep: Writes the lines.
    """

    def __init__(self, inner: Endpoint, keep: WriteLine) -> None:
        """Wrap an endpoint, without its key."""
        super().__init__(inner.where)
        self._inner, self._keep = inner, keep

    async def tokenize(self, text: str) -> int | None:
        """Count the tokens of a text."""
        count: int | None = await self._recorded(self._inner.tokenize(text), "tokenize", text)
        return count

    async def shorten(self, text: str, tokens: int) -> str:
        """Cut a text to a number of tokens."""
        cut: str = await self._recorded(self._inner.shorten(text, tokens), "shorten", text, tokens)
        return cut

    async def _recorded(self, asked: Coroutine[Any, Any, Any], *what: str | int) -> Any:
        line: TraceLine = {
            "kind": "tokens",
            "key": hash_of(what),
            "what": what[0],
            "said": None,
            "error": None,
        }
        try:
            line["said"] = await asked
        except ServerError as error:
            line["error"] = _error(error)
            raise
        finally:
            self._keep(line)
        return line["said"]


def _add_reply(line: TraceLine, reply: BaseMessage) -> None:
    line["reply"] = message_to_dict(reply)
    line["usage"] = getattr(reply, "usage_metadata", None)


def _error(error: ServerError) -> TraceLine:
    return {
        "message": str(error),
        "status": error.status,
        "detail": error.detail,
        "retried": error.retried,
        "wait_s": error.wait_s,
    }
