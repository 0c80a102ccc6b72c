"""Build requests for one server: what its model's profile specifies, except what the server turned out to refuse."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.messages import BaseMessage, SystemMessage
from langchain_core.tools import BaseTool
from pydantic import BaseModel

from vidagent.agents.client import media, packing
from vidagent.agents.client.brief_texts import brief_tool
from vidagent.agents.client.limits import CallLimits, prompt_tokens
from vidagent.agents.client.media import PlacedMedia, holds_video
from vidagent.agents.client.request_schemas import bounded, calls_schema, strict_tool, tool_name, tool_tokens
from vidagent.agents.profiles.schema import Media, Profile, Shown, Thinking
from vidagent.agents.prompting.control_tokens import as_data
from vidagent.agents.prompting.messages import count_frames, count_shown, frame_load
from vidagent.agents.prompting.text_tool_calls import in_words
from vidagent.agents.server.facts import ServerFacts, applied
from vidagent.agents.server.known_servers import ServerMemory
from vidagent.types import Step

Feature = Literal[
    "thinking_budget",
    "two_phase",
    "schema",
    "strict",
    "forced_tool",
    "tools",
    "video",
    "media_options",
    "image_ids",
    "stream",
]
"""Features that a server may refuse."""

ThinkingMode = Literal["off", "free", "native", "two_phase"]
"""No thinking; uncapped; capped by the server; capped by ending it ourselves."""

_SHOWN: dict[Step, Shown] = {"plan": "plan", "look": "look", "verify": "verify"}
_TOOLS_SHARE = 0.4
"""Largest share of a prompt for the tools' descriptions; longer ones are shortened."""
_LONGER = 4
"""How many times the profile's most tokens a reply may have that is to be long, as far as the context has room."""
_MOST_THOUGHT = 0.75
"""Maximum share of a reply for its thought, whatever its budget: the rest is for the reply itself."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent.

    Args:
        messages: The messages, in the server's format.
        frames: Pictures in them, those inside a video included.
        tools: Tools or schemas to bind; empty for none.
        binding: Further arguments of `bind_tools`.
        options: Arguments of the call; `extra_body` holds the fields outside OpenAI's API.
        uses: The features in use that the server may refuse.
        thinking: How it thinks.
        thought: Reasoning tokens to generate first in a request of their own; None for a single request.
        stream: Whether the reply is streamed.
        packed: Whether frames share pictures to fit into the request.
        facts: What was known about the server when the request was built; not compared.
    """

    messages: list[BaseMessage]
    frames: int = 0
    tools: tuple[BaseTool | type[BaseModel] | dict[str, Any], ...] = ()
    binding: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    uses: frozenset[Feature] = frozenset()
    thinking: ThinkingMode = "off"
    thought: int | None = None
    stream: bool = False
    packed: bool = False
    facts: ServerFacts = field(default_factory=ServerFacts, compare=False)

    @property
    def pictures(self) -> int:
        """Pictures in the messages as they are sent, without those inside a video."""
        return count_frames(self.messages)

    @property
    def body(self) -> dict[str, Any]:
        """The fields outside OpenAI's API."""
        return dict(self.options.get("extra_body", {}))

    def with_body(self, fields: Mapping[str, Any]) -> Request:
        """Return the request with further fields outside OpenAI's API."""
        body = {**self.body, **fields}
        return dataclasses.replace(self, options={**self.options, "extra_body": body}) if body else self


