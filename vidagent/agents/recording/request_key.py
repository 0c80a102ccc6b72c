"""A request as it is kept, with the key that it is known again by, and a chat model that stands for another.

The key is made of the step, the messages with each picture by its hash, the tools or the schema, and which options
the request has. Ids of calls count by their order, and values such as the tokens left do not count: they differ from
run to run.
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
    count_frames,
    parts_of,
    picture_of,
    read_step,
)

Line = dict[str, Any]
Keep = Callable[[Line], None]
"""Takes a line to be kept: a `request` with its reply, or `tokens` that a server counted."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it is kept: its key, its step, its pictures and all of its body."""

    key: str
    step: str
    frames: int
    body: Line


class StandIn(BaseChatModel):
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


def read_asked(messages: Sequence[BaseMessage], options: Line, run_manager: Any) -> Asked:
    """Return a request as it is kept; in a graph its step is the node's."""
    node = (getattr(run_manager, "metadata", None) or {}).get("langgraph_node")
    step = str(node or read_step(messages) or "")
    said = neutral(messages)
    shape = {name: options.get(name) for name in ("tools", "tool_choice")}
    body = options.get("extra_body", {})
    names = sorted([*options, *(f"extra_body.{name}" for name in body)])
    key = hash_of((step, said, shape, body.get("response_format"), names))
    return Asked(key, step, count_frames(messages), {"messages": said, **options})


def options_of(stop: list[str] | None, kwargs: Mapping[str, Any]) -> Line:
    """Return the options of a call as JSON values, the tools in OpenAI's form."""
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
    """Return a message as the one piece of a stream."""
    if isinstance(message, AIMessageChunk):
        return message
    fields = {"content", "additional_kwargs", "response_metadata", "id", "name"}
    more = message.model_dump(include={"tool_calls", "invalid_tool_calls", "usage_metadata"})
    return AIMessageChunk(**{name: getattr(message, name) for name in fields}, **more)


def neutral(messages: Sequence[BaseMessage]) -> list[Line]:
    """Return messages as JSON values that are the same whenever the same is said.

    Pictures and videos become the sha256 of their bytes, the ids of calls their order.
    """
    ids: dict[str | None, int] = {}
    return [_neutral(message, ids) for message in messages]


def _neutral(message: BaseMessage, ids: dict[str | None, int]) -> Line:
    refs = iter(message.additional_kwargs.get(FRAME_REFS, ()))
    said: Line = {"role": message.type, "content": [_part(part, refs) for part in parts_of(message)]}
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


def _part(part: Part, refs: Iterator[str]) -> Line:
    """Return a part, a picture by its hash: the next of `refs`, the names of frames that the client placed."""
    if part.get("type") == "image_url" and (ref := next(refs, None)) is not None:
        return {"image": ref}
    picture = picture_of(part)
    if picture is not None:
        return {"image": hashlib.sha256(picture).hexdigest()}
    if part.get("type") == "video_url":
        return {"video": hashlib.sha256(part["video_url"]["url"].encode()).hexdigest()}
    return {"text": part["text"]} if part.get("type") == "text" else dict(part)
