"""Every trial in turn: none of them can spoil the table, and none is made of a server that is gone."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from vidagent.agents.probes.checks import (
    conversation,
    pictures,
    thinking,
    tokens,
    tool_calls,
    typed_replies,
    videos,
)
from vidagent.agents.probes.context import Bench, Switch
from vidagent.agents.probes.finding import Finding, Outcome, refused, unknown
from vidagent.agents.probes.fixtures import user
from vidagent.agents.server.connection import ServerError
from vidagent.errors import ModelError

GROUPS = ("replies", "pictures", "video", "thinking", "tools", "typed replies", "tokens")
"""The groups, as the table has them."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing to try.

    Args:
        group: One of `GROUPS`.
        name: What is tried.
        run: Tries it.
    """

    group: str
    name: str
    run: Callable[[Bench], Awaitable[Outcome]]


TRIALS = (
    Trial("replies", "text", conversation.text),
    Trial("thinking", "thinks", thinking.thinks),
    Trial("thinking", "can be switched off", thinking.without),
    Trial("thinking", "budget by the server", thinking.budget),
    Trial("replies", "system message", conversation.system_role),
    Trial("replies", "several turns", conversation.turns),
    Trial("replies", "streaming", conversation.streaming),
    Trial("pictures", "one", pictures.one),
    Trial("pictures", "several", pictures.several),
    Trial("pictures", "by id", pictures.ids),
    Trial("thinking", "budget by two phases", thinking.two_phases),
    Trial("video", "mp4", videos.mp4),
    Trial("video", "options per request", videos.options),
    Trial("video", "fps and num_frames", videos.sampling),
    Trial("video", "frames with times", videos.frames_with_times),
    Trial("tools", "auto", tool_calls.auto),
    Trial("tools", "required", tool_calls.required),
    Trial("tools", "named", tool_calls.named),
    Trial("tools", "strict arguments", tool_calls.strict),
    Trial("typed replies", "json_schema", typed_replies.json_schema),
    Trial("typed replies", "structured_outputs", typed_replies.structured_outputs),
    Trial("tokens", "usage", tokens.usage),
    Trial("tokens", "prefix cache", tokens.prefix_cache),
    Trial("tokens", "tokenizer", tokens.tokenizer),
)
"""In the order of trying: what the later ones build on comes first."""


async def try_all(bench: Bench, on_trial: Callable[[Trial], None]) -> tuple[list[Finding], str | None]:
    """Make every trial.

    Args:
        bench: The server and the model.
        on_trial: Told of each trial before it is made.

    Returns:
        What was found, in the order of `GROUPS`; and the trial at which the server stopped answering, or None.

    Raises:
        ModelError: If not even a text is answered.
    """
    findings: list[Finding] = []
    lost: str | None = None
    for trial in TRIALS:
        if lost:
            outcome = unknown("not tried, as the server no longer answers")
        else:
            on_trial(trial)
            outcome, silent = await _tried(trial, bench, first=not findings)
            if silent and not await _answers(bench):
                lost = f"{trial.group}: {trial.name}"
        findings.append(Finding(trial.group, trial.name, outcome))
    return sorted(findings, key=lambda finding: GROUPS.index(finding.group)), lost


async def _tried(trial: Trial, bench: Bench, *, first: bool) -> tuple[Outcome, bool]:
    """Make one trial; tell also whether the server was silent."""
    began = time.monotonic()
    try:
        outcome, silent = await trial.run(bench), False
    except TimeoutError:
        if first:
            raise ModelError(
                f"model {bench.chat.model_name!r} at {bench.endpoint.where} sent no reply within "
                f"{bench.deadline_s:g} s (VIDAGENT_REPLY_SECONDS waits longer)"
            ) from None
        outcome, silent = unknown(f"no reply within {bench.deadline_s:g} s"), True
    except ServerError as error:
        if first:
            raise
        outcome, silent = refused(error), error.status is None
    except (ModelError, LookupError, TypeError, ValueError, AttributeError) as error:
        _log.debug("%s: %s", trial.group, trial.name, exc_info=True)
        if first:
            raise ModelError(f"the reply of {bench.endpoint.where} cannot be read: {error}") from error
        outcome, silent = unknown(f"the reply cannot be read: {error}"), False
    seconds = time.monotonic() - began
    _log.debug("%s, %s: %s, %.1f s; %s", trial.group, trial.name, outcome.value, seconds, outcome.detail)
    return outcome, silent


async def _answers(bench: Bench) -> bool:
    """Tell whether a server that was silent answers a small request."""
    try:
        await bench.ask(user("ready?"), tokens=1, switch=Switch())
    except TimeoutError:
        return False
    except ServerError as error:
        return error.status is not None
    return True