class RequestBuilder:
    """Builds requests from the profile, except for what is known of the server.

    Args:
        profile: The model's profile.
        memory: What is known of the server.
    """

    def __init__(self, profile: Profile, memory: ServerMemory | None = None) -> None:
        """Store the arguments."""
        self._own_profile = profile
        self._memory = memory or ServerMemory()
        self._applied = (self._memory.facts, applied(profile, self._memory.facts))

    @property
    def profile(self) -> Profile:
        """The profile, without what the server cannot do."""
        if self._applied[0] is not self._memory.facts:
            self._applied = (self._memory.facts, applied(self._own_profile, self._memory.facts))
        return self._applied[1]

    @property
    def _refused(self) -> Collection[str]:
        return self._memory.facts.refused

    def finished(self, request: Request) -> Request:
        """Return the request without the fields that the server refuses."""
        facts = self._memory.facts
        options = {name: value for name, value in request.options.items() if name not in facts.parameters}
        body = {name: value for name, value in request.body.items() if name not in facts.parameters}
        if "max_tokens" in facts.parameters and "max_tokens" in request.options:
            body.setdefault("max_completion_tokens", request.options["max_tokens"])
        options.pop("extra_body", None)
        if body:
            options["extra_body"] = body
        return dataclasses.replace(request, options=options, facts=facts)

    def thinks_in_two_phases(self, step: Step) -> bool:
        """Tell whether a thought of this step, if its length is limited, takes a separate request."""
        mode = thinking_mode(
            self.profile.thinking, step, video=False, tokens=1, most=None, refused=self._refused
        )
        return mode == "two_phase"

    def plan(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[BaseTool | dict[str, Any]],
        must_call: str | None,
        limits: CallLimits,
        *,
        stream: bool = False,
        most: int | None = None,
    ) -> Request:
        """Build the planner's request: function calling, a schema of calls, or calls in the text.

        Where function calling does not work, a schema holds the calls, if the server takes one. The reply has `most`
        tokens, or those of the profile.
        """
        messages, tools = as_data(messages, self.profile), self._fitting(tools)
        form = self.profile.tool_calls
        if form == "native" and "tools" in self._refused:
            form = "schema" if self.profile.structured == "json_schema" else "text"
        if form == "native":
            beside = tool_tokens(tools)
            request = self._for_step(
                "plan", messages, limits, "plan", stream=stream, beside=beside, most=most
            )
            return self._with_tools(request, tools, must_call)
        worded = in_words(messages, tools, must_call)
        request = self._for_step("plan", worded, limits, "plan", stream=stream, most=most)
        if form == "schema" and "schema" not in self._refused:
            return _with_schema(request, "calls", calls_schema(tools, must_call))
        return request

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
        """Build a request for a typed reply: by its schema, as a forced function call, or in words only."""
        messages = as_data(messages, self.profile)
        form = "prompt" if "schema" in self._refused else self.profile.structured
        called = form == "tool" and not {"forced_tool", "tools"} & set(self._refused)
        beside = tool_tokens([schema]) if called else 0
        request = self._for_step(step, messages, limits, shown, stream=stream, beside=beside)
        if called:
            uses: frozenset[Feature] = request.uses | {"forced_tool", "tools"}
            binding = {"tool_choice": schema.__name__}
            return dataclasses.replace(request, tools=(schema,), binding=binding, uses=uses)
        if form == "json_schema":
            return _with_schema(request, schema.__name__, schema.model_json_schema())
        return request

    def chat(
        self,
        messages: Sequence[BaseMessage],
        limits: CallLimits,
        *,
        tools: Sequence[BaseTool | dict[str, Any]] = (),
        tool_choice: str | Mapping[str, Any] | None = None,
        think: bool | None = None,
        body: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        frames: int = 0,
        stream: bool = False,
    ) -> Request:
        """Build a request for a free-form reply, outside the agent's steps; the tools on offer may be called.

        Args:
            messages: The messages, in the server's format.
            limits: Most tokens of the reply, and of its thought.
            tools: Tools on offer.
            tool_choice: Which of them must be called, as in OpenAI's API; None leaves that to the server.
            think: Whether the model should think; None leaves that to the server.
            body: Further request fields outside OpenAI's API.
            options: Further fields of OpenAI's API, over the profile's sampling.
            frames: Pictures in the messages, those inside a video included.
            stream: Whether the reply is streamed.
        """
        messages = as_data(messages, self.profile)
        native = self.profile.tool_calls == "native" and "tools" not in self._refused
        worded = messages if native or not tools else in_words(messages, tools, None)
        thinking = Thinking() if think is None else self.profile.direct_thinking
        most = limits.completion_tokens
        request = self._request("compose", list(worded), thinking, limits, most, stream=stream)
        request = dataclasses.replace(request, options={**request.options, **(options or {})}, frames=frames)
        request = request.with_body(body or {})
        if not tools or not native:
            return request
        uses: set[Feature] = {*request.uses, "tools"}
        binding: dict[str, Any] = {}
        if tool_choice is not None and "forced_tool" not in self._refused:
            binding["tool_choice"] = tool_choice
            if tool_choice != "auto":
                uses.add("forced_tool")
        return dataclasses.replace(request, tools=tuple(tools), binding=binding, uses=frozenset(uses))

    def prompt_room(self, step: Step, tools: Sequence[BaseTool | dict[str, Any]]) -> int:
        """Return how many tokens, as estimated, the messages of a step may have beside its tools and its reply."""
        profile = self.profile
        room = profile.context_tokens - profile.completion_tokens.get(step, 0)
        return int(room / self._memory.facts.token_scale) - tool_tokens(self._fitting(tools))

    def long_reply(
        self, step: Step, messages: Sequence[BaseMessage], tools: Sequence[BaseTool | dict[str, Any]]
    ) -> int | None:
        """Return the most tokens of a reply that may be long: the profile's, and half of what the context has left.

        The other half is for a prompt that is longer than estimated. A profile without a limit gives none.
        """
        usual = self.profile.completion_tokens.get(step)
        if usual is None:
            return None
        prompt = prompt_tokens(messages, frame_load(messages), self.profile.frame_tokens)
        free = self._memory.facts.token_scale * (self.prompt_room(step, tools) - prompt)
        return usual + max(0, min((_LONGER - 1) * usual, int(free / 2)))

    def _fitting(self, tools: Sequence[BaseTool | dict[str, Any]]) -> Sequence[BaseTool | dict[str, Any]]:
        """Return the tools, with fewer words where they would take too much of the context."""
        profile, facts = self.profile, self._memory.facts
        room = profile.context_tokens - profile.completion_tokens.get("plan", 0)
        if facts.token_scale * tool_tokens(tools) <= _TOOLS_SHARE * room:
            return tools
        return [brief_tool(tool) for tool in tools]

    def _with_tools(
        self, request: Request, tools: Sequence[BaseTool | dict[str, Any]], must_call: str | None
    ) -> Request:
        binding: dict[str, Any] = {}
        uses: set[Feature] = {*request.uses, "tools"}
        forced = must_call or ("required" if self.profile.tool_choice == "required" else None)
        if forced and "forced_tool" not in self._refused:
            binding["tool_choice"] = forced
            uses.add("forced_tool")
        elif must_call:
            # Only this tool is offered then, though the server can no longer reuse its cache of the prompt.
            tools = [tool for tool in tools if tool_name(tool) == must_call]
        bound: tuple[BaseTool | dict[str, Any], ...] = tuple(tools)
        if self.profile.strict_tools and "strict" not in self._refused:
            bound = tuple(strict_tool(tool) for tool in tools)
            uses.add("strict")
        return dataclasses.replace(request, tools=bound, binding=binding, uses=frozenset(uses))

    def _for_step(
        self,
        step: Step,
        messages: Sequence[BaseMessage],
        limits: CallLimits,
        shown: Shown | None,
        *,
        stream: bool,
        beside: int = 0,
        most: int | None = None,
    ) -> Request:
        """Build an agent request, with its pictures in the profile's format, beside tools of so many tokens."""
        caps = (most or self.profile.completion_tokens.get(step), limits.completion_tokens)
        most = min((cap for cap in caps if cap is not None), default=None)
        fitting = packing.fitted(messages, self._room(most, beside)) if self._is_limited else messages
        packed = count_frames(fitting) < count_frames(messages)
        placed = media.place(fitting, self._media, shown or _SHOWN.get(step, "look"))
        request = self._request(step, placed.messages, self.profile.thinking, limits, most, stream=stream)
        uses = request.uses | self._media_features(placed)
        request = dataclasses.replace(request, frames=count_shown(fitting), uses=uses, packed=packed)
        return request.with_body(placed.body)

    def _request(
        self,
        step: Step,
        messages: list[BaseMessage],
        thinking: Thinking,
        limits: CallLimits,
        most: int | None,
        *,
        stream: bool,
    ) -> Request:
        """Build what all requests share: sampling, limits, and thinking on or off."""
        tokens = limits.thinking_tokens
        mode = thinking_mode(
            thinking, step, video=holds_video(messages), tokens=tokens, most=most, refused=self._refused
        )
        options = {
            **self.profile.sampling,
            **(self.profile.thinking_sampling if mode != "off" else {}),
            **({} if most is None else {"max_tokens": most}),
        }
        if tokens is not None and most is not None:
            tokens = min(tokens, int(most * _MOST_THOUGHT))
        body, uses = self._body(thinking, mode, tokens)
        if mode == "two_phase":
            uses |= {"two_phase"}
        if stream and "stream" not in self._refused:
            uses |= {"stream"}
        request = Request(
            messages=_switched(messages, thinking, mode),
            options=options,
            uses=uses,
            thinking=mode,
            thought=tokens if mode == "two_phase" else None,
            stream="stream" in uses,
        )
        return request.with_body(body)

    @property
    def _is_limited(self) -> bool:
        facts = self._memory.facts
        return facts.images is not None or facts.context_tokens is not None

    def _room(self, most: int | None, beside: int) -> packing.Room:
        """Return what a request may hold, beside a reply of at most `most` tokens, and tools."""
        facts, profile = self._memory.facts, self.profile
        tokens = None if facts.context_tokens is None else profile.context_tokens - (most or 0)
        side_px = profile.crop_side_px if tokens is None else profile.frame_side_px
        return packing.Room(facts.images, tokens, beside, profile.frame_tokens, facts.token_scale, side_px)

    @property
    def _media(self) -> Media:
        """Media settings: the profile's, except what the server refuses."""
        own, refused = self.profile.media, self._refused
        return dataclasses.replace(
            own,
            forms={} if "video" in refused else own.forms,
            per_request=own.per_request and "media_options" not in refused,
            image_ids=own.image_ids and "image_ids" not in refused,
        )

    def _media_features(self, placed: PlacedMedia) -> frozenset[Feature]:
        features: dict[Feature, bool] = {
            "video": holds_video(placed.messages),
            "media_options": bool(placed.body),
            "image_ids": self._media.image_ids and count_frames(placed.messages) > 0,
        }
        return frozenset(name for name, used in features.items() if used)

    def _body(
        self, thinking: Thinking, mode: ThinkingMode, tokens: int | None
    ) -> tuple[dict[str, Any], frozenset[Feature]]:
        """Return the body fields that switch thinking on or off, and cap it."""
        body = dict(self.profile.body)
        if not thinking.can:
            return body, frozenset()
        body |= thinking.off_body if mode == "off" else thinking.on_body
        budget = 0 if mode == "off" else tokens
        if thinking.budget_field is None or budget is None or "thinking_budget" in self._refused:
            return body, frozenset()
        return {**body, thinking.budget_field: budget}, frozenset({"thinking_budget"})


