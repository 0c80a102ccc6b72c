"""What is known of each model, as data: the TOML files in `profiles/`, or a file of the user's own.

A profile says only where it differs from `default.toml`. Tables replace the default's key by key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import field
from fnmatch import fnmatch
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from vidagent.errors import UsageError
from vidagent.types import Step

__all__ = ["Profile", "Thinking", "load", "match", "names"]

Count = Annotated[int, Field(ge=1)]
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=_STRICT)
class Thinking:
    """Whether and how a model reasons before it replies.

    Args:
        can: Whether it reasons at all.
        steps: The steps in which thinking helps; in the others it is switched off.
        on_prompt: Text put in front of the system prompt to switch it on, such as `/think`.
        off_prompt: The same to switch it off.
        on_body: Fields merged into the request to switch it on.
        off_body: The same to switch it off.
        budget_field: The request field by which the server itself caps reasoning tokens, or None.
        with_video: Whether it may reason when the messages hold a video.
    """

    can: bool = False
    steps: tuple[Step, ...] = ("plan", "verify")
    on_prompt: str | None = None
    off_prompt: str | None = None
    on_body: Mapping[str, Any] = field(default_factory=dict)
    off_body: Mapping[str, Any] = field(default_factory=dict)
    budget_field: str | None = None
    with_video: bool = True


@dataclass(frozen=True, slots=True, config=_STRICT)
class Profile:
    """How to use one model well.

    Args:
        name: The profile's name, its file's name without `.toml`.
        matches: Patterns of model ids it is for (`*` and `?`, case ignored), such as `*qwen3-vl*`.
        frames_per_call: Most frames in one look.
        overview_frames: Frames of the overview of the whole video.
        frame_side_px: Longest side of a frame sent whole.
        crop_side_px: Longest side of a crop sent enlarged.
        tiles: Most tiles the model cuts one picture into; 1 if it does not tile.
        context_tokens: Longest prompt and reply together.
        frame_tokens: Prompt tokens of one frame, roughly; used where the server reports no usage.
        structured: How a typed reply is asked for: by a JSON schema, by a forced function call, or in words.
        tool_calls: Whether the server parses function calls, or calls are written in the text.
        tool_choice: What the planner is held to.
        strict_tools: Whether tool arguments are bound to their schema while they are generated.
        planner: `free` chooses among all tools; `phased` is offered fewer as the run goes on.
        plan_sees_overview: Whether the planner is shown the overview frames.
        look_concurrency: Most looks at the same time.
        timeout_s: Longest wait for one reply.
        completion_tokens: Most tokens of one reply, by step, thinking included.
        sampling: Request fields such as `temperature`.
        thinking_sampling: The same, over `sampling`, while the model thinks.
        body: Further fields merged into every request.
        thinking: Whether and how it reasons.
    """

    name: str
    matches: tuple[str, ...] = ()
    frames_per_call: Count = 32
    overview_frames: Count = 32
    frame_side_px: Count = 768
    crop_side_px: Count = 1024
    tiles: Count = 1
    context_tokens: Count = 32768
    frame_tokens: Annotated[int, Field(ge=0)] = 256
    structured: Literal["json_schema", "tool", "prompt"] = "json_schema"
    tool_calls: Literal["native", "text"] = "native"
    tool_choice: Literal["auto", "required"] = "auto"
    strict_tools: bool = False
    planner: Literal["free", "phased"] = "phased"
    plan_sees_overview: bool = True
    look_concurrency: Count = 4
    timeout_s: Annotated[float, Field(gt=0)] = 300.0
    completion_tokens: Mapping[Step, Count] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    thinking_sampling: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    thinking: Thinking = field(default_factory=Thinking)


@cache
def names() -> tuple[str, ...]:
    """Return the names of the profiles that come with vidagent, sorted."""
    folder = resources.files("vidagent.agents").joinpath("profiles")
    return tuple(sorted(Path(file.name).stem for file in folder.iterdir() if file.name.endswith(".toml")))


@cache
def load(name: str) -> Profile:
    """Read a profile by its name, or from a TOML file of the user's own.

    Raises:
        UsageError: If there is no such profile, or it has unknown keys or bad values.
    """
    if name in names():
        text = resources.files("vidagent.agents").joinpath("profiles", f"{name}.toml").read_text("utf-8")
    elif name.endswith(".toml"):
        text = _own(Path(name))
    else:
        raise UsageError(
            f"no profile {name!r}; there are {', '.join(names())}, or give the path of a .toml file"
        )
    values = _parse(text, name)
    if name != "default":
        values = _over(_parse(_default_text(), "default"), values)
    return _build(Path(name).stem if name.endswith(".toml") else name, values)


def match(model_id: str) -> Profile:
    """Return the profile with the longest pattern that fits a model id, else `default`."""
    found = [
        (len(pattern), name)
        for name in names()
        for pattern in load(name).matches
        if fnmatch(model_id.casefold(), pattern.casefold())
    ]
    return load(max(found)[1] if found else "default")


def _default_text() -> str:
    return resources.files("vidagent.agents").joinpath("profiles", "default.toml").read_text("utf-8")


def _own(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"profile {path} cannot be read: {error}") from None


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"profile {name} is not TOML: {error}") from None


def _over(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `values` over `base`, table by table."""
    merged = dict(base)
    for key, value in values.items():
        old = merged.get(key)
        merged[key] = _over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _build(name: str, values: Mapping[str, Any]) -> Profile:
    try:
        return TypeAdapter(Profile).validate_python({**values, "name": name})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg'].lower()}, got {item['input']!r}"
            for item in error.errors()
        )
        raise UsageError(f"profile {name}: {wrong}") from None
