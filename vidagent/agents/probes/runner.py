"""Run the probes in turn: a failure does not stop the others, and an unreachable server is no longer probed."""

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
from vidagent.agents.probes.context import ProbeContext
from vidagent.agents.probes.finding import Finding, Outcome, refused, unknown
from vidagent.agents.probes.fixtures import user
from vidagent.agents.profiles.thinking_switch import Switch
from vidagent.agents.server.connection import ServerError
from vidagent.errors import ModelError

GROUPS = ("replies", "pictures", "video", "thinking", "tools", "typed replies", "tokens")
"""The groups, in the order of the table."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Probe:
    """One capability to try.

    Args:
        group: One of `GROUPS`.
        name: The capability.
        run: Sends its requests.
    """

    group: str
    name: str
    run: Callable[[ProbeContext], Awaitable[Outcome]]


PROBES = (
    Probe("replies", "text", conversation.text),
    Probe("thinking", "thinks", thinking.thinks),
    Probe("thinking", "can be switched off", thinking.without),
    Probe("thinking", "budget by the server", thinking.budget),
    Probe("replies", "system message", conversation.system_role),
    Probe("replies", "several turns", conversation.turns),
    Probe("replies", "streaming", conversation.streaming),
    Probe("pictures", "one", pictures.one),
    Probe("pictures", "several", pictures.several),
    Probe("pictures", "by id", pictures.ids),
    Probe("thinking", "budget by two phases", thinking.two_phases),
    Probe("video", "mp4", videos.mp4),
    Probe("video", "options per request", videos.options),
    Probe("video", "fps and num_frames", videos.sampling),
    Probe("video", "frames with times", videos.frames_with_times),
    Probe("tools", "auto", tool_calls.auto),
    Probe("tools", "required", tool_calls.required),
    Probe("tools", "named", tool_calls.named),
    Probe("tools", "strict arguments", tool_calls.strict),
    Probe("typed replies", "json_schema", typed_replies.json_schema),
    Probe("typed replies", "structured_outputs", typed_replies.structured_outputs),
    Probe("tokens", "usage", tokens.usage),
    Probe("tokens", "prefix cache", tokens.prefix_cache),
    Probe("tokens", "tokenizer", tokens.tokenizer),
)
"""In order of execution: later ones build on earlier ones."""


async def run_probes(
    context: ProbeContext, on_probe: Callable[[Probe], None]
) -> tuple[list[Finding], str | None]:
    """Run every probe.

    Args:
        context: The server and the model.
        on_probe: Called with each probe before it runs.

    Returns:
        The findings, in the order of `GROUPS`, and the probe at which the server stopped answering, or None.

    Raises:
        ModelError: If even a plain text is not answered.
    """
    findings: list[Finding] = []
    lost: str | None = None
    for probe in PROBES:
        if lost:
            outcome = unknown("not tried, as the server no longer answers")
        else:
            on_probe(probe)
            outcome, silent = await _run(probe, context, first=not findings)
            if silent and not await _answers(context):
                lost = f"{probe.group}: {probe.name}"
        findings.append(Finding(probe.group, probe.name, outcome))
    return sorted(findings, key=lambda finding: GROUPS.index(finding.group)), lost


async def _run(probe: Probe, context: ProbeContext, *, first: bool) -> tuple[Outcome, bool]:
    """Run one probe; return its outcome, and whether the server failed to respond."""
    began = time.monotonic()
    try:
        outcome, silent = await probe.run(context), False
    except TimeoutError:
        if first:
            raise ModelError(
                f"model {context.chat.model_name!r} at {context.endpoint.where} sent no reply within "
                f"{context.deadline_s:g} s (VIDAGENT_REPLY_SECONDS waits longer)"
            ) from None
        outcome, silent = unknown(f"no reply within {context.deadline_s:g} s"), True
    except ServerError as error:
        if first:
            raise
        outcome, silent = refused(error), error.status is None
    except (ModelError, LookupError, TypeError, ValueError, AttributeError) as error:
        _log.debug("%s: %s", probe.group, probe.name, exc_info=True)
        if first:
            raise ModelError(f"the reply of {context.endpoint.where} cannot be read: {error}") from error
        outcome, silent = unknown(f"the reply cannot be read: {error}"), False
    seconds = time.monotonic() - began
    _log.debug("%s, %s: %s, %.1f s; %s", probe.group, probe.name, outcome.value, seconds, outcome.detail)
    return outcome, silent


async def _answers(context: ProbeContext) -> bool:
    """Tell whether a server that failed to respond answers a small request."""
    try:
        await context.ask(user("ready?"), tokens=1, switch=Switch())
    except TimeoutError:
        return False
    except ServerError as error:
        return error.status is not None
    return True
