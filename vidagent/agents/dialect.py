"""How a request is put to one server: what its profile says, less what the server turned out to refuse."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from vidagent.agents.messages import block, parts_of
from vidagent.agents.profile_schema import Profile
from vidagent.agents.prompts import render
from vidagent.agents.server import ServerError
from vidagent.types import Step

__all__ = ["Dialect", "Request"]

Feature = Literal["thinking_budget", "schema", "strict", "forced_tool", "tools"]

_REFUSALS: tuple[tuple[Feature, str], ...] = (
    ("thinking_budget", r"thinking_token_budget|reasoning_config|reasoning-config"),
    ("schema", r"response_format|json_schema|structured|guided|grammar"),
    ("strict", r"\bstrict\b"),
    ("forced_tool", r"tool_choice|tool choice"),
    ("tools", r"tool-choice|tool-call-parser|tool_choice|tool choice|--jinja"),
    ("tools", r"(support|use).{0,20}\btools?\b|\btools?\b.{0,30}support"),
)
_REFUSED = frozenset({400, 404, 422, 500, 501})

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent.

    Args:
        messages: The messages.
        tools: Tools or schemas to bind; empty for none.
        binding: Further arguments of `bind_tools`.
        options: Arguments of the call.
        uses: The features that the server may refuse.
    """

    messages: list[BaseMessage]
    tools: tuple[BaseTool | type[BaseModel], ...] = ()
    binding: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    uses: frozenset[Feature] = frozenset()


@dataclass
class Dialect:
    """Puts requests as the profile says, and remembers what the server refused.

    Args:
        profile: The model's profile.
    """

    profile: Profile
    _refused: set[Feature] = field(default_factory=set)

    def give_up(self, error: ServerError, request: Request) -> bool:
        """Go without the feature that a server refused; tell whether there was one."""
        if error.status not in _REFUSED:
            return False
        for feature, pattern in _REFUSALS:
            if feature in request.uses and re.search(pattern, error.detail, re.IGNORECASE):
                _log.info("the server refuses %s (%s); going on without", feature, error.detail)
                self._refused.add(feature)
                return True
        return False

    def plan(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[BaseTool],
        must_call: str | None,
        *,
        completion_tokens: int | None,
        thinking_tokens: int | None,
    ) -> Request:
        """Put the planner's request: with function calling, or with calls written in the text."""
        put = self._put("plan", messages, completion_tokens, thinking_tokens)
        if self.profile.tool_calls == "text" or "tools" in self._refused:
            spoken = _in_words(put.messages, tools, must_call)
            return Request(spoken, options=put.options, uses=put.uses)
        binding: dict[str, Any] = {}
        uses: set[Feature] = {*put.uses, "tools"}
        forced = must_call or ("required" if self.profile.tool_choice == "required" else None)
        if forced and "forced_tool" not in self._refused:
            binding["tool_choice"] = forced
            uses.add("forced_tool")
        if self.profile.strict_tools and "strict" not in self._refused:
            binding["strict"] = True
            uses.add("strict")
        return Request(put.messages, tuple(tools), binding, put.options, frozenset(uses))

    def ask(
        self,
        step: Step,
        messages: Sequence[BaseMessage],
        schema: type[BaseModel],
        *,
        completion_tokens: int | None,
        thinking_tokens: int | None,
    ) -> Request:
        """Put a request for a typed reply: by its schema, as a forced function call, or in words only."""
        put = self._put(step, messages, completion_tokens, thinking_tokens)
        form = "prompt" if "schema" in self._refused else self.profile.structured
        if form == "tool" and "forced_tool" not in self._refused and "tools" not in self._refused:
            forced: frozenset[Feature] = frozenset({"forced_tool", "tools"})
            choice = {"tool_choice": schema.__name__}
            return Request(put.messages, (schema,), choice, put.options, put.uses | forced)
        if form == "json_schema":
            shape = {"name": schema.__name__, "schema": schema.model_json_schema(), "strict": True}
            wanted = {"response_format": {"type": "json_schema", "json_schema": shape}}
            options = {**put.options, "extra_body": {**put.options.get("extra_body", {}), **wanted}}
            return Request(put.messages, options=options, uses=put.uses | {"schema"})
        return put

    def _put(
        self,
        step: Step,
        messages: Sequence[BaseMessage],
        completion_tokens: int | None,
        thinking_tokens: int | None,
    ) -> Request:
        """Lay out what all requests share: sampling, limits, and thinking switched on or off."""
        thinking = self.profile.thinking
        caps = (self.profile.completion_tokens.get(step), completion_tokens)
        most = min((cap for cap in caps if cap is not None), default=None)
        thinks = self._thinks(step, messages, thinking_tokens, most)
        sampling = {**self.profile.sampling, **(self.profile.thinking_sampling if thinks else {})}
        if most is not None:
            sampling["max_tokens"] = most
        body = {**self.profile.body}
        uses: frozenset[Feature] = frozenset()
        if thinking.can:
            body |= thinking.on_body if thinks else thinking.off_body
            budget = thinking_tokens if thinks else 0
            if thinking.budget_field and budget is not None and self._caps_thinking:
                body[thinking.budget_field] = budget
                uses = frozenset({"thinking_budget"})
        switch = (thinking.on_prompt if thinks else thinking.off_prompt) if thinking.can else None
        options = {**sampling, "extra_body": body} if body else sampling
        return Request(_switched(messages, switch), options=options, uses=uses)

    @property
    def _caps_thinking(self) -> bool:
        """Whether the server itself ends a thought that grows too long."""
        return self.profile.thinking.budget_field is not None and "thinking_budget" not in self._refused

    def _thinks(
        self, step: Step, messages: Sequence[BaseMessage], thinking_tokens: int | None, most: int | None
    ) -> bool:
        """Tell whether to think: where nobody caps the thought, only if the whole reply is within its budget."""
        thinking = self.profile.thinking
        if not thinking.can or step not in thinking.steps or thinking_tokens == 0:
            return False
        if (
            thinking_tokens is not None
            and not self._caps_thinking
            and (most is None or most > thinking_tokens)
        ):
            return False
        return thinking.with_video or not any(
            part.get("type") == "video_url" for message in messages for part in parts_of(message)
        )


