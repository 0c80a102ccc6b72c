"""What is learned of a server stands in the run's record, on stderr with -v, and is there for the next run."""

import json
import logging
import os
from pathlib import Path

import pytest

import vidagent
from tests.agents.servers.families import FAMILIES, serve
from vidagent import config
from vidagent.agents.server import model_choice
from vidagent.agents.server.known_servers import EXPIRY_S, KnownServers, ServerMemory
from vidagent.api.replay import replay_run
from vidagent.types import Budget

pytestmark = pytest.mark.network


@pytest.fixture(autouse=True)
def probed(monkeypatch):
    monkeypatch.setenv("VIDAGENT_PROBE_SERVER", "true")


def folder():
    return Path(os.environ["VIDAGENT_CACHE_DIR"])


def trace_of(answer):
    trace = folder() / "runs" / answer.run_id / "trace.jsonl"
    return [json.loads(line) for line in trace.read_text().splitlines() if line]


def ask(path, **arguments):
    return vidagent.analyze_video(path, "What lies there?", **arguments)


def test_a_run_with_corrections_is_recorded_and_replayed(clip, caplog):
    caplog.set_level(logging.INFO, logger="vidagent")
    path = clip("h264").path
    with serve(FAMILIES["no tools"]) as server:
        answer = ask(path, base_url=server.url)
        asked = len(server.bodies)
    recorded = [line for line in trace_of(answer) if line["kind"] == "request"]
    opening = answer.usage.by_step[0]
    assert (opening.step, opening.model_calls) == ("survey", asked - len(recorded))
    assert answer.usage.model_calls == asked
    assert any("refuses tools" in record.getMessage() for record in caplog.records)
    replayed, differences = replay_run(answer.run_id)
    assert (replayed.answer, differences) == (answer.answer, [])


def test_a_correction_on_the_way_stands_in_the_trace(clip, monkeypatch):
    monkeypatch.setenv("VIDAGENT_PROBE_SERVER", "false")
    with serve(FAMILIES["no schema"]) as server:
        answer = ask(clip("h264").path, base_url=server.url)
    [told] = [line for line in trace_of(answer) if line["kind"] == "correction"]
    assert told["text"].startswith("the server refuses schema (response_format is not supported")
    assert told["facts"]["refused"] == ["schema"]
    _, differences = replay_run(answer.run_id)
    assert differences == []


def test_a_question_with_a_budget_is_not_spent_on_probes(clip):
    with serve(FAMILIES["no usage"]) as server:
        ask(clip("h264").path, base_url=server.url, budget=Budget(model_calls=30))
        assert None not in server.steps


def test_a_server_that_is_merely_found_answers(clip, monkeypatch):
    with serve(FAMILIES["Ollama"]) as server:
        monkeypatch.setattr(model_choice, "LOCAL_URLS", ("http://127.0.0.1:1/v1", server.url))
        told = []
        answer = ask(clip("h264").path, on_event=lambda event: told.append(event.text))
    assert answer.status == "answered"
    assert told[0] == f"model moondream:latest at {server.url} (profile ollama)"
    facts = KnownServers(folder()).facts(server.url, "moondream:latest")
    assert (facts.kind, facts.version, facts.context_tokens) == ("Ollama", "0.32.1", 4096)


def test_another_version_of_a_server_is_asked_anew(clip):
    family = FAMILIES["Ollama"]
    with serve(family) as server:
        ask(clip("h264").path, base_url=server.url)
        first = len(server.bodies)
        ask(clip("h264").path, base_url=server.url)
        second = len(server.bodies) - first
        server.routes["/api/version"] = {"version": "0.33.0"}
        ask(clip("h264").path, base_url=server.url)
        third = len(server.bodies) - first - second
    assert second < third <= first


def test_old_facts_expire(monkeypatch):
    known, now = KnownServers(folder()), 1e9
    monkeypatch.setattr("vidagent.agents.server.known_servers.time.time", lambda: now)
    memory = ServerMemory.kept(folder(), "http://127.0.0.1:1/v1", "m")
    memory.learn(memory.facts.with_changes(images=4))
    assert known.facts("http://127.0.0.1:1/v1", "m").images == 4
    assert known.facts("http://127.0.0.1:1/v1", "other").images is None
    now += EXPIRY_S + 1
    assert known.facts("http://127.0.0.1:1/v1", "m").images is None


def test_a_model_that_takes_no_pictures_says_so(clip):
    with serve(FAMILIES["no usage"]) as server:
        settings = config.load(base_url=server.url)
        memory = model_choice.choose(settings).memory
        memory.learn(memory.facts.with_changes(images=0, probed=True))
        with pytest.raises(vidagent.ModelError, match="takes no pictures; name another model"):
            ask(clip("h264").path, base_url=server.url)
