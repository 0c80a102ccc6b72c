"""What a server's error or reply says about the server: the facts learned from it, and a line about each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from langchain_core.messages import AIMessage

from vidagent.agents.client.chat_call import thought_in
from vidagent.agents.client.limits import prompt_tokens
from vidagent.agents.client.request_builder import Feature, Request
from vidagent.agents.client.request_schemas import tool_tokens
from vidagent.agents.parsing.reply_parser import split_thought
from vidagent.agents.profiles.schema import Profile
from vidagent.agents.profiles.thinking_switch import ALL_OFF
from vidagent.agents.server.connection import ServerError
from vidagent.agents.server.facts import ServerFacts
from vidagent.text import counted
from vidagent.types import Step

_REFUSAL_STATUSES = frozenset({400, 404, 413, 422, 500, 501})
_INVALID = frozenset({400, 422})
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
_TOO_LONG = re.compile(
    r"context (length|window|size)|context_length|n_ctx|input_tokens|too long|maximum model length"
    r"|context the overflows|maximum number of tokens|max_model_len",
    re.IGNORECASE,
)
_CONTEXT = re.compile(
    r"(?:context (?:length|window|size)|context_length|n_ctx|max_model_len|maximum model length|"
    r"maximum number of tokens(?: allowed)?)\D{0,30}?(\d[\d,]{2,})",
    re.IGNORECASE,
)
_PROMPT = re.compile(
    r"(?:n_prompt_tokens\D{0,5}|prompt contains (?:at least )?|input has |has |first |request \()(\d[\d,]{2,})"
    r"|(\d[\d,]{2,}) (?:input|prompt) tokens|input token count \((\d[\d,]{2,})\)",
    re.IGNORECASE,
)
_NO_PICTURES = re.compile(
    r"not a multimodal model|mmproj|no endpoints found that support image"
    r"|(images?|vision|multimodal|image_url).{0,60}(not (?:be )?(support|allow|accept)|unsupported)"
    r"|(not|n't) (support|accept|have).{0,40}(image|vision|multimodal)",
    re.IGNORECASE,
)
_MOST_PICTURES = re.compile(
    r"(?:at most|maximum(?: of| is)?|max(?:imum)?|up to|limit(?: of| is|:)?|only|exceeds?)\D{0,20}(\d+)\D{0,20}image"
    r"|image\D{0,60}(?:at most|maximum|max|up to|limit|only|exceeds?|more than)\D{0,20}(\d+)"
    r"(?!\d|\s*(?:[KMG]B|px|pix|byte|x))",
    re.IGNORECASE,
)
_TOO_MANY_PICTURES = re.compile(
    r"(too many|multiple|more than one|only (?:one|a single|supports one)|single).{0,20}(image|picture|attachment)"
    r"|(image|payload|request entity|request body|content).{0,60}(too (?:large|big|many)|exceed|limit|pixels)",
    re.IGNORECASE,
)
_ONE = re.compile(r"(more than one|only (?:one|a single)|single|multiple)\D{0,20}image", re.IGNORECASE)
_NEVER_LEFT_OUT = frozenset({"model", "messages", "tools", "stream"})
_TIGHTER, _MOST_SCALE = 1.5, 16.0
_CLOSING_TOKENS, _CLOSING_CHARS = 32, 128
"""What a server may count as a thought where it closes one at once, such as vLLM with a budget of 0."""
_FIRST_ROOM, _MORE_ROOM = 4096, 4
_MOST_ROOM_SHARE = 0.75


class Correction(NamedTuple):
    """What was learned: the facts with it, and one line about it."""

    facts: ServerFacts
    line: str


def from_error(
    error: ServerError, request: Request, facts: ServerFacts, profile: Profile
) -> Correction | None:
    """Return what an error says about the server; None if the request cannot be corrected."""
    if error.status not in _REFUSAL_STATUSES:
        return None
    for learn in (_context, _pictures, _feature, _parameter):
        correction = learn(error, request, facts, profile)
        if correction is not None:
            return correction
    return None


def from_reply(
    reply: AIMessage, request: Request, step: Step, facts: ServerFacts, profile: Profile
) -> tuple[Correction | None, bool]:
    """Return what a reply says about the server, and whether it is to be asked for again.

    A model that spends its whole reply on a thought is asked again without the thought, or, where nothing switches
    it off, with more room.
    """
    if request.thought is not None:  # its own request, which is cut at its budget
        return None, False
    lost = is_lost_in_thought(reply)
    if not (lost or has_thought(reply)):
        return None, False
    if request.thinking != "off":
        if not lost:
            return None, False
        line = f"a thought took the whole reply of step {step}; it is asked without a thought from now on"
        return Correction(facts.with_changes(quiet=(*facts.quiet, step)), line), True
    if facts.off != ALL_OFF:
        line = "the model thinks although it was not asked to; its thinking is switched off from now on"
        return Correction(facts.with_changes(thinks=True, off=ALL_OFF), line), lost
    return (_with_room(request, facts, profile), True) if lost else (None, False)


def without_tools(facts: ServerFacts) -> Correction:
    """Return that tools are described in words from now on, as none was called."""
    refused = dict.fromkeys((*facts.refused, "tools"))
    line = "the model called no tool; tools are described in words from now on"
    return Correction(facts.with_changes(refused=tuple(refused)), line)


def has_thought(reply: AIMessage) -> bool:
    """Tell whether a reply has more of a thought than what closes one at once."""
    return len(thought_in(reply)) > _CLOSING_CHARS or _thought_tokens(reply) > _CLOSING_TOKENS


def is_lost_in_thought(reply: AIMessage) -> bool:
    """Tell whether a reply ended at its token limit before it said anything."""
    cut = reply.response_metadata.get("finish_reason") == "length"
    said = split_thought(reply.text)[1] or reply.tool_calls or reply.invalid_tool_calls
    return cut and not said


def _with_room(request: Request, facts: ServerFacts, profile: Profile) -> Correction | None:
    """Give thoughts more room, if the budget did not set the limit and the context has it."""
    sent = request.options.get("max_tokens")
    if sent is None or sent < min(profile.completion_tokens.values(), default=0):
        return None
    most = int(_MOST_ROOM_SHARE * profile.context_tokens)
    room = min(facts.thought_tokens * _MORE_ROOM or _FIRST_ROOM, most)
    if room <= facts.thought_tokens:
        return None
    line = f"nothing switches the model's thinking off; replies get {room:,} tokens more"
    return Correction(facts.with_changes(thought_tokens=room), line)


def is_too_long(error: ServerError) -> bool:
    """Tell whether a server refused a prompt as longer than its context."""
    return error.status in _REFUSAL_STATUSES and _TOO_LONG.search(error.detail) is not None


def _context(error: ServerError, request: Request, facts: ServerFacts, profile: Profile) -> Correction | None:
    if not is_too_long(error):
        return None
    estimate = prompt_tokens(request.messages, request.pictures, profile.frame_tokens) + tool_tokens(
        request.tools
    )
    told, counted_tokens = _number(_CONTEXT, error.detail), _number(_PROMPT, error.detail)
    context = min(told or profile.context_tokens, profile.context_tokens)
    if facts.context_tokens is not None and told is None:
        context = min(context, facts.context_tokens)
    longer = facts.token_scale * max(1.0, (counted_tokens or 0) / max(estimate * facts.token_scale, 1))
    if context == facts.context_tokens and longer <= facts.token_scale * 1.01:
        longer = facts.token_scale * _TIGHTER
    longer = min(longer, _MOST_SCALE)
    if context == facts.context_tokens and longer <= facts.token_scale:
        return None
    changed = facts.with_changes(context_tokens=context, token_scale=longer)
    return Correction(changed, f"prompts are held to the server's context of {context:,} tokens")


def _pictures(
    error: ServerError, request: Request, facts: ServerFacts, profile: Profile
) -> Correction | None:
    del profile
    sent = request.pictures
    if not sent:
        return None
    most = _number(_MOST_PICTURES, error.detail)
    if most is None and _ONE.search(error.detail) and sent > 1:
        most = 1
    if most is None and _NO_PICTURES.search(error.detail):
        return None if facts.images == 0 else Correction(facts.with_changes(images=0), "it takes no pictures")
    if most is None and (error.status == 413 or _TOO_MANY_PICTURES.search(error.detail)):
        most = sent // 2
    if not most or most >= sent:
        return None
    line = f"the server takes {counted(most, 'picture')} in one request; more frames share a picture"
    return Correction(facts.with_changes(images=most), line)


def _feature(error: ServerError, request: Request, facts: ServerFacts, profile: Profile) -> Correction | None:
    del profile
    for feature, pattern in _REFUSALS:
        if feature in request.uses and re.search(pattern, error.detail, re.IGNORECASE):
            line = f"the server refuses {feature} ({error.detail}); continuing without it"
            return Correction(facts.with_changes(refused=(*facts.refused, feature)), line)
    return None


def _parameter(
    error: ServerError, request: Request, facts: ServerFacts, profile: Profile
) -> Correction | None:
    """Leave out the request fields that a server names in its refusal."""
    del profile
    if error.status not in _INVALID:
        return None
    sent = {**request.options, **request.body}
    named = [
        name
        for name in sent
        if name not in _NEVER_LEFT_OUT | {"extra_body"} | set(facts.parameters)
        and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", error.detail)
    ]
    if not named:
        return None
    line = f"the server refuses {', '.join(named)} ({error.detail}); continuing without"
    return Correction(facts.with_changes(parameters=(*facts.parameters, *named)), line)


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    digits = next((group for group in match.groups() if group), "") if match else ""
    return int(digits.replace(",", "")) if digits else None


def _thought_tokens(reply: AIMessage) -> int:
    usage: Mapping[str, object] = reply.usage_metadata or {}
    details = usage.get("output_token_details")
    tokens = details.get("reasoning") if isinstance(details, Mapping) else None
    return tokens if isinstance(tokens, int) else 0
