"""What is known about one model on one server: found by probes, or learned from a reply or an error."""

from __future__ import annotations

import dataclasses
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from vidagent.agents.profiles.schema import Profile, Thinking
from vidagent.agents.profiles.thinking_switch import Switch
from vidagent.types import Step

SHEET_FRAMES = 9
"""Frames in one picture, 3 by 3, for a server that takes fewer pictures than a look has frames."""
_FRAMES_SHARE = 0.5
"""Share of the context for frames."""
_REPLY_SHARE = 0.25
_LEAST_REPLY_TOKENS = 256


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="ignore"))
class ServerFacts:
    """Facts about one model on one server; the defaults stand for "nothing known".

    Args:
        probed: Whether the server was probed.
        version: Its version, or None.
        kind: What it is, such as `vLLM` or `Ollama`, or None.
        images: Most pictures of one request; 0 if it takes none.
        context_tokens: Longest prompt and reply together.
        token_scale: How many times longer its prompts are than estimated, at least 1.
        refused: Features that it refuses (`vidagent.agents.client.request_builder.Feature`).
        parameters: Request fields that it refuses.
        thinks: Whether the model thinks unless told not to.
        off: What switches its thinking off; None for the profile's own.
        quiet: Steps in which a thought used up the whole reply.
        thought_tokens: Room that each reply needs for a thought that nothing switches off.
        counts_tokens: Whether replies report their tokens.
    """

    probed: bool = False
    version: str | None = None
    kind: str | None = None
    images: int | None = None
    context_tokens: int | None = None
    token_scale: float = 1.0
    refused: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    thinks: bool | None = None
    off: Switch | None = None
    quiet: tuple[Step, ...] = ()
    thought_tokens: int = 0
    counts_tokens: bool | None = None

    @classmethod
    def from_dict(cls, values: object) -> ServerFacts | None:
        """Read facts from JSON; return None if they are not valid."""
        try:
            return TypeAdapter(cls).validate_python(values)
        except ValidationError:
            return None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return dict(TypeAdapter(ServerFacts).dump_python(self, mode="json"))

    def with_changes(self, **changes: Any) -> ServerFacts:  # noqa: ANN401 - the fields' types
        """Return the facts with some of them changed."""
        return dataclasses.replace(self, **changes)


def applied(profile: Profile, facts: ServerFacts) -> Profile:
    """Return the profile with what the server cannot do taken back."""
    changes: dict[str, Any] = {"thinking": _thinking(profile.thinking, facts)}
    frames, replies = float("inf"), dict(profile.completion_tokens)
    if facts.images is not None:
        frames = max(1, facts.images) * SHEET_FRAMES if facts.images < profile.overview_frames else frames
    if facts.thought_tokens:
        replies = {step: most + facts.thought_tokens for step, most in replies.items()}
    if facts.context_tokens is not None and facts.context_tokens < profile.context_tokens:
        context = facts.context_tokens
        changes["context_tokens"] = context
        each = max(1.0, profile.frame_tokens * facts.token_scale)
        frames = min(frames, max(1.0, _FRAMES_SHARE * context // each))
        most_reply = max(int(_REPLY_SHARE * context) + facts.thought_tokens, _LEAST_REPLY_TOKENS)
        replies = {step: min(most, most_reply) for step, most in replies.items()}
    if frames < profile.frames_per_call:
        changes["frames_per_call"] = int(frames)
    if frames < profile.overview_frames:
        changes["overview_frames"] = int(frames)
    return dataclasses.replace(profile, completion_tokens=replies, **changes)


def _thinking(thinking: Thinking, facts: ServerFacts) -> Thinking:
    changes: dict[str, Any] = {}
    if facts.off is not None:
        changes = {"off_body": facts.off.body, "off_prompt": facts.off.prompt}
    if facts.thinks and not thinking.can:
        changes |= {"can": True, "steps": ()}
    elif set(facts.quiet) & set(thinking.steps):
        changes["steps"] = tuple(step for step in thinking.steps if step not in facts.quiet)
    return dataclasses.replace(thinking, **changes) if changes else thinking
