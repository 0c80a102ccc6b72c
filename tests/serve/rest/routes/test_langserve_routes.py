"""LangServe's routes, asked by plain HTTP and by LangServe's own client."""

from __future__ import annotations

import json
from http.client import HTTPConnection

import httpx
import pytest
from langserve import RemoteRunnable

from tests.decoding import decoding
from tests.serve.cli.test_end_to_end import KEYS
from tests.serve.core.http.test_server import fault
from tests.serve.running import QUESTION, running, until
from vidagent.serve.core.schemas import AnswerBody

pytestmark = pytest.mark.network
ASKED = {"video": "clip.mp4", "question": QUESTION}
ROUTES = ("invoke", "batch", "stream", "stream_events")


def body(route: str, **changed) -> dict:
    asked = {**ASKED, **changed}
    return {"inputs": [asked]} if route == "batch" else {"input": asked}


def events(reply: httpx.Response) -> list[tuple[str, dict | None]]:
    """Return the events of a stream: their kind and their data."""
    found = []
    for block in reply.text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"]) if fields.get("data") else None))
    return found


@pytest.fixture
def remote(client):
    return RemoteRunnable(f"{client.base_url}/vidagent")


def test_invoke(client):
    reply = client.post("/vidagent/invoke", json=body("invoke"))
    assert reply.status_code == 200, reply.text
    output = reply.json()["output"]
    assert set(output) == KEYS
    assert (output["status"], output["answer"]) == ("answered", "Something is to be seen.")
    assert output["video"]["path"] == "clip.mp4"
    assert output["evidence"][0]["frame"] == f"/v1/runs/{output['run_id']}/frames/0.jpg"
    assert output["budget"]["limit"]["seconds"] == 600


def test_the_answer_is_the_contract(client):
    output = client.post("/vidagent/invoke", json=body("invoke")).json()["output"]
    told = AnswerBody.model_validate(output)
    assert told.model_dump(mode="json") == output
    assert not told.model_extra
    assert set(AnswerBody.model_fields) == KEYS


def test_the_budget_is_the_smaller_of_the_two(model, root, tmp_path, monkeypatch):
    monkeypatch.setenv("VIDAGENT_BUDGET_FRAMES", "50")
    with running(tmp_path, roots=(root,), deadline_s=90) as client:
        asked = body("invoke", budget={"seconds": 1000, "frames": 20, "model_calls": 1})
        output = client.post("/vidagent/invoke", json=asked).json()["output"]
        assert (output["status"], output["budget"]["ended_by"]) == ("partial", "model_calls")
        limit = {name: value for name, value in output["budget"]["limit"].items() if value}
        assert limit == {"seconds": 90, "frames": 20, "model_calls": 1}
        asked = body("invoke", budget={"frames": 60, "seconds": 30})
        limit = client.post("/vidagent/invoke", json=asked).json()["output"]["budget"]["limit"]
        assert (limit["frames"], limit["seconds"]) == (50, 30)


def test_options_lead_to_a_choice(client, model):
    asked = body("invoke", options=["red", "blue"])
    assert client.post("/vidagent/invoke", json=asked).status_code == 200
    assert "blue" in json.dumps(model.bodies)


def test_batch_in_order(client):
    asked = {"inputs": [{**ASKED, "question": f"{QUESTION} {number}"} for number in range(3)]}
    reply = client.post("/vidagent/batch", json=asked)
    outputs = reply.json()["output"]
    assert [output["answer"] for output in outputs] == ["Something is to be seen."] * 3
    assert len({output["run_id"] for output in outputs}) == 3


def test_a_batch_has_a_cap(client, model):
    reply = client.post("/vidagent/batch", json={"inputs": [ASKED] * 4})
    assert fault(reply) == (422, "too_many_inputs")
    assert reply.json()["error"]["message"] == "a batch holds at most 3 inputs; got 4"
    assert model.bodies == []


def test_stream_tells_the_steps_and_then_the_answer(client):
    told = events(client.post("/vidagent/stream", json=body("stream")))
    assert [kind for kind, _ in told if kind != "data"] == ["metadata", "end"]
    data = [data for kind, data in told if kind == "data"]
    kinds = [event["kind"] for event in data]
    assert kinds[0] == "model"
    assert {"step", "look", "observation", "verdict", "token"} <= set(kinds)
    assert kinds.index("look") < kinds.index("verdict") < kinds.index("answer") == len(kinds) - 1
    assert set(data[-1]["data"]["answer"]) == KEYS
    assert data[0]["text"] == "model scripted"


def test_nothing_of_the_server_is_told(client, root, tmp_path, model):
    for route in ROUTES:
        text = client.post(f"/vidagent/{route}", json=body(route)).text
        assert "Something is to be seen." in text
        for secret in (str(root), str(tmp_path), model.url, "Traceback", "/tmp"):
            assert secret not in text, route


def test_stream_events(client):
    told = events(client.post("/vidagent/stream_events", json=body("stream_events")))
    names = [data["event"] for kind, data in told if kind == "data"]
    assert names[0] == "on_chain_start"
    assert "on_chain_stream" in names
    assert names[-1] == "on_chain_end"