def _switched(messages: Sequence[BaseMessage], switch: str | None) -> list[BaseMessage]:
    """Put a word such as `/think` in front of the system prompt."""
    if switch is None or not isinstance(messages[0], SystemMessage):
        return list(messages)
    return [SystemMessage(f"{switch}\n{messages[0].text}"), *messages[1:]]


def _in_words(
    messages: Sequence[BaseMessage], tools: Sequence[BaseTool], must_call: str | None
) -> list[BaseMessage]:
    """Say in words what function calling would carry: the tools, the calls made, and their results."""
    described = [json.dumps(convert_to_openai_tool(tool)["function"], ensure_ascii=False) for tool in tools]
    spoken: list[BaseMessage] = []
    for message in messages:
        turn = _spoken(message)
        if isinstance(turn, HumanMessage) and spoken and isinstance(spoken[-1], HumanMessage):
            turn = HumanMessage([*parts_of(spoken.pop()), *parts_of(turn)])
        spoken.append(turn)
    guide = render("tools_text", tools="\n".join(described))
    if must_call:
        guide += f"\n\nNow call {must_call!r}, and nothing else."
    if isinstance(spoken[0], SystemMessage):
        return [SystemMessage(f"{spoken[0].text}\n\n{guide}"), *spoken[1:]]
    return [SystemMessage(guide), *spoken]


def _spoken(message: BaseMessage) -> BaseMessage:
    if isinstance(message, ToolMessage):
        return HumanMessage(block("tool_response", message.text))
    if isinstance(message, AIMessage) and message.tool_calls:
        calls = [
            json.dumps({"name": call["name"], "arguments": call["args"]}, ensure_ascii=False)
            for call in message.tool_calls
        ]
        said = [message.text] if message.text else []
        return AIMessage("\n".join([*said, *(f"<tool_call>{call}</tool_call>" for call in calls)]))
    return message
