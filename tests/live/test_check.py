"""`vidagent vlm check` against real servers: what was found is what their flags say."""

from __future__ import annotations

import asyncio

import pytest

from tests.live.server import Server
from vidagent.agents.probes.checkup import Checkup, examine
from vidagent.config import load

pytestmark = [pytest.mark.vllm, pytest.mark.network]


def tried(server: Server, profile: str = "tiny") -> Checkup:
    """Check a server for a profile."""
    return asyncio.run(examine(load(base_url=server.url, profile=profile), lambda trial: None))


def others(checkup: Checkup) -> dict[tuple[str, str], str]:
    """Return the rows that are no yes, with their details."""
    return {(f.group, f.name): f.outcome.detail for f in checkup.findings if f.value != "yes"}


def test_a_server_that_can_everything(tiny_server):
    checkup = tried(tiny_server)
    assert others(checkup) == {}
    assert (checkup.kind, checkup.model.name, checkup.model.context_tokens) == ("vLLM", "tiny", 16384)
    assert (checkup.unusable, checkup.advice) == (None, ())
    facts = {(f.group, f.name): f.outcome.facts for f in checkup.findings}
    assert facts["pictures", "one"]["tokens"] > 0
    assert facts["pictures", "several"]["most"] == 8
    assert facts["tools", "required"]["bound"] is False
    assert facts["tokens", "prefix cache"]["tokens"] > 0


def test_a_server_without_parsers_and_without_a_prefix_cache(nemotron_server):
    checkup = tried(nemotron_server)
    rows = others(checkup)
    assert checkup.unusable is None
    assert {row for row in rows if row[0] in {"replies", "pictures", "typed replies"}} == set()
    assert "no `reasoning` field" in rows["thinking", "thinks"]
    assert "reasoning_config is not configured" in rows["thinking", "budget by the server"]
    assert "--enable-auto-tool-choice" in rows["tools", "auto"]
    assert {"thinking.can", "tool_calls"} <= {advice.key for advice in checkup.advice}
