"""Which model answers, and what is said when none can."""

import asyncio

import pytest

from tests.agents.servers.families import FAMILIES, serve
from tests.scripted_server import ScriptedServer, says
from vidagent.agents.probes.first_contact import meet
from vidagent.agents.server import model_choice
from vidagent.agents.server.model_choice import Available, available, choose, describe
from vidagent.config import load
from vidagent.errors import ModelError, UsageError

pytestmark = pytest.mark.network


@pytest.fixture(autouse=True)
def local(monkeypatch, tmp_path):
    """Let the place of the local server be one where nobody listens."""
    monkeypatch.chdir(tmp_path)
    with ScriptedServer([]) as server:
        url = server.url
    monkeypatch.setattr(model_choice, "LOCAL_URLS", (url,))
    return url


@pytest.fixture
def server():
    with ScriptedServer([says("ok")], models=("Qwen/Qwen3-VL-8B-Instruct", "other")) as server:
        yield server


def test_nobody_there_means_signals():
    client = choose(load())
    assert (client.name, client.where, client.profile.name) == ("signals", None, "signals")
    assert "embedded" in describe(client)


def test_a_local_server_is_found(server, monkeypatch):
    monkeypatch.setattr(model_choice, "LOCAL_URLS", (server.url,))
    client = choose(load())
    assert (client.name, client.where, client.profile.name) == (
        "Qwen/Qwen3-VL-8B-Instruct",
        server.url,
        "qwen3-vl",
    )
    assert describe(client) == (
        f"model Qwen/Qwen3-VL-8B-Instruct at {server.url} (profile qwen3-vl); there are also other "
        "(--model NAME, or `vidagent models use NAME`)"
    )
    assert choose(load(model="signals")).where is None
    assert choose(load(model="signals", base_url=server.url)).where is None
    assert choose(load(model="other")).name == "other"


def test_something_else_on_that_port_is_passed_over(monkeypatch):
    with ScriptedServer([]) as other:
        monkeypatch.setattr(model_choice, "LOCAL_URLS", (other.url.removesuffix("/v1"),))
        assert choose(load()).name == "signals"


def test_an_explicit_server_with_a_model_is_left_to_the_question_if_it_is_not_there(local):
    client = choose(load(base_url=local, model="mine", api_key="k"))
    assert (client.name, client.where, client.profile.name) == ("mine", local, "default")


def test_an_explicit_server_with_a_model_gets_the_profile_of_its_kind():
    with serve(FAMILIES["llama.cpp"]) as server:
        named = load(base_url=server.url, model="gemma-4-12b-it-Q4_K_M.gguf")
        first = choose(named)
        asyncio.run(meet(first))
        asked = len(server.asked)
        second = choose(named)
        assert len(server.asked) == asked
    assert first.profile.name == second.profile.name == "gemma-4+llamacpp"
    assert first.memory.facts.context_tokens == second.memory.facts.context_tokens == 8192


def test_an_explicit_server_names_its_first_model(server):
    assert choose(load(base_url=server.url)).name == "Qwen/Qwen3-VL-8B-Instruct"


def test_settings_shape_the_profile(server):
    client = choose(load(base_url=server.url, model="x", profile="signals", reply_seconds=7))
    assert (client.profile.name, client.profile.timeout_s) == ("signals", 7)
    with pytest.raises(UsageError, match="no profile 'nope'"):
        choose(load(base_url=server.url, model="x", profile="nope"))


def test_an_explicit_server_that_is_not_there(local):
    with pytest.raises(ModelError, match=f"no model server answers at {local}"):
        choose(load(base_url=local))


def test_an_explicit_address_that_is_no_model_server(server):
    with pytest.raises(ModelError, match="answered 404; is the base URL right"):
        choose(load(base_url=server.url.removesuffix("/v1")))


def test_an_explicit_server_without_models():
    with ScriptedServer([], models=()) as server, pytest.raises(ModelError, match="serves no model"):
        choose(load(base_url=server.url))


def test_a_model_without_a_server():
    with pytest.raises(ModelError, match="model 'mine' needs a server, and none that has it answers"):
        choose(load(model="mine"))


def test_what_is_available(server, monkeypatch):
    monkeypatch.setattr(model_choice, "LOCAL_URLS", (server.url,))
    assert available(load()) == [
        Available("Qwen/Qwen3-VL-8B-Instruct", server.url, "qwen3-vl", chosen=True),
        Available("other", server.url, "default", chosen=False),
        Available("signals", None, "signals", chosen=False),
    ]


def test_what_is_available_without_a_server():
    assert available(load()) == [Available("signals", None, "signals", chosen=True)]


async def test_models_are_listed_also_while_a_loop_runs(server):
    assert [model.model for model in available(load(base_url=server.url))][:2] == [
        "Qwen/Qwen3-VL-8B-Instruct",
        "other",
    ]


def test_a_key_goes_only_to_the_base_url_it_was_set_for(server, monkeypatch):
    monkeypatch.setenv("VIDAGENT_API_KEY", "sk-secret")
    assert model_choice.key_for(load()) is None
    assert model_choice.key_for(load(base_url=server.url)) == "sk-secret"
    monkeypatch.setenv("VIDAGENT_BASE_URL", "https://api.example.org/v1")
    assert model_choice.key_for(load()) == "sk-secret"
    assert model_choice.key_for(load(base_url=server.url)) is None
    assert model_choice.key_for(load(base_url=server.url, api_key="sk-other")) == "sk-other"


def test_a_server_that_was_found_gets_no_key(server, monkeypatch):
    monkeypatch.setenv("VIDAGENT_API_KEY", "sk-secret")
    monkeypatch.setattr(model_choice, "LOCAL_URLS", (server.url,))
    assert choose(load()).where == server.url
    assert all("sk-secret" not in str(headers) for headers in server.headers)


def test_a_model_that_sees_is_preferred_on_one_server():
    names = ("text-embedding-3", "llama-3.3-70b", "qwen2.5-vl-7b")
    with ScriptedServer([], models=names) as server:
        client = choose(load(base_url=server.url))
    assert client.name == "qwen2.5-vl-7b"
    assert describe(client).endswith(
        "there are also llama-3.3-70b (--model NAME, or `vidagent models use NAME`)"
    )


def test_vidagents_own_server_is_not_asked(monkeypatch):
    listed = {"data": [{"id": "vidagent", "owned_by": "vidagent"}]}
    with ScriptedServer([], routes={"/v1/models": listed}) as own:
        monkeypatch.setattr(model_choice, "LOCAL_URLS", (own.url,))
        assert choose(load()).name == "signals"
