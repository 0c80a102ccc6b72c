"""A model's replies kept as they come, and a model that gives kept replies again.

A request is known again by a key: the step, the messages with each picture by its hash, the tools or the schema, and
which options it has. Ids of calls count by their order, and values such as the tokens left do not count: they differ
from run to run. Of equal requests each reply is given once, in the order in which they were asked.
"""

# ruff: noqa: ANN401  (the signatures of LangChain's hooks)
from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ToolMessage,
    message_chunk_to_message,
    message_to_dict,
    messages_from_dict,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

from vidagent.agents.endpoint import Endpoint
from vidagent.agents.messages import Part, count_frames, parts_of, picture_of, read_step
from vidagent.agents.server import ServerError
from vidagent.errors import BudgetSpent, ModelError

__all__ = [
    "Keep",
    "RecordedChat",
    "RecordedEndpoint",
    "ReplayedChat",
    "ReplayedEndpoint",
    "Replies",
    "neutral",
]

Line = dict[str, Any]
Keep = Callable[[Line], None]
"""Takes a line to be kept: a `request` with its reply, or `tokens` that a server counted."""

_AT_ONCE_S = 1e-6
"""How long a replay waits before a request that the server had refused for the moment."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request as it is kept: its key, its step, its pictures and all of its body."""

    key: str
    step: str
    frames: int
    body: Line


class _Through(BaseChatModel):
    """A chat model that stands for another: the tools on offer come to it as they were bound."""

    model_name: str
    openai_api_base: str | None = None

    @property
    def _llm_type(self) -> str:
        return "vidagent-replay"

    def bind_tools(self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any) -> Any:
        """Keep the tools beside the options of the call."""
        chosen = {} if tool_choice is None else {"tool_choice": tool_choice}
        return self.bind(offered=list(tools), binding={**chosen, **kwargs})

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        return asyncio.run(self._agenerate(messages, stop, None, **kwargs))


class RecordedChat(_Through):
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
        with self._keeping(messages, _options(stop, kwargs), run_manager) as line:
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
        with self._keeping(messages, _options(stop, kwargs), run_manager) as line:
            chat, options = self._bound(stop, kwargs)
            async for chunk in chat.astream(messages, **options):
                piece = _as_chunk(chunk)
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
        asked = _read(messages, options, run_manager)
        line: Line = {"kind": "request", "step": asked.step, "key": asked.key, "n": self._times[asked.key]}
        self._times[asked.key] += 1
        line |= {"frames": asked.frames, "reply": None, "usage": None, "error": None}
        began = time.monotonic()
        try:
            yield line
        except ServerError as error:
            line["error"] = _told(error)
            raise
        except Exception as error:
            line["error"] = {"message": str(error)[:1000], "kind": type(error).__name__}
            raise
        finally:
            line["cut"] = line["reply"] is None and line["error"] is None
            line["seconds"] = round(time.monotonic() - began, 3)
            self.keep({**line, "request": asked.body})


class Replies:
    """The replies of a recorded run, each to be taken once.

    Args:
        run_id: The run.
        lines: Its `request` lines; those of equal requests in the order of asking.
        out_of_time: Whether the run ended because its seconds were over: then a request that it had no reply to is
            one that it had no time for.
    """

    def __init__(self, run_id: str, lines: Iterable[Line], *, out_of_time: bool = False) -> None:
        """Sort the lines by their keys."""
        self._run_id, self._out_of_time = run_id, out_of_time
        self._by_key: dict[str, list[Line]] = defaultdict(list)
        for line in lines:
            self._by_key[line["key"]].append(line)

    def take(self, asked: _Asked) -> AIMessage:
        """Return the reply to a request.

        Raises:
            ServerError: If the server failed then.
            BudgetSpent: If the time was over before it came.
            ModelError: If there is none.
        """
        left = self._by_key.get(asked.key)
        line = left.pop(0) if left else None
        if self._out_of_time and (line is None or line["cut"]):
            raise BudgetSpent("seconds")
        if line is None or (line["reply"] is None and "detail" not in (line["error"] or {})):
            raise ModelError(
                f"run {self._run_id} holds no reply to this request of step {asked.step!r}: "
                "the code, the prompts or the settings have changed since it was recorded"
            )
        if line["error"]:
            raise ServerError(**{**line["error"], "wait_s": _AT_ONCE_S})
        [message] = messages_from_dict([line["reply"]])
        if not isinstance(message, AIMessage):
            raise ModelError(f"run {self._run_id} holds a damaged reply of step {asked.step!r}")
        return message


