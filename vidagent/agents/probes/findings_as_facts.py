"""The findings of a full checkup as facts about the server, which later runs use."""

from __future__ import annotations

from collections.abc import Sequence

from vidagent.agents.probes.context import ProbeContext
from vidagent.agents.probes.finding import Finding
from vidagent.agents.server.endpoint import ServedModel
from vidagent.agents.server.facts import ServerFacts
from vidagent.agents.server.inventory import Inventory

_REFUSED = {
    ("pictures", "by id"): "image_ids",
    ("video", "mp4"): "video",
    ("video", "options per request"): "media_options",
    ("thinking", "budget by the server"): "thinking_budget",
    ("thinking", "budget by two phases"): "two_phase",
    ("tools", "auto"): "tools",
    ("tools", "named"): "forced_tool",
    ("tools", "strict arguments"): "strict",
    ("typed replies", "json_schema"): "schema",
    ("replies", "streaming"): "stream",
}
"""The features that a server refuses where a probe found a no in its own words."""


def facts_of(
    findings: Sequence[Finding], context: ProbeContext, served: Inventory, model: ServedModel
) -> ServerFacts:
    """Return what a checkup found, in the form in which runs keep and use it."""
    outcomes = {(finding.group, finding.name): finding.outcome for finding in findings}
    refused = [
        feature
        for probe, feature in _REFUSED.items()
        if outcomes[probe].value == "no" and "status" in outcomes[probe].facts
    ]
    if outcomes["tools", "auto"].value == "no":
        refused.append("tools")
    most = outcomes["pictures", "several"]
    images = most.facts.get("most") if most.value == "no" else None
    if outcomes["pictures", "one"].value == "no":
        images = 0
    by_itself = outcomes["thinking", "thinks"].facts.get("by_itself", False)
    off = context.off if by_itself and context.off and context.off.label else None
    counts = outcomes["tokens", "usage"].value
    return ServerFacts(
        probed=True,
        version=served.version,
        kind=served.kind,
        images=images,
        context_tokens=model.context_tokens,
        refused=tuple(dict.fromkeys(refused)),
        thinks=by_itself,
        off=off,
        counts_tokens=None if counts == "unknown" else counts == "yes",
    )
