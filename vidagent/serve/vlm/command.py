"""The command line that starts a model's server, out of its profile and what the user asked for."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vidagent.agents.profiles import loader
from vidagent.agents.profiles.schema import Profile, Variant
from vidagent.agents.server.connection import is_loopback
from vidagent.errors import UsageError

_LAST_PORT = 65535
_OURS = ("--host", "--port", "--uds")
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 - an address that may be asked for


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for beside the profile; None leaves it to the profile.

    Args:
        host: Address to listen on.
        port: Port to listen on.
        model: A checkpoint's folder, or a name on the model hub, in the place of the variant's.
        tensor_parallel: GPUs that share one copy of the model.
        data_parallel: Copies of the model.
        context: Longest prompt and reply together, in tokens.
        pruning: Share of a video's tokens to leave out, in [0, 1).
        media_path: The one folder whose files requests may name.
        wait_s: Seconds it may take until the server is healthy.
        restarts: How often it is started again when it dies after it was healthy.
        extra: Further words for the end of the server's command line.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    model: str | None = None
    tensor_parallel: int | None = None
    data_parallel: int | None = None
    context: int | None = None
    pruning: float | None = None
    media_path: Path | None = None
    wait_s: float = 3600.0
    restarts: int = 3
    extra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no server can be started with."""
        for name, value, least in (
            ("tensor-parallel", self.tensor_parallel, 1),
            ("data-parallel", self.data_parallel, 1),
            ("context", self.context, 1),
            ("restarts", self.restarts, 0),
        ):
            if value is not None and value < least:
                raise UsageError(f"--{name} must be at least {least}, got {value}")
        if not 1 <= self.port <= _LAST_PORT:
            raise UsageError(f"--port must be 1 to {_LAST_PORT}, got {self.port}")
        if not self.wait_s > 0:
            raise UsageError(f"--wait must be more than 0 seconds, got {self.wait_s:g}")
        if self.pruning is not None and not 0 <= self.pruning < 1:
            raise UsageError(f"--pruning must be at least 0 and less than 1, got {self.pruning:g}")
        if self.model is not None and _is_path(self.model) and not Path(self.model).expanduser().exists():
            raise UsageError(f"--model must be a checkpoint that is there, or a name; got {self.model!r}")
        if self.media_path is not None and not self.media_path.is_dir():
            raise UsageError(f"--media-path must be a folder that is there, got {str(self.media_path)!r}")
        if self.extra and not self.extra[0].startswith("-"):
            raise UsageError(
                f"flags for the server come after --, such as -- --seed 7; got {self.extra[0]!r}"
            )
        if taken := [word for word in self.extra if word.partition("=")[0] in _OURS]:
            raise UsageError(f"{taken[0]} belongs before the --, where --host and --port are")

    @property
    def open_to_others(self) -> bool:
        """Whether others than this machine's users can reach the server and use it without a key."""
        keyed = any(word.partition("=")[0] == "--api-key" for word in self.extra)
        ours = self.host not in _ANYWHERE and is_loopback(base_url(self))
        return not ours and not keyed and not os.environ.get("VLLM_API_KEY")


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be served.

    Args:
        profile: The model's profile.
        variant: The precision or size, or None if the profile has none.
        where: The profile as `VIDAGENT_PROFILE` takes it: its name, or its file.
    """

    profile: Profile
    variant: Variant | None
    where: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, ready to be run or printed.

    Args:
        lines: Its words, those of one flag together.
        served: The name under which the server offers the model.
        env: Variables to be set for it.
    """

    lines: tuple[tuple[str, ...], ...]
    served: str
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def argv(self) -> list[str]:
        """Its words."""
        return [word for line in self.lines for word in line]

    def by(self, program: str) -> Command:
        """Return the same command of another program."""
        (_, *words), *flags = self.lines
        return replace(self, lines=((program, *words), *flags))

    def shell(self) -> str:
        """Return it for a shell to read: a line for the variables, the program, and each flag."""
        variables = [f"{name}={shlex.quote(value)}" for name, value in self.env.items()]
        return laid_out([*variables, *(shlex.join(line) for line in self.lines)], head=len(variables) + 1)