class ReplayedChat(_Through):
    """Gives the replies of a recorded run again, and asks nobody.

    Args:
        replies: The replies.
    """

    replies: Replies

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        reply = self.replies.take(_read(messages, _options(stop, kwargs), run_manager))
        return ChatResult(generations=[ChatGeneration(message=reply)])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        reply = self.replies.take(_read(messages, _options(stop, kwargs), run_manager))
        yield ChatGenerationChunk(message=_as_chunk(reply))


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
        line: Line = {"kind": "tokens", "key": _hash(what), "what": what[0], "said": None, "error": None}
        try:
            line["said"] = await asked
        except ServerError as error:
            line["error"] = _told(error)
            raise
        finally:
            self._line(line)
        return line["said"]


class ReplayedEndpoint(Endpoint):
    """Says again how many tokens a text has.

    Args:
        where: The base URL of the server then; it is not asked.
        lines: The `tokens` lines of a recorded run.
    """

    def __init__(self, where: str, lines: Iterable[Line]) -> None:
        """Sort the lines by their keys."""
        super().__init__(where)
        self._said = {line["key"]: line for line in lines}

    async def tokenize(self, text: str) -> int | None:
        """Return the count that the server gave, or None."""
        said = self._again("tokenize", text)
        return said if isinstance(said, int) else None

    async def shorten(self, text: str, tokens: int) -> str:
        """Return the text as it was cut."""
        said = self._again("shorten", text, tokens)
        return said if isinstance(said, str) else text

    def _again(self, *what: str | int) -> Any:
        line = self._said.get(_hash(what))
        if line is not None and line["error"]:
            raise ServerError(**line["error"])
        return None if line is None else line["said"]


def neutral(messages: Sequence[BaseMessage]) -> list[Line]:
    """Return messages as JSON values that are the same whenever the same is said.

    Pictures and videos become the sha256 of their bytes, the ids of calls their order.
    """
    ids: dict[str | None, int] = {}
    return [_neutral(message, ids) for message in messages]


def _neutral(message: BaseMessage, ids: dict[str | None, int]) -> Line:
    said: Line = {"role": message.type, "content": [_part(part) for part in parts_of(message)]}
    if isinstance(message, ToolMessage):
        said["call"] = ids.setdefault(message.tool_call_id, len(ids))
    if isinstance(message, AIMessage):
        calls = [*message.tool_calls, *message.invalid_tool_calls]
        said["calls"] = [
            {"call": ids.setdefault(call["id"], len(ids)), "name": call["name"], "args": call["args"]}
            for call in calls
        ]
        if thought := message.additional_kwargs.get("reasoning_content"):
            said["thought"] = thought
    return said


def _part(part: Part) -> Line:
    picture = picture_of(part)
    if picture is not None:
        return {"image": hashlib.sha256(picture).hexdigest()}
    if part.get("type") == "video_url":
        return {"video": hashlib.sha256(part["video_url"]["url"].encode()).hexdigest()}
    return {"text": part["text"]} if part.get("type") == "text" else dict(part)


def _read(messages: Sequence[BaseMessage], options: Line, run_manager: Any) -> _Asked:
    """Return a request as it is kept; in a graph its step is the node's."""
    node = (getattr(run_manager, "metadata", None) or {}).get("langgraph_node")
    step = str(node or read_step(messages) or "")
    said = neutral(messages)
    shape = {name: options.get(name) for name in ("tools", "tool_choice")}
    body = options.get("extra_body", {})
    names = sorted([*options, *(f"extra_body.{name}" for name in body)])
    key = _hash((step, said, shape, body.get("response_format"), names))
    return _Asked(key, step, count_frames(messages), {"messages": said, **options})


def _options(stop: list[str] | None, kwargs: Mapping[str, Any]) -> Line:
    """Return the options of a call as JSON values, the tools in OpenAI's form."""
    options = {key: value for key, value in kwargs.items() if key not in {"offered", "binding"}}
    if stop is not None:
        options["stop"] = stop
    if "offered" in kwargs:
        options["tools"] = [convert_to_openai_tool(tool) for tool in kwargs["offered"]]
        options |= kwargs["binding"]
    return options


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


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


def _as_chunk(message: BaseMessage) -> AIMessageChunk:
    """Return a message as the one piece of a stream."""
    if isinstance(message, AIMessageChunk):
        return message
    fields = {"content", "additional_kwargs", "response_metadata", "id", "name"}
    more = message.model_dump(include={"tool_calls", "invalid_tool_calls", "usage_metadata"})
    return AIMessageChunk(**{name: getattr(message, name) for name in fields}, **more)
