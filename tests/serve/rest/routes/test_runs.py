"""Runs and what they show: frames, report and clips, for their owner alone, however the question came."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.serve.core.http.test_server import fault
from tests.serve.core.storage.test_files import upload
from tests.serve.core.storage.test_keys import tenants  # noqa: F401 - a fixture
from tests.serve.rest.routes.test_chat import messages, part
from tests.serve.rest.routes.test_langserve_routes import ASKED, body, events
from tests.serve.rest.test_jobs import added, ended
from tests.serve.running import QUESTION, running
from vidagent import api

pytestmark = pytest.mark.network


def invoked(client, **changed) -> dict:
    reply = client.post("/vidagent/invoke", json=body("invoke", **changed))
    assert reply.status_code == 200, reply.text
    return reply.json()["output"]


def chat(client, **more) -> dict:
    asked = {"model": "vidagent", "messages": messages(part("clip.mp4")), **more}
    return client.post("/v1/chat/completions", json=asked)


def every_door(client) -> dict[str, dict]:
    """Ask by every door, and return the answers."""
    streamed = events(client.post("/vidagent/stream", json=body("stream")))
    chunks = [line[6:] for line in chat(client, stream=True).text.splitlines() if line.startswith("data: {")]
    return {
        "invoke": invoked(client),
        "batch": client.post("/vidagent/batch", json=body("batch")).json()["output"][0],
        "stream": next(
            data["data"]["answer"] for _, data in streamed if data and data.get("kind") == "answer"
        ),
        "job": ended(client, added(client))["answer"],
        "chat": chat(client).json()["vidagent"],
        "chat stream": next(chunk["vidagent"] for chunk in map(json.loads, chunks) if "vidagent" in chunk),
    }


def test_a_run_is_kept_whatever_door_it_came_by(client):
    answers = every_door(client)
    told = client.get("/v1/runs").json()["data"]
    assert {run["id"] for run in told} == {answer["run_id"] for answer in answers.values()}
    assert [run["created_at"] for run in told] == sorted((run["created_at"] for run in told), reverse=True)
    for door, answer in answers.items():
        run = client.get(f"/v1/runs/{answer['run_id']}").json()
        assert run["answer"] == answer, door
        assert run["asked"]["question"] == QUESTION, door
        frame = answer["evidence"][0]["frame"]
        assert frame == f"/v1/runs/{answer['run_id']}/frames/0.jpg", door
        assert client.get(frame).status_code == 200, door
    assert [run["id"] for run in client.get("/v1/runs?limit=2").json()["data"]] == [
        run["id"] for run in told[:2]
    ]


def test_the_frame_of_the_evidence(client):
    answer = invoked(client)
    reply = client.get(answer["evidence"][0]["frame"])
    assert reply.headers["content-type"] == "image/jpeg"
    assert reply.headers["x-content-type-options"] == "nosniff"
    picture = np.asarray(Image.open(io.BytesIO(reply.content)))
    video = answer["video"]
    assert picture.shape == (video["height"], video["width"], 3)
    frames = f"/v1/runs/{answer['run_id']}/frames"
    assert fault(client.get(f"{frames}/{len(answer['evidence'])}.jpg")) == (404, "no_such_frame")
    for number in ("-1", "x", "1e3", "0x0", "99999999999999999999"):
        assert fault(client.get(f"{frames}/{number}.jpg"))[0] in {404, 422}


def test_the_report(client, root):
    run = invoked(client)["run_id"]
    reply = client.get(f"/v1/runs/{run}/report")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert "sandbox" in reply.headers["content-security-policy"]
    assert QUESTION in reply.text
    assert "It is seen." in reply.text
    assert "data:image/jpeg;base64," in reply.text
    assert str(root) not in reply.text
    assert client.get(f"/v1/runs/{run}/report").text == reply.text


def test_the_clips_of_the_answer(client):
    answer = invoked(client)
    clips = f"/v1/runs/{answer['run_id']}/clips"
    for number, span in enumerate(answer["spans"]):
        reply = client.get(f"{clips}/{number}.mp4")
        assert reply.headers["content-type"] == "video/mp4"
        with av.open(io.BytesIO(reply.content)) as clip:
            times = [float(frame.time) for frame in clip.decode(video=0)]
        assert times[0] == 0
        assert times[-1] == pytest.approx(span["end_s"] - span["start_s"], abs=0.09)
    part_of = client.get(f"{clips}/0.mp4", headers={"Range": "bytes=4-7"})
    assert (part_of.status_code, part_of.content) == (206, b"ftyp")
    assert fault(client.get(f"{clips}/{len(answer['spans'])}.mp4")) == (404, "no_such_clip")


def paths(run: str) -> list[str]:
    return [f"/v1/runs/{run}{rest}" for rest in ("", "/frames/0.jpg", "/report", "/clips/0.mp4")]


def test_runs_are_seen_by_their_owner_alone(tenants):  # noqa: F811 - the fixture
    run = invoked(tenants.acme)["run_id"]
    for path in paths(run):
        assert fault(tenants.rival.get(path)) == (404, "no_such_run"), path
    assert tenants.rival.get("/v1/runs").json()["data"] == []
    for path in paths(run):
        assert tenants.acme.get(path).status_code == 200, path


def test_runs_of_other_programs_are_not_there(client, model, root):
    answer = api.analyze_video(root / "clip.mp4", QUESTION)
    for run in (answer.run_id, "last", "..", "%2e%2e", "none"):
        for path in paths(run)[1:]:
            assert fault(client.get(path))[0] == 404, path


def test_a_run_that_is_cleared_says_so(client):
    answer = invoked(client)
    shutil.rmtree(api.find_run(answer["run_id"]).folder.path)
    told, *pictures = paths(answer["run_id"])
    assert client.get(told).json()["answer"] == answer
    for path in pictures:
        assert fault(client.get(path)) == (404, "run_cleared"), path


def test_a_deleted_file_takes_its_runs_along(client, root):
    id_ = upload(client, (root / "clip.mp4").read_bytes()).json()["id"]
    of_file, other = invoked(client, video=id_)["run_id"], invoked(client)["run_id"]
    folder = api.find_run(of_file).folder.path
    assert client.get(paths(of_file)[2]).status_code == 200
    assert client.delete(f"/v1/files/{id_}").status_code == 200
    for path in paths(of_file):
        assert fault(client.get(path)) == (404, "no_such_run")
    assert not folder.exists()
    assert [run["id"] for run in client.get("/v1/runs").json()["data"]] == [other]


def test_runs_outlive_the_server(model, root, tmp_path):
    with running(tmp_path, roots=(root,)) as client:
        run = invoked(client)["run_id"]
    with running(tmp_path, roots=(root,)) as client:
        assert all(client.get(path).status_code == 200 for path in paths(run))


def test_a_video_that_changed_is_not_shown_for_the_old_one(model, root, tmp_path):
    films = tmp_path / "films"
    films.mkdir()
    film = Path(shutil.copy(root / "clip.mp4", films))
    with running(tmp_path / "data", roots=(films,)) as client:
        run = invoked(client)["run_id"]
        film.write_bytes(film.read_bytes() + b"\0" * 8)
        assert fault(client.get(paths(run)[3])) == (404, "video_changed")
        assert client.get(paths(run)[1]).status_code == 200
        film.unlink()
        assert fault(client.get(paths(run)[2])) == (404, "no_such_video")


def test_a_run_without_an_answer_has_no_report(client):
    reply = client.post("/vidagent/invoke", json={"input": {**ASKED, "video": "none.mp4"}})
    assert fault(reply) == (404, "no_such_video")
    assert client.get("/v1/runs").json()["data"] == []
