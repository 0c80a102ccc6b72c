"""The flags of the budgets, which several commands take alike."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from vidagent.serve.cli import flags
from vidagent.types import Budget

T = TypeVar("T")

Limits = dict[str, float | None]
"""What the flags said, by the names of the settings, such as `budget_seconds`; None where nothing was said."""

_FLAGS = {
    "budget_seconds": flags.Seconds,
    "budget_steps": flags.Steps,
    "budget_model_calls": flags.ModelCalls,
    "budget_prompt_tokens": flags.PromptTokens,
    "budget_completion_tokens": flags.CompletionTokens,
    "budget_thinking_tokens": flags.ThinkingTokens,
    "budget_frames": flags.Frames,
}


def budgeted(command: Callable[..., T]) -> Callable[..., T]:
    """Give a command a flag for each budget in place of its parameter `limits`."""
    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if name == "limits":
            parameters += [
                parameter.replace(name=flag, annotation=kind, default=None) for flag, kind in _FLAGS.items()
            ]
        else:
            parameters.append(parameter)

    @functools.wraps(command)
    def run(*args: Any, **given: Any) -> T:  # noqa: ANN401 - the arguments of any command
        limits: Limits = {name: given.pop(name, None) for name in _FLAGS}
        return command(*args, **given, limits=limits)

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # PEP 362
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def budget_of(limits: Limits) -> Budget:
    """Return what a question may cost: what the flags said, over the settings.

    Raises:
        UsageError: If a limit is out of range.
    """
    from vidagent import config  # pydantic: `--help` and wrong flags need none of it

    return config.load(**limits).budget()