def test_a_remote_runnable_invokes_and_batches(remote):
    assert remote.invoke(ASKED)["answer"] == "Something is to be seen."
    assert [answer["status"] for answer in remote.batch([ASKED, ASKED])] == ["answered"] * 2


async def test_a_remote_runnable_streams(remote):
    kinds = [event["kind"] for event in remote.stream(ASKED)]
    assert kinds[-1] == "answer"
    kinds = [event["kind"] async for event in remote.astream(ASKED)]
    assert kinds[-1] == "answer"
    names = [event["event"] async for event in remote.astream_events(ASKED, version="v2")]
    assert "on_chain_stream" in names


def test_a_remote_runnable_hears_what_is_wrong(remote):
    with pytest.raises(httpx.HTTPStatusError, match="there is no such video"):
        remote.invoke({**ASKED, "video": "none.mp4"})
    with pytest.raises(httpx.HTTPStatusError, match="there is no such video") as caught:
        list(remote.stream({**ASKED, "video": "none.mp4"}))
    assert caught.value.response.status_code == 404


def test_schemas(client):
    wanted = client.get("/vidagent/input_schema").json()
    known = {"video", "more_videos", "question", "summary", "schema", "options", "model", "budget", "session"}
    assert set(wanted["properties"]) == known
    assert wanted["required"] == ["video"]
    assert [one["required"] for one in wanted["anyOf"]] == [["question"], ["summary"]]
    assert set(client.get("/vidagent/output_schema").json()["properties"]) == KEYS
    assert client.get("/vidagent/config_schema").status_code == 200
    paths = client.get("/openapi.json").json()["paths"]
    assert {f"/vidagent/{route}" for route in ROUTES} <= set(paths)


def test_the_playground_only_in_development(model, root, tmp_path):
    for development in (False, True):
        with running(tmp_path, roots=(root,), development=development) as client:
            there = 200 if development else 404
            assert client.get("/vidagent/playground/").status_code == there
            assert client.post("/vidagent/stream_log", json=body("invoke")).status_code == there


WRONG = {
    "no video": {"question": QUESTION},
    "an empty question": {**ASKED, "question": ""},
    "a long question": {**ASKED, "question": "x" * 20_001},
    "half a character": {**ASKED, "question": "\ud800"},
    "one option": {**ASKED, "options": ["red"]},
    "an unknown field": {**ASKED, "base_url": "http://127.0.0.1:1/v1"},
    "no frames": {**ASKED, "budget": {"frames": 0}},
    "a text for a number": {**ASKED, "budget": {"frames": "9"}},
    "an unknown budget": {**ASKED, "budget": {"money": 1}},
    "no object": "When?",
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_told_by_its_field(refusing, route, wrong):
    (client, model), asked = refusing, WRONG[wrong]
    reply = client.post(
        f"/vidagent/{route}",
        content=json.dumps({"inputs": [asked]} if route == "batch" else {"input": asked}),
    )
    assert fault(reply) == (422, "invalid")
    assert reply.json()["error"]["details"]
    assert model.bodies == []


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"[" * 100_000, b'{"input": NaN}'])
def test_bodies_that_are_no_json(refusing, route, content):
    client, _ = refusing
    assert fault(client.post(f"/vidagent/{route}", content=content))[0] == 422


def test_nobody_sets_who_they_are(client):
    asked = {**body("invoke"), "config": {"configurable": {"client": "somebody"}}}
    assert client.post("/vidagent/invoke", json=asked).status_code == 200


def test_a_large_body_is_refused(model, root, tmp_path):
    with running(tmp_path, roots=(root,), max_body_mb=0.01) as client:
        large = json.dumps(body("invoke", question="x" * 10_000)).encode()
        assert fault(client.post("/vidagent/invoke", content=large)) == (413, "too_large")

        def pieces():
            yield from (large[start : start + 1000] for start in range(0, len(large), 1000))

        assert fault(client.post("/vidagent/invoke", content=pieces())) == (413, "too_large")


def test_a_model_that_is_away_is_told_without_its_address(root, tmp_path, monkeypatch):
    monkeypatch.setenv("VIDAGENT_BASE_URL", "http://127.0.0.1:1/v1")
    with running(tmp_path, roots=(root,)) as client:
        reply = client.post("/vidagent/invoke", json=body("invoke"))
        assert fault(reply) == (502, "model")
        assert "127.0.0.1:1" not in reply.text
        *_, (kind, data) = events(client.post("/vidagent/stream", json=body("stream")))
        assert (kind, data["status_code"], data["code"]) == ("error", 502, "model")


def test_what_is_no_video_is_told(client, root):
    (root / "notes.txt").write_text("no video")
    reply = client.post("/vidagent/invoke", json=body("invoke", video="notes.txt"))
    assert fault(reply) == (422, "video")
    assert str(root) not in reply.text


@pytest.mark.parametrize("route", ROUTES)
def test_a_client_that_leaves_cancels_its_run(client, model, plays, route):
    plays.slow = True
    before = decoding()
    leaving = HTTPConnection(client.base_url.host, client.base_url.port)
    leaving.request("POST", f"/vidagent/{route}", json.dumps(body(route)))
    until(lambda: "plan" in model.steps, 30)
    leaving.close()
    assert until(lambda: model.gone) < 1
    assert until(lambda: decoding() <= before) < 1
