"""Summaries and answers to a schema over REST: asked for as jobs, answered with public names of frames."""

from __future__ import annotations

import pytest

from tests.graphs.scripts import answer
from tests.serve.core.http.test_server import fault
from tests.serve.rest.routes.test_langserve_routes import ASKED
from tests.serve.rest.test_jobs import added, ended
from vidagent.summary import QUESTIONS

pytestmark = pytest.mark.network

SUMMARY = {"video": "clip.mp4", "summary": "short"}
SCORE = {"type": "object", "properties": {"score": {"type": "integer"}, "team": {"type": "string"}}}
PARTS = [
    {"start_s": 0, "end_s": 2, "text": "A bar moves. It goes to the right.", "ledger": ["L1"]},
    {"start_s": 2, "end_s": 4, "text": "The bar leaves.", "ledger": ["L1"]},
]


def test_a_summary_is_a_job_with_chapters_and_sentences(client, plays):
    plays.draft = answer(answer="A bar crosses.", claims=[], spans=[], parts=PARTS)
    reply = client.post("/v1/jobs", json=SUMMARY)
    assert reply.status_code == 202, reply.text
    told = ended(client, reply.json()["id"])
    assert told["asked"]["question"] == QUESTIONS["short"]
    found = told["answer"]
    assert [one["title"] for one in found["chapters"]] == ["A bar moves", "The bar leaves"]
    assert [one["text"] for one in found["sentences"]] == [
        "A bar crosses.",
        "A bar moves.",
        "It goes to the right.",
        "The bar leaves.",
    ]
    frame = found["sentences"][1]["frame"]
    assert frame.startswith(f"/v1/runs/{found['run_id']}/frames/")
    assert client.get(frame).headers["content-type"] == "image/jpeg"


def test_an_answer_to_a_schema_has_data_and_what_proves_it(client, plays):
    source = {"path": "", "time_s": 2.0, "ledger": ["L1"]}
    plays.draft = answer(claims=[], spans=[], data={"score": 3, "team": None}, sources=[source])
    found = ended(client, added(client, schema=SCORE))["answer"]
    assert found["data"] == {"score": 3, "team": None}
    score, team = found["fields"]
    assert (score["path"], score["verdict"], team["reason"]) == (
        "/score",
        "supported",
        "the model gave no value for it",
    )
    assert score["frame"].startswith("/v1/runs/")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"summary": "huge"}, "summary"),
        ({"summary": "short"}, "it takes the place of the question"),
        ({"schema": {"type": "text"}}, "the schema is wrong at $.type"),
        ({"schema": {"properties": {"a": {"type": "string", "pattern": "(a+)+$"}}}}, "not supported here"),
        ({"schema": {"not": {"$dynamicRef": "http://127.0.0.1:9/x"}}}, "it has $dynamicRef"),
        ({"schema": {"not": {"$ref": "http://127.0.0.1:9/x"}}}, "expected to be URI fragments"),
        ({"schema": SCORE, "more_videos": ["b.mp4"]}, "a schema is for one video"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_the_reason(refusing, changed, why):
    client, _ = refusing
    reply = client.post("/v1/jobs", json={**ASKED, **changed})
    assert fault(reply) == (422, "invalid")
    assert why in reply.text


def test_a_question_or_a_summary_is_needed(refusing):
    client, _ = refusing
    reply = client.post("/v1/jobs", json={"video": "clip.mp4"})
    assert fault(reply) == (422, "invalid")
    assert "question" in reply.text
