"""One question about several videos over REST: named as they were named, and kept apart in the answer."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.api.test_ask_many import Watcher
from tests.serve.core.http.test_server import fault
from tests.serve.core.storage.test_files import upload
from tests.serve.rest.routes.test_chat import CHAT, messages, part
from tests.serve.rest.routes.test_langserve_routes import ASKED
from tests.serve.rest.test_jobs import added, ended
from tests.serve.running import running

pytestmark = pytest.mark.network
SAID = "In both: in cups.mp4 first."


@pytest.fixture
def plays() -> Watcher:
    return Watcher((True, True) * 2, {"answer": SAID, "videos": [1, 2]})


@pytest.fixture
def client(model, root, tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    shutil.copy(root / "clip.mp4", folder / "beach.mp4")
    with running(tmp_path / "data", roots=(folder,)) as client:
        yield client


def test_each_is_named_as_the_client_names_it(client, model, root):
    file = upload(client, (root / "clip.mp4").read_bytes(), "cups.mp4").json()["id"]
    told = ended(client, added(client, video=file, more_videos=["beach.mp4"], question="Which shows a dog?"))
    assert told["error"] is None
    answer = told["answer"]
    assert answer["answer"] == SAID
    assert [video["path"] for video in answer["videos"]] == [file, "beach.mp4"]
    assert [span["video"] for span in answer["spans"]] == [0, 1]
    assert [item["video"] for item in answer["evidence"]] == [0, 1]
    for item in answer["evidence"]:
        assert client.get(item["frame"]).headers["content-type"] == "image/jpeg"
    assert fault(client.get(f"/v1/runs/{told['run_id']}/report")) == (404, "several_videos")
    asked = json.dumps(model.bodies)
    assert "cups.mp4" in asked
    assert file not in asked
    assert client.delete(f"/v1/files/{file}").status_code == 200
    assert fault(client.get(f"/v1/runs/{told['run_id']}")) == (404, "no_such_run")


@pytest.mark.parametrize("uploaded", [False, True])
def test_equal_file_names_are_told_apart_without_the_servers_paths(model, root, tmp_path, uploaded):
    films = tmp_path / "films"
    for folder in "a", "b":
        (films / folder).mkdir(parents=True)
        shutil.copy(root / "clip.mp4", films / folder / "clip.mp4")
    with running(tmp_path / "data", roots=(films,)) as client:
        first = (
            upload(client, (root / "clip.mp4").read_bytes(), "clip.mp4").json()["id"]
            if uploaded
            else "a/clip.mp4"
        )
        id_ = added(client, video=first, more_videos=["b/clip.mp4"], question="Which shows a dog?")
        told = ended(client, id_)
        events = client.get(f"/v1/jobs/{id_}/events").text
    assert [video["path"] for video in told["answer"]["videos"]] == [first, "b/clip.mp4"]
    asked = json.dumps(model.bodies)
    assert "2-clip.mp4" in asked
    for text in json.dumps(told), events, asked:
        assert str(tmp_path) not in text


def test_several_parts_of_a_chat_message(client, root):
    file = upload(client, (root / "clip.mp4").read_bytes(), "cups.mp4").json()["id"]
    asked = {**CHAT, "messages": messages(part(file), part("beach.mp4"), question="Which shows a dog?")}
    reply = client.post("/v1/chat/completions", json=asked).json()
    assert reply["choices"][0]["message"]["content"] == SAID
    assert len(reply["vidagent"]["videos"]) == 2


WRONG = {
    "a session": ({"more_videos": ["beach.mp4"], "session": "talk"}, 422, "a session is about one video"),
    "one twice": ({"more_videos": ["clip.mp4"]}, 422, "give each video once"),
    "too many": ({"more_videos": [f"{number}.mp4" for number in range(16)]}, 422, "at most 15 items"),
    "none": ({"more_videos": []}, 422, "at least 1 item"),
    "not there": ({"more_videos": ["none.mp4"]}, 404, "there is no such video"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_asked_together(refusing, wrong):
    (client, model), (changed, status, told) = refusing, WRONG[wrong]
    reply = client.post("/v1/jobs", json={**ASKED, **changed})
    assert (reply.status_code, told in reply.text) == (status, True), reply.text
    assert model.bodies == []
