"""How a request is put to one server: what its profile says, less what the server turned out to refuse."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage, SystemMessage
from langchain_core.tools import BaseTool
from pydantic import BaseModel

from vidagent.agents.client import media
from vidagent.agents.client.limits import CallLimits
from vidagent.agents.client.media import Put, holds_video
from vidagent.agents.client.request import Feature, Request
from vidagent.agents.client.thinking import Mode, mode
from vidagent.agents.parsing.reply_schemas import bounded, calls_schema, strict_tool
from vidagent.agents.profiles.schema import Media, Profile, Shown, Thinking
from vidagent.agents.prompting.messages import count_frames
from vidagent.agents.prompting.text_tool_calls import in_words
from vidagent.agents.server.connection import ServerError
from vidagent.types import Step

_REFUSALS: tuple[tuple[Feature, str], ...] = (
    ("thinking_budget", r"thinking_token_budget|reasoning_config|reasoning-config"),
    (
        "two_phase",
        r"continue_final_message|final message|add_generation_prompt|last (message|role)|assistant.{0,40}last",
    ),
    ("media_options", r"mm_processor_kwargs|media_io_kwargs|trust-request-mm-kwargs"),
    ("image_ids", r"\buuid"),
    ("video", r"\bvideo"),
    ("stream", r"\bstream"),
    ("schema", r"response_format|json_schema|structured|guided|grammar"),
    ("strict", r"\bstrict\b"),
    ("forced_tool", r"tool_choice|tool choice"),
    ("tools", r"tool-choice|tool-call-parser|tool_choice|tool choice|--jinja"),
    ("tools", r"(support|use).{0,20}\btools?\b|\btools?\b.{0,30}support"),
)
_SHOWN: dict[Step, Shown] = {"plan": "plan", "look": "look", "verify": "verify"}
_MOST_THOUGHT = 0.75
"""Share of a reply that its thought may take, whatever is allotted: the rest is for the reply proper."""
_REFUSED = frozenset({400, 404, 422, 500, 501})

_log = logging.getLogger(__name__)


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

    def thinks_apart(self, step: Step) -> bool:
        """Tell whether a thought of this step, if its length is limited, takes a request of its own."""
        thinking = self.profile.thinking
        return mode(thinking, step, video=False, tokens=1, most=None, refused=self._refused) == "two_phase"

    def plan(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[BaseTool],
        must_call: str | None,
        limits: CallLimits,
        *,
        stream: bool = False,
    ) -> Request:
        """Put the planner's request: with function calling, bound to a schema of calls, or calls in the text."""
        form = "text" if "tools" in self._refused else self.profile.tool_calls
        if form == "native":
            put = self._put("plan", messages, limits, "plan", stream=stream)
            return self._with_tools(put, tools, must_call)
        spoken = in_words(messages, tools, must_call)
        put = self._put("plan", spoken, limits, "plan", stream=stream)
        if form == "schema" and "schema" not in self._refused:
            return _shaped(put, "calls", calls_schema(tools, must_call))
        return put

    def ask(
        self,
        step: Step,
        messages: Sequence[BaseMessage],
        schema: type[BaseModel],
        limits: CallLimits,
        *,
        shown: Shown | None = None,
        stream: bool = False,
    ) -> Request:
        """Put a request for a typed reply: by its schema, as a forced function call, or in words only."""
        put = self._put(step, messages, limits, shown, stream=stream)
        form = "prompt" if "schema" in self._refused else self.profile.structured
        if form == "tool" and "forced_tool" not in self._refused and "tools" not in self._refused:
            uses: frozenset[Feature] = put.uses | {"forced_tool", "tools"}
            binding = {"tool_choice": schema.__name__}
            return dataclasses.replace(put, tools=(schema,), binding=binding, uses=uses)
        if form == "json_schema":
            return _shaped(put, schema.__name__, schema.model_json_schema())
        return put

    def say(
        self,
        messages: Sequence[BaseMessage],
        limits: CallLimits,
        *,
        tools: Sequence[BaseTool | dict[str, Any]] = (),
        stream: bool = False,
    ) -> Request:
        """Put a request for a reply in free words; the tools on offer may be called or not."""
        native = self.profile.tool_calls == "native" and "tools" not in self._refused
        spoken = messages if native or not tools else in_words(messages, tools, None)
        put = self._put("compose", spoken, limits, None, stream=stream)
        if not tools or not native:
            return put
        return dataclasses.replace(put, tools=tuple(tools), uses=put.uses | {"tools"})

    def _with_tools(self, put: Request, tools: Sequence[BaseTool], must_call: str | None) -> Request:
        binding: dict[str, Any] = {}
        uses: set[Feature] = {*put.uses, "tools"}
        forced = must_call or ("required" if self.profile.tool_choice == "required" else None)
        if forced and "forced_tool" not in self._refused:
            binding["tool_choice"] = forced
            uses.add("forced_tool")
        elif (
            must_call
        ):  # then nothing else is on offer, though it costs what the server has kept of the prompt
            tools = [tool for tool in tools if tool.name == must_call]
        bound: tuple[BaseTool | dict[str, Any], ...] = tuple(tools)
        if self.profile.strict_tools and "strict" not in self._refused:
            bound = tuple(strict_tool(tool) for tool in tools)
            uses.add("strict")
        return dataclasses.replace(put, tools=bound, binding=binding, uses=frozenset(uses))

    def _put(
        self,
        step: Step,
        messages: Sequence[BaseMessage],
        limits: CallLimits,
        shown: Shown | None,
        *,
        stream: bool,
    ) -> Request:
        """Lay out what all requests share: sampling, limits, and thinking switched on or off."""
        thinking = self.profile.thinking
        caps = (self.profile.completion_tokens.get(step), limits.completion_tokens)
        most = min((cap for cap in caps if cap is not None), default=None)
        placed = media.put(messages, self._media, shown or _SHOWN.get(step, "look"))
        video, tokens = holds_video(placed.messages), limits.thinking_tokens
        how = mode(thinking, step, video=video, tokens=tokens, most=most, refused=self._refused)
        sampling = {
            **self.profile.sampling,
            **(self.profile.thinking_sampling if how != "off" else {}),
            **({} if most is None else {"max_tokens": most}),
        }
        if tokens is not None and most is not None:
            tokens = min(tokens, int(most * _MOST_THOUGHT))
        body, uses = self._body(how, tokens)
        body, uses = {**body, **placed.body}, uses | self._media_features(placed)
        options = {**sampling, "extra_body": body} if body else sampling
        if how == "two_phase":
            uses |= {"two_phase"}
        if stream and "stream" not in self._refused:
            uses |= {"stream"}
        return Request(
            messages=_switched(placed.messages, thinking, how),
            frames=count_frames(messages),
            options=options,
            uses=uses,
            thought=tokens if how == "two_phase" else None,
            stream="stream" in uses,
        )

    @property
    def _media(self) -> Media:
        """The profile's word on media, less what the server refuses."""
        said, refused = self.profile.media, self._refused
        return dataclasses.replace(
            said,
            forms={} if "video" in refused else said.forms,
            per_request=said.per_request and "media_options" not in refused,
            image_ids=said.image_ids and "image_ids" not in refused,
        )

    def _media_features(self, placed: Put) -> frozenset[Feature]:
        features: dict[Feature, bool] = {
            "video": holds_video(placed.messages),
            "media_options": bool(placed.body),
            "image_ids": self._media.image_ids and count_frames(placed.messages) > 0,
        }
        return frozenset(name for name, used in features.items() if used)

    def _body(self, how: Mode, tokens: int | None) -> tuple[dict[str, Any], frozenset[Feature]]:
        """Return the fields of the body that switch thinking on or off, and cap it."""
        thinking, body = self.profile.thinking, dict(self.profile.body)
        if not thinking.can:
            return body, frozenset()
        body |= thinking.off_body if how == "off" else thinking.on_body
        budget = 0 if how == "off" else tokens
        if thinking.budget_field is None or budget is None or "thinking_budget" in self._refused:
            return body, frozenset()
        return {**body, thinking.budget_field: budget}, frozenset({"thinking_budget"})


def _switched(messages: Sequence[BaseMessage], thinking: Thinking, how: Mode) -> list[BaseMessage]:
    """Put a word such as `/think` in front of the system prompt, or in place of one."""
    switch = (thinking.off_prompt if how == "off" else thinking.on_prompt) if thinking.can else None
    if switch is None:
        return list(messages)
    if not isinstance(messages[0], SystemMessage):
        return [SystemMessage(switch), *messages]
    return [SystemMessage(f"{switch}\n{messages[0].text}"), *messages[1:]]


def _shaped(put: Request, name: str, schema: Mapping[str, Any]) -> Request:
    """Bind the reply to a JSON schema."""
    shape = {"name": name, "schema": bounded(schema), "strict": True}
    body = {**put.body, "response_format": {"type": "json_schema", "json_schema": shape}}
    return dataclasses.replace(put, options={**put.options, "extra_body": body}, uses=put.uses | {"schema"})
