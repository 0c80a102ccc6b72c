"""A request as it is recorded, the key that a replay finds it by, and a proxy for another chat model.

The key is a hash of the step, the messages with each picture by its hash, the tools or the schema, and the names of
the options. Ids of calls are replaced by their order, and values such as the tokens left are not part of it: they
differ from run to run.
"""

# ruff: noqa: ANN401  (the signatures of LangChain's hooks)
from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool

from vidagent.agents.prompting.messages import (
    FRAME_REFS,
    Part,
    count_shown,
    parts_of,
    picture_of,
    read_step,
)

TraceLine = dict[str, Any]
WriteLine = Callable[[TraceLine], None]
"""Writes a line of the trace: a `request` with its reply, or `tokens` that a server counted."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request as it is recorded: its key, its step, the number of frames that it shows, and its body."""

    key: str
    step: str
    frames: int
    body: TraceLine


class ChatProxy(BaseChatModel):
    """A proxy for another chat model, which gets the tools on offer as they were bound."""

    model_name: str
    openai_api_base: str | None = None

    @property
    def _llm_type(self) -> str:
        return "vidagent-replay"

    def bind_tools(self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any) -> Any:
        """Pass the tools on with the options of the call."""
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


def describe_request(
    messages: Sequence[BaseMessage], options: TraceLine, run_manager: Any
) -> RecordedRequest:
    """Return a request as it is recorded; in a graph its step is the node's."""
    node = (getattr(run_manager, "metadata", None) or {}).get("langgraph_node")
    step = str(node or read_step(messages) or "")
    content = canonical(messages)
    shape = {name: options.get(name) for name in ("tools", "tool_choice")}
    body = options.get("extra_body", {})
    names = sorted([*options, *(f"extra_body.{name}" for name in body)])
    key = hash_of((step, content, shape, body.get("response_format"), names))
    return RecordedRequest(key, step, count_shown(messages), {"messages": content, **options})


def options_of(stop: list[str] | None, kwargs: Mapping[str, Any]) -> TraceLine:
    """Return the options of a call as JSON values, the tools in OpenAI's format."""
    options = {key: value for key, value in kwargs.items() if key not in {"offered", "binding"}}
    if stop is not None:
        options["stop"] = stop
    if "offered" in kwargs:
        options["tools"] = [convert_to_openai_tool(tool) for tool in kwargs["offered"]]
        options |= kwargs["binding"]
    return options


def hash_of(value: object) -> str:
    """Return a hash of a JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def as_chunk(message: BaseMessage) -> AIMessageChunk:
    """Return a message as the only chunk of a stream."""
    if isinstance(message, AIMessageChunk):
        return message
    fields = {"content", "additional_kwargs", "response_metadata", "id", "name"}
    more = message.model_dump(include={"tool_calls", "invalid_tool_calls", "usage_metadata"})
    return AIMessageChunk(**{name: getattr(message, name) for name in fields}, **more)


def canonical(messages: Sequence[BaseMessage]) -> list[TraceLine]:
    """Return messages as JSON values that are equal in every run with the same content.

    Pictures and videos become the sha256 of their bytes, the ids of calls their order.
    """
    ids: dict[str | None, int] = {}
    return [_canonical(message, ids) for message in messages]


def _canonical(message: BaseMessage, ids: dict[str | None, int]) -> TraceLine:
    refs = iter(message.additional_kwargs.get(FRAME_REFS, ()))
    written: TraceLine = {"role": message.type, "content": [_part(part, refs) for part in parts_of(message)]}
    if isinstance(message, ToolMessage):
        written["call"] = ids.setdefault(message.tool_call_id, len(ids))
    if isinstance(message, AIMessage):
        calls = [*message.tool_calls, *message.invalid_tool_calls]
        written["calls"] = [
            {"call": ids.setdefault(call["id"], len(ids)), "name": call["name"], "args": call["args"]}
            for call in calls
        ]
        if thought := message.additional_kwargs.get("reasoning_content"):
            written["thought"] = thought
    return written


def _part(part: Part, refs: Iterator[str]) -> TraceLine:
    """Return a part, a picture by its hash: the next of `refs`, the names of frames that the client placed."""
    if part.get("type") == "image_url" and (ref := next(refs, None)) is not None:
        return {"image": ref}
    picture = picture_of(part)
    if picture is not None:
        return {"image": hashlib.sha256(picture).hexdigest()}
    if part.get("type") == "video_url":
        return {"video": hashlib.sha256(part["video_url"]["url"].encode()).hexdigest()}
    return {"text": part["text"]} if part.get("type") == "text" else dict(part)