def laid_out(lines: Sequence[str], *, head: int = 1) -> str:
    """Join the lines of a command for a shell, those after the first `head` set in."""
    return " \\\n".join([*lines[:head], *(f"  {line}" for line in lines[head:])])


def find(name: str) -> Target:
    """Return what `PROFILE[:VARIANT]` names; the first variant where none is named.

    Raises:
        UsageError: If there is no such profile or variant.
    """
    known, colon, variant = name.rpartition(":")
    if not colon or name.endswith(".toml"):
        known, colon, variant = name, "", ""
    profile = loader.load(known)
    variants = profile.serve.variants
    if colon and variant not in variants:
        there = f"there are {', '.join(variants)}" if variants else "it has none"
        raise UsageError(f"profile {known} has no variant {variant!r}; {there}")
    where = str(Path(known).resolve()) if known.endswith(".toml") else known
    return Target(profile, variants[variant] if colon else next(iter(variants.values()), None), where)


def vllm_command(target: Target, options: Options) -> Command:
    """Return the `vllm serve` that serves a profile's model.

    Raises:
        UsageError: If neither the profile nor the user names a model.
    """
    serve, variant = target.profile.serve, target.variant
    model = _unabridged(options.model) or (variant.model if variant else None)
    if model is None:
        raise UsageError(f"profile {target.profile.name} names no model to serve; name one with --model")
    flags = {**serve.flags, **(variant.flags if variant else {}), **_asked(options)}
    served = str(flags.pop("served-model-name", None) or _served(target, model))
    if served != model:
        flags = {"served-model-name": served, **flags}
    return Command(
        lines=(
            ("vllm", "serve", model),
            ("--host", options.host),
            ("--port", str(options.port)),
            *flag_words(flags),
            *_grouped(options.extra),
        ),
        served=served,
        env={**serve.env, **(variant.env if variant else {})},
    )


def base_url(options: Options) -> str:
    """Return the base URL at which a client on this machine reaches the server."""
    host = _ANYWHERE.get(options.host, options.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{options.port}/v1"


def question(target: Target, served: str, options: Options) -> str:
    """Return the command that asks the server; it names the profile where the model's name does not lead to it."""
    leads = loader.match(served) == target.profile
    given = "" if leads else f"VIDAGENT_PROFILE={shlex.quote(target.where)} "
    return f"{given}vidagent ask VIDEO QUESTION --base-url {base_url(options)}"


def flag_words(flags: Mapping[str, object]) -> Iterator[tuple[str, ...]]:
    """Yield the words of each flag, in order."""
    for name, value in flags.items():
        if value is True:
            yield (f"--{name}",)
        elif isinstance(value, Mapping):
            yield f"--{name}", json.dumps(value, separators=(",", ":"))
        elif isinstance(value, list | tuple):
            yield f"--{name}", *map(str, value)
        elif value is not False:
            yield f"--{name}", str(value)


def _is_path(model: str) -> bool:
    """Tell a path from a name on the model hub, which is `owner/model` at most."""
    return model.startswith(("/", "./", "../", "~"))


def _unabridged(model: str | None) -> str | None:
    return str(Path(model).expanduser()) if model and _is_path(model) else model


def _asked(options: Options) -> dict[str, object]:
    """Return the flags that the user's options stand for."""
    asked = {
        "max-model-len": options.context,
        "data-parallel-size": options.data_parallel,
        "tensor-parallel-size": options.tensor_parallel,
        "video-pruning-rate": None if options.pruning is None else f"{options.pruning:g}",
        "allowed-local-media-path": options.media_path and options.media_path.resolve(),
    }
    return {name: value for name, value in asked.items() if value is not None}


def _served(target: Target, model: str) -> str:
    """Name the model so that its name leads back to the profile, also where it is a folder."""
    if target.variant is None or model == target.variant.model or not Path(model).is_dir():
        return model
    own = Path(model).resolve().name
    return own if loader.match(own) == target.profile else target.variant.model


def _grouped(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Put a flag's values beside it."""
    lines: list[tuple[str, ...]] = []
    for word in words:
        if word.startswith("-") or not lines:
            lines.append((word,))
        else:
            lines[-1] = (*lines[-1], word)
    return lines