def thinking_mode(
    thinking: Thinking,
    step: Step,
    *,
    video: bool,
    tokens: int | None,
    most: int | None,
    refused: Collection[str] = (),
) -> ThinkingMode:
    """Choose how a step thinks.

    Args:
        thinking: The profile's settings.
        step: The step.
        video: Whether the messages contain a video.
        tokens: Maximum reasoning tokens; None for no limit.
        most: Maximum tokens of the whole reply; None for no limit.
        refused: Features that the server turned out to refuse.
    """
    if not thinking.can or step not in thinking.steps or tokens == 0 or (video and not thinking.with_video):
        return "off"
    if thinking.budget_field is not None and "thinking_budget" not in refused:
        return "native"
    if tokens is None:
        return "free"
    if thinking.two_phase and "two_phase" not in refused:
        return "two_phase"
    return "free" if most is not None and most <= tokens else "off"


def _switched(messages: Sequence[BaseMessage], thinking: Thinking, mode: ThinkingMode) -> list[BaseMessage]:
    """Put a switch such as `/think` before the system prompt, or send it as one."""
    switch = (thinking.off_prompt if mode == "off" else thinking.on_prompt) if thinking.can else None
    if switch is None:
        return list(messages)
    if not isinstance(messages[0], SystemMessage):
        return [SystemMessage(switch), *messages]
    return [SystemMessage(f"{switch}\n{messages[0].text}"), *messages[1:]]


def _with_schema(request: Request, name: str, schema: Mapping[str, Any]) -> Request:
    """Constrain the reply to a JSON schema."""
    shape = {"name": name, "schema": bounded(schema), "strict": True}
    request = request.with_body({"response_format": {"type": "json_schema", "json_schema": shape}})
    return dataclasses.replace(request, uses=request.uses | {"schema"})
