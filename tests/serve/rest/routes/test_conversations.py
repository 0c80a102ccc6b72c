"""Conversations: the questions of a session are named and deleted together."""

from __future__ import annotations

import pytest

from tests.serve.core.http.test_server import fault
from tests.serve.rest.test_jobs import added, ended, job
from tests.serve.running import until
from vidagent import api

pytestmark = pytest.mark.network


def titles(client) -> list[str | None]:
    return [one["title"] for one in client.get("/v1/jobs").json()["data"]]


def test_all_jobs_of_a_session_have_its_name(client):
    for _ in range(2):
        ended(client, added(client, session="talk"))
    alone = added(client)
    assert titles(client) == [None, None, None]
    assert client.patch("/v1/conversations/talk", json={"title": "The bar"}).json() == {"title": "The bar"}
    assert client.patch(f"/v1/conversations/{alone}", json={"title": "Alone"}).status_code == 200
    assert titles(client) == ["Alone", "The bar", "The bar"]
    assert job(client, alone)["title"] == "Alone"
    assert client.patch("/v1/conversations/talk", json={"title": None}).status_code == 200
    assert titles(client) == ["Alone", None, None]


def test_a_deleted_one_leaves_nothing(client):
    told = ended(client, added(client, session="talk"))
    kept = ended(client, added(client))
    frame = told["answer"]["evidence"][0]["frame"]
    client.patch("/v1/conversations/talk", json={"title": "The bar"})
    assert client.get(frame).status_code == 200
    assert [one.name for one in api.list_sessions()] == ["local.talk"]
    assert client.delete("/v1/conversations/talk").json()["deleted"]
    assert [one["id"] for one in client.get("/v1/jobs").json()["data"]] == [kept["id"]]
    assert [one["id"] for one in client.get("/v1/runs").json()["data"]] == [kept["run_id"]]
    assert fault(client.get(frame)) == (404, "no_such_run")
    assert [run.run_id for run in api.list_runs()] == [kept["run_id"]]
    assert api.list_sessions() == []
    added(client, session="talk")
    assert titles(client)[0] is None


def test_what_is_being_answered_is_stopped(client, model, plays):
    plays.slow = True
    added(client, session="talk")
    until(lambda: "plan" in model.steps, 60)
    assert client.delete("/v1/conversations/talk").status_code == 200
    assert client.get("/v1/jobs").json()["data"] == []
    until(lambda: model.gone, 5)
    until(lambda: api.list_runs() == [], 10)


def test_what_is_wrong_is_refused(client):
    id_ = added(client)
    for title in ("", "x" * 201, 5):
        assert fault(client.patch(f"/v1/conversations/{id_}", json={"title": title})) == (422, "invalid")
    for method, sent in (("PATCH", {"title": "x"}), ("DELETE", None)):
        reply = client.request(method, "/v1/conversations/none", json=sent)
        assert fault(reply) == (404, "no_such_conversation")


def test_another_owners_is_not_there(tenants):
    id_ = added(tenants.acme, session="talk")
    for name in ("talk", id_):
        for method, sent in (("PATCH", {"title": "x"}), ("DELETE", None)):
            reply = tenants.rival.request(method, f"/v1/conversations/{name}", json=sent)
            assert fault(reply) == (404, "no_such_conversation")
    assert titles(tenants.acme) == [None]
