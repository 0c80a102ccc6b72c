"""`vidagent models`: what is listed of each server, and a default that is kept."""

import dataclasses
import json

import pytest

from tests.agents.servers.families import FAMILIES, serve
from vidagent import config

pytestmark = pytest.mark.network


@pytest.fixture
def two_servers(monkeypatch):
    with serve(FAMILIES["LM Studio"]) as seeing, serve(FAMILIES["no tools"]) as other:
        monkeypatch.setattr("vidagent.agents.server.model_choice.LOCAL_URLS", (other.url, seeing.url))
        yield seeing, other


def test_every_local_server_is_listed_and_one_that_sees_is_preferred(command, two_servers):
    seeing, other = two_servers
    lines = command("models").out.splitlines()
    assert lines[0].split() == ["scripted", other.url, "(profile", "default)"]
    assert lines[1].startswith(f"* qwen2.5-vl-7b-instruct  {seeing.url}  LM Studio, pictures (profile")
    assert lines[2].split()[:2] == ["signals", "embedded"]


def test_a_default_is_kept_until_another_one_is_named(command, two_servers):
    _, other = two_servers
    assert command("models", "use", "scripted").code == 0
    settings = config.load()
    assert (settings.model, settings.base_url) == ("scripted", other.url)
    listed = json.loads(command("models", "--json").out)["models"]
    assert [model["model"] for model in listed if model["chosen"]] == ["scripted"]
    assert command("models", "use", "signals").code == 0
    assert (config.load().model, config.load().base_url) == ("signals", None)


def test_a_model_that_is_not_there(command, two_servers):
    done = command("models", "use", "nope")
    assert done.code == 4
    assert "there is no model 'nope'; there are scripted, qwen2.5-vl-7b-instruct, signals" in done.err


def test_what_was_found_out_is_listed_where_the_server_says_nothing(command, clip, monkeypatch):
    monkeypatch.setenv("VIDAGENT_PROBE_SERVER", "true")
    monkeypatch.setattr("vidagent.agents.server.model_choice.LOCAL_URLS", ())
    told = dataclasses.replace(FAMILIES["ignores tools"], owner="vllm", routes={"/version": {"version": "1"}})
    with serve(told) as server:
        assert "vLLM (profile default)" in command("models", "--base-url", server.url).out
        asked = command("ask", str(clip("h264").path), "What lies there?", "--base-url", server.url)
        assert asked.code == 0
        listed = command("models", "--base-url", server.url).out
    assert "vLLM, pictures, no tools (profile default)" in listed
