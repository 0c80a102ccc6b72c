"""The models behind the agent: listed, chosen by a question, and refused by name."""

from __future__ import annotations

import pytest

from tests.serve.core.http.test_server import fault
from tests.serve.rest.routes.test_langserve_routes import ASKED, body
from tests.serve.rest.test_jobs import added, ended
from tests.serve.running import running

pytestmark = pytest.mark.network
UNSEEN = "Why do they laugh?"


def test_the_one_that_answers_comes_first(client):
    listed = client.get("/v1/agent-models").json()["data"]
    assert [(one["id"], one["default"], one["embedded"]) for one in listed] == [
        ("scripted", True, False),
        ("signals", False, True),
    ]


def test_a_question_names_its_model(client, model):
    told = ended(client, added(client, model="signals", question=UNSEEN))
    assert told["error"] is None
    assert (told["asked"]["model"], told["answer"]["model"]) == ("signals", "signals")
    assert model.bodies == []


def test_a_model_that_is_not_there_is_refused_with_those_there_are(client):
    reply = client.post("/v1/jobs", json={**ASKED, "model": "gpt"})
    assert fault(reply) == (422, "no_such_model")
    assert reply.json()["error"]["message"] == "there is no model 'gpt'; there are scripted, signals"
    assert fault(client.post("/vidagent/invoke", json=body("invoke", model="gpt"))) == (422, "no_such_model")


def test_a_server_that_is_away_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("VIDAGENT_BASE_URL", "http://127.0.0.1:1/v1")
    with running(tmp_path) as client:
        assert fault(client.get("/v1/agent-models")) == (503, "not_ready")


def test_what_cannot_be_judged_is_told_without_words_of_the_command_line(client):
    answer = ended(client, added(client, model="signals", question=UNSEEN))["answer"]
    assert answer["status"] == "cannot_judge"
    assert "another model of this server" in answer["answer"]
    assert "--" not in answer["answer"]
