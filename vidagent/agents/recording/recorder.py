"""A model's replies kept as they come, and what its server says of tokens."""

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
    Keep,
    Line,
    StandIn,
    as_chunk,
    hash_of,
    options_of,
    read_asked,
)
from vidagent.agents.server.connection import ServerError
from vidagent.agents.server.endpoint import Endpoint


class RecordedChat(StandIn):
    """Hands each request to a chat model and keeps it with its reply, its error, or that it was cut off.

    Args:
        inner: The chat model.
        keep: Takes the lines.
    """

    inner: BaseChatModel
    keep: Keep
    _times: Counter[str] = PrivateAttr(default_factory=Counter)

    @classmethod
    def over(cls, inner: BaseChatModel, keep: Keep) -> RecordedChat:
        """Stand for a chat model, under its name."""
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
        with self._keeping(messages, options_of(stop, kwargs), run_manager) as line:
            chat, options = self._bound(stop, kwargs)
            reply = await chat.ainvoke(messages, **options)
            _enter(line, reply)
        return ChatResult(generations=[ChatGeneration(message=reply)])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        whole: AIMessageChunk | None = None
        with self._keeping(messages, options_of(stop, kwargs), run_manager) as line:
            chat, options = self._bound(stop, kwargs)
            async for chunk in chat.astream(messages, **options):
                piece = as_chunk(chunk)
                whole = piece if whole is None else whole + piece
                yield ChatGenerationChunk(message=piece)
            if whole is not None:
                _enter(line, message_chunk_to_message(whole))

    def _bound(self, stop: list[str] | None, kwargs: Mapping[str, Any]) -> tuple[Any, Line]:
        options = {key: value for key, value in kwargs.items() if key not in {"offered", "binding"}}
        if stop is not None:
            options["stop"] = stop
        if "offered" not in kwargs:
            return self.inner, options
        return self.inner.bind_tools(kwargs["offered"], **kwargs["binding"]), options

    @contextmanager
    def _keeping(self, messages: Sequence[BaseMessage], options: Line, run_manager: Any) -> Iterator[Line]:
        """Keep one line at the end, however it ends; `n` counts equal requests in the order of asking."""
        asked = read_asked(messages, options, run_manager)
        line: Line = {"kind": "request", "step": asked.step, "key": asked.key, "n": self._times[asked.key]}
        self._times[asked.key] += 1
        line |= {"frames": asked.frames, "reply": None, "usage": None, "error": None}
        began = time.monotonic()
        try:
            yield line
        except ServerError as error:
            line["error"] = _told(error)
            raise
        except Exception as error:  # whatever the model raised is written down and goes on
            line["error"] = {"message": str(error)[:1000], "kind": type(error).__name__}
            raise
        finally:
            line["cut"] = line["reply"] is None and line["error"] is None
            line["seconds"] = round(time.monotonic() - began, 3)
            self.keep({**line, "request": asked.body})


class RecordedEndpoint(Endpoint):
    """Counts tokens by another endpoint, and keeps what it said.

    Args:
        inner: The other endpoint.
        keep: Takes the lines.
    """

    def __init__(self, inner: Endpoint, keep: Keep) -> None:
        """Stand for an endpoint, without its key."""
        super().__init__(inner.where)
        self._inner, self._line = inner, keep

    async def tokenize(self, text: str) -> int | None:
        """Count the tokens of a text."""
        count: int | None = await self._kept(self._inner.tokenize(text), "tokenize", text)
        return count

    async def shorten(self, text: str, tokens: int) -> str:
        """Cut a text to so many tokens."""
        cut: str = await self._kept(self._inner.shorten(text, tokens), "shorten", text, tokens)
        return cut

    async def _kept(self, asked: Coroutine[Any, Any, Any], *what: str | int) -> Any:
        line: Line = {"kind": "tokens", "key": hash_of(what), "what": what[0], "said": None, "error": None}
        try:
            line["said"] = await asked
        except ServerError as error:
            line["error"] = _told(error)
            raise
        finally:
            self._line(line)
        return line["said"]


def _enter(line: Line, reply: BaseMessage) -> None:
    line["reply"] = message_to_dict(reply)
    line["usage"] = getattr(reply, "usage_metadata", None)


def _told(error: ServerError) -> Line:
    return {
        "message": str(error),
        "status": error.status,
        "detail": error.detail,
        "retried": error.retried,
        "wait_s": error.wait_s,
    }
