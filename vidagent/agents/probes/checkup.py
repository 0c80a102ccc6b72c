"""A server checkup: which model it serves, what the probes found, and where that contradicts the profile."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vidagent.agents.client.chat_model import connect
from vidagent.agents.probes.advice import Advice, advise
from vidagent.agents.probes.checks.pictures import sent_at_once
from vidagent.agents.probes.context import ProbeContext
from vidagent.agents.probes.finding import Finding
from vidagent.agents.probes.findings_as_facts import facts_of
from vidagent.agents.probes.runner import Probe, run_probes
from vidagent.agents.profiles.schema import Form, Profile
from vidagent.agents.server.connection import ServerError
from vidagent.agents.server.endpoint import Endpoint, ServedModel
from vidagent.agents.server.facts import ServerFacts
from vidagent.agents.server.inventory import Inventory, take_inventory
from vidagent.agents.server.known_servers import KnownServers
from vidagent.agents.server.model_choice import EMBEDDED, key_for, local_url, profile_for
from vidagent.config import Settings
from vidagent.errors import ModelError, UsageError
from vidagent.video.cache.video_cache import default_folder

_DEADLINE_S = 60.0
_ROWS: dict[Form, tuple[str, str]] = {
    "images": ("pictures", "one"),
    "frames": ("video", "frames with times"),
    "mp4": ("video", "mp4"),
}


@dataclass(frozen=True, slots=True)
class Checkup:
    """Result of all probes of a server.

    Args:
        where: Its base URL.
        kind: What it is, such as `vLLM`, or None if it cannot be identified.
        version: Its version, or None.
        model: The model tested.
        others: The other models that it serves.
        profile: The profile for this model.
        findings: What was found.
        advice: Where the findings contradict the profile.
        lost: The probe at which the server stopped answering, or None.
        facts: What later runs know of the server by this.
    """

    where: str
    kind: str | None
    version: str | None
    model: ServedModel
    others: tuple[str, ...]
    profile: Profile
    findings: tuple[Finding, ...]
    advice: tuple[Advice, ...]
    lost: str | None
    facts: ServerFacts

    @property
    def unusable(self) -> str | None:
        """Why the server cannot be used; None if it can."""
        if self.lost:
            return f"the server stopped answering at {self.lost}"
        can = {(finding.group, finding.name) for finding in self.findings if finding.value == "yes"}
        if sent_at_once(self.profile):
            return None if ("pictures", "one") in can else "it takes no pictures"
        rows = {_ROWS[form] for form in self.profile.media.forms.values()}
        return None if rows <= can else f"it takes no video as profile {self.profile.name} sends it"

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "server": self.where,
            "kind": self.kind,
            "version": self.version,
            "model": self.model.name,
            "root": self.model.root,
            "context_tokens": self.model.context_tokens,
            "other_models": list(self.others),
            "profile": self.profile.name,
            "usable": self.unusable is None,
            "unusable": self.unusable,
            "findings": [finding.to_dict() for finding in self.findings],
            "advice": [dataclasses.asdict(advice) for advice in self.advice],
            "known": self.facts.to_dict(),
        }


async def examine(settings: Settings, on_probe: Callable[[Probe], None]) -> Checkup:
    """Probe the server that the settings name, or one on this machine.

    Args:
        settings: Settings with the server, the model, the profile, and the longest wait for a reply.
        on_probe: Called with each probe before it runs.

    Raises:
        ModelError: If the server cannot be reached, or does not answer even a plain text.
            UsageError: If the embedded model is selected: it has no server.
    """
    if settings.model == EMBEDDED:
        raise UsageError(f"model {EMBEDDED!r} is embedded and has no server to check; name another (--model)")
    url, key = settings.base_url or local_url(), key_for(settings)
    endpoint = Endpoint(url, key)
    served = await _inventory(endpoint, settings)
    model, others = _chosen(list(served.models), settings, endpoint.where)
    profile = profile_for(model.name, settings, url, model.owner)
    context = ProbeContext(
        connect(url, model.name, api_key=key),
        Endpoint(url, key, model=model.name),
        profile,
        settings.reply_seconds or _DEADLINE_S,
        model.context_tokens,
    )
    findings, lost = await run_probes(context, on_probe)
    facts = ServerFacts() if lost else facts_of(findings, context, served, model)
    if not lost:
        KnownServers(settings.cache_dir or default_folder()).save(endpoint.where, model.name, facts)
    return Checkup(
        where=endpoint.where,
        kind=served.kind,
        version=served.version,
        model=model,
        others=others,
        profile=profile,
        findings=tuple(findings),
        advice=() if lost else tuple(advise(profile, findings, model.context_tokens)),
        lost=lost,
        facts=facts,
    )


async def _inventory(endpoint: Endpoint, settings: Settings) -> Inventory:
    """List the server's models; if it lists none, use the model named in the settings."""
    try:
        return await take_inventory(endpoint)
    except ServerError as error:
        if settings.base_url is None:
            raise ModelError(f"{error}; name one (--base-url or VIDAGENT_BASE_URL)") from None
        if settings.model is None or error.status not in {404, 405}:
            raise
    return Inventory(endpoint.where, ())


def _chosen(served: list[ServedModel], settings: Settings, where: str) -> tuple[ServedModel, tuple[str, ...]]:
    """Return the named model, else the first one served, and the names of the others."""
    if settings.model is None:
        if not served:
            raise ModelError(f"the model server at {where} serves no model; name one (--model)")
        return served[0], tuple(model.name for model in served[1:])
    named = next((model for model in served if model.name == settings.model), ServedModel(settings.model))
    return named, tuple(model.name for model in served if model.name != named.name)
