"""The `docker run` that starts a model's container, such as NVIDIA's NIM: printed for the user, never run by us."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from vidagent.errors import UsageError
from vidagent.serve.vlm.command import Options, Target, flag_words, laid_out

_INSIDE_PORT = 8000
_PRUNING = "NIM_VIDEO_PRUNING_RATE"


def shell(target: Target, options: Options) -> str:
    """Return the command for a shell to read.

    Raises:
        UsageError: If an option is asked for that a container does not take.
    """
    serve = target.profile.serve
    if serve.image is None:
        raise UsageError(f"profile {target.profile.name}: runner `docker` needs an image ([serve] image = …)")
    refused = {
        "--model": options.model,
        "--tensor-parallel": options.tensor_parallel,
        "--data-parallel": options.data_parallel,
        "--context": options.context,
        "--media-path": options.media_path,
    }
    if asked := [name for name, value in refused.items() if value is not None]:
        raise UsageError(
            f"{asked[0]} is for vllm serve; the container of profile {target.profile.name} takes its settings "
            "from [serve.container] and [serve.env]"
        )
    env = dict(serve.env)
    if options.pruning is not None:
        env[_PRUNING] = f"{options.pruning:g}"
    lines = [
        "docker run",
        *_quoted(flag_words({"name": f"vidagent-{target.profile.name}", **serve.container})),
        *(f"--env {name}={shlex.quote(value)}" if value else f"--env {name}" for name, value in env.items()),
        f"--publish {options.host}:{options.port}:{_INSIDE_PORT}",
        serve.image,
    ]
    made = [f'mkdir -p "{folder}"' for folder in _folders(serve.container)]
    words = [shlex.join(options.extra)] if options.extra else []
    return "\n".join([*made, laid_out([*lines, *words])])


def _quoted(flags: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """Quote words for a shell, which is to fill in what begins with `$`."""
    for words in flags:
        yield " ".join(f'"{word}"' if "$" in word else shlex.quote(word) for word in words)


def _folders(container: Mapping[str, object]) -> Iterator[str]:
    """Yield the folders that docker would make as root if they were not there."""
    volume = container.get("volume", ())
    for item in [volume] if isinstance(volume, str) else volume if isinstance(volume, list) else []:
        yield str(item).partition(":")[0]
