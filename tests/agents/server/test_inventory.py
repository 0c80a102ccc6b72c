"""What each kind of server says of itself and its models, as its documentation has it."""

import pytest

from tests.scripted_server import Raw, ScriptedServer
from vidagent.agents.server.endpoint import Endpoint, ServedModel
from vidagent.agents.server.inventory import take_inventory

pytestmark = pytest.mark.network


def listed(*models):
    return {"object": "list", "data": [{"id": name, "owned_by": owner} for name, owner in models]}


def shown(body):
    can = {"qwen3-vl:8b": ["completion", "vision", "tools"], "hf.co/unsloth/Qwen3-4B-GGUF:Q4": ["completion"]}
    return {"capabilities": can[body["model"]], "model_info": {"qwen3vl.context_length": 262144}}


OLLAMA = {
    "/v1/models": listed(("hf.co/unsloth/Qwen3-4B-GGUF:Q4", "unsloth"), ("qwen3-vl:8b", "library")),
    "/api/version": {"version": "0.32.1"},
    "/api/show": shown,
    "/api/ps": {"models": [{"name": "qwen3-vl:8b", "context_length": 16384}]},
}


async def inventory(routes):
    with ScriptedServer([], routes=routes) as server:
        return await take_inventory(Endpoint(server.url))


async def test_ollama_tells_what_each_model_can_and_the_context_of_what_is_loaded():
    found = await inventory(OLLAMA)
    assert (found.kind, found.version) == ("Ollama", "0.32.1")
    assert found.models == (
        ServedModel("hf.co/unsloth/Qwen3-4B-GGUF:Q4", owner="library", sees=False, calls_tools=False),
        ServedModel("qwen3-vl:8b", owner="library", sees=True, calls_tools=True, context_tokens=16384),
    )


async def test_ollama_is_known_by_its_own_paths_where_no_model_is_from_its_library():
    found = await inventory(OLLAMA | {"/v1/models": listed(("hf.co/unsloth/Qwen3-4B-GGUF:Q4", "unsloth"))})
    assert (found.kind, found.version) == ("Ollama", "0.32.1")
    assert [(model.owner, model.sees) for model in found.models] == [("library", False)]


async def test_a_server_of_another_kind_is_left_unnamed():
    found = await inventory({"/v1/models": listed(("m", "me")), "/api/ps": Raw("<html>", status=200)})
    assert (found.kind, found.version, found.models) == (None, None, (ServedModel("m", owner="me"),))
