"""The first contact with a server: how few requests it takes, and what is known after it."""

import asyncio

import pytest

from tests.agents.servers.families import FAMILIES, Family, serve, spent
from tests.scripted_server import HANG, ScriptedServer, refusal, says
from vidagent import config
from vidagent.agents.probes import first_contact
from vidagent.agents.probes.first_contact import meet
from vidagent.agents.profiles.thinking_switch import BUDGET_OFF, EFFORT_OFF, PROMPT_OFF, TEMPLATE_OFF
from vidagent.agents.server.model_choice import choose

pytestmark = pytest.mark.network


def usage(thought):
    return {
        "prompt_tokens": 300,
        "completion_tokens": thought + 2,
        "total_tokens": thought + 302,
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


async def met(name):
    with serve(FAMILIES[name]) as server:
        client = await asyncio.to_thread(choose, config.load(base_url=server.url))
        usage = await meet(client)
        again = await meet(client)
        calls, tokens = spent(server)
    assert usage.requests == calls
    assert again.requests == 0
    return client.memory.facts, calls, tokens


@pytest.mark.parametrize(
    ("name", "calls", "known"),
    [
        ("no usage", 2, {"counts_tokens": False, "thinks": None}),
        ("no schema", 2, {"counts_tokens": True}),
        ("no tools", 4, {"refused": ("forced_tool", "tools")}),
        ("ignores tools", 2, {"refused": ("tools",)}),
        ("one image", 3, {"images": 1}),
        ("thinks 500 tokens", 5, {"thinks": True, "off": PROMPT_OFF}),
        ("thinks 3,000 tokens", 3, {"thinks": True, "off": TEMPLATE_OFF}),
        ("Ollama", 4, {"thinks": True, "kind": "Ollama", "version": "0.32.1", "context_tokens": 4096}),
        ("llama.cpp", 2, {"kind": "llama.cpp", "context_tokens": 8192}),
        ("LM Studio", 3, {"kind": "LM Studio", "context_tokens": 4096, "refused": ("forced_tool",)}),
    ],
)
async def test_a_few_requests_tell(name, calls, known):
    facts, asked, tokens = await met(name)
    assert facts.probed
    assert {field: getattr(facts, field) for field in known} == known
    assert asked == calls
    assert tokens < 2500


async def test_a_switch_that_the_profile_lacks_is_found():
    with serve(FAMILIES["Gemini"]) as server:
        settings = config.load(base_url=server.url, profile="default")
        client = await asyncio.to_thread(choose, settings)
        await meet(client)
    assert client.memory.facts.off == EFFORT_OFF
    assert client.memory.facts.parameters == ("chat_template_kwargs",)


async def test_a_model_that_only_a_budget_stops_gets_one():
    """As vLLM holds it: what closes the thought counts as a part of it."""

    def reply(body):
        budget = body.get("thinking_token_budget")
        thought, said = ("hm " * 100, "") if budget is None else ("Now I answer.", "KIWI")
        return says(said, reasoning=thought) | {"usage": usage(100 if budget is None else 6)}

    with ScriptedServer(reply) as server:
        client = await asyncio.to_thread(choose, config.load(base_url=server.url))
        await meet(client)
    assert (client.memory.facts.thinks, client.memory.facts.off) == (True, BUDGET_OFF)


async def test_pictures_that_are_dropped_are_noticed():
    blind = Family(sees=False)
    with serve(blind) as server:
        client = await asyncio.to_thread(choose, config.load(base_url=server.url))
        await meet(client)
    assert client.memory.facts.images is None  # its prompts grow with pictures: it is only a poor reader


async def test_a_server_that_refuses_the_key_is_left_to_the_run():
    with ScriptedServer([refusal(401, "no")], models=("m",)) as server:
        client = await asyncio.to_thread(choose, config.load(base_url=server.url, model="m"))
        assert (await meet(client)).requests == 1
    assert not client.memory.facts.probed


async def test_a_server_that_is_too_slow_is_not_asked_again(monkeypatch):
    monkeypatch.setattr(first_contact, "DEADLINE_S", 0.2)
    with ScriptedServer([HANG], models=("m",)) as server:
        client = await asyncio.to_thread(choose, config.load(base_url=server.url, model="m"))
        await meet(client)
    assert client.memory.facts.probed


async def test_the_embedded_model_is_not_asked():
    client = await asyncio.to_thread(choose, config.load(model="signals"))
    assert (await meet(client)).requests == 0
