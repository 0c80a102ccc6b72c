"""Jobs: accepted once, ended once, whatever becomes of the client or the server."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import httpx
import pytest

from tests.serve.cli.test_end_to_end import KEYS
from tests.serve.core.http.test_server import fault
from tests.serve.rest.routes.test_langserve_routes import ASKED
from tests.serve.running import QUESTION, running, until

pytestmark = pytest.mark.network


def job(client: httpx.Client, id_: str) -> dict:
    return client.get(f"/v1/jobs/{id_}").json()


def added(client: httpx.Client, **changed) -> str:
    reply = client.post("/v1/jobs", json={**ASKED, **changed})
    assert reply.status_code == 202, reply.text
    assert reply.headers["location"] == f"/v1/jobs/{reply.json()['id']}"
    return reply.json()["id"]


def ended(client: httpx.Client, id_: str) -> dict:
    until(lambda: job(client, id_)["ended_at"], 60)
    return job(client, id_)


def events(client: httpx.Client, id_: str, after: int | None = None) -> list[tuple[int, str, dict]]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    text = client.get(f"/v1/jobs/{id_}/events", headers=headers).text.replace("\r\n", "\n")
    found = re.findall(r"^id: (\d+)\nevent: (\w+)\ndata: (.*)$", text, re.MULTILINE)
    return [(int(number), kind, json.loads(data)) for number, kind, data in found]


def test_a_job_is_answered(client):
    id_ = added(client)
    told = ended(client, id_)
    assert (told["status"], told["answer"]["answer"], told["error"]) == (
        "succeeded",
        "Something is to be seen.",
        None,
    )
    assert set(told["answer"]) == KEYS
    assert told["answer"]["run_id"] == told["run_id"]
    assert told["asked"]["question"] == QUESTION
    assert [one["id"] for one in client.get("/v1/jobs").json()["data"]] == [id_]


def test_its_events_come_as_they_happen_and_again_from_any_number(client):
    id_ = added(client)
    told = events(client, id_)
    assert [number for number, _, _ in told] == list(range(1, len(told) + 1))
    kinds = [kind for _, kind, _ in told]
    assert kinds[0] == "model"
    assert kinds[-1] == "ended"
    assert kinds.count("ended") == 1
    assert {"step", "look", "observation", "verdict"} <= set(kinds)
    assert told[-1][2]["data"]["answer"]["answer"] == "Something is to be seen."
    assert events(client, id_, 3) == told[3:]
    assert events(client, id_, len(told)) == []


def test_how_far_a_long_step_is_comes_with_the_events_and_is_not_kept(monkeypatch, text_clip, tmp_path):
    monkeypatch.setenv("VIDAGENT_MODEL", "signals")
    with running(tmp_path / "data", roots=(text_clip,)) as client:
        id_ = added(client, video="text.mp4", question='When does the text "Second line" appear?')
        text = client.get(f"/v1/jobs/{id_}/events").text.replace("\r\n", "\n")
        told = [json.loads(data) for data in re.findall(r"(?<!\d\n)event: progress\ndata: (.*)", text)]
        assert told
        assert {event["text"] for event in told} <= {
            f"{doing}, {share}%"
            for doing in ("indexing", "reading the text on screen")
            for share in range(101)
        }
        assert "progress" not in [kind for _, kind, _ in events(client, id_)]
        assert job(client, id_)["answer"]["spans"] == [{"start_s": 1.0, "end_s": 2.0}]


def test_a_job_that_fails_says_why(client, root):
    (root / "notes.txt").write_text("no video")
    told = ended(client, added(client, video="notes.txt"))
    assert (told["status"], told["error"]["code"], told["answer"]) == ("failed", "video", None)
    assert str(root) not in json.dumps(told)


def test_what_cannot_be_asked_is_not_accepted(client):
    assert fault(client.post("/v1/jobs", json={**ASKED, "video": "none.mp4"})) == (404, "no_such_video")
    assert fault(client.post("/v1/jobs", json={**ASKED, "question": ""})) == (422, "invalid")
    assert client.get("/v1/jobs").json()["data"] == []


def test_a_cancelled_job_ends_at_once(client, model, plays):
    plays.slow = True
    id_ = added(client)
    until(lambda: "plan" in model.steps, 30)
    told = client.delete(f"/v1/jobs/{id_}").json()
    assert (told["status"], told["answer"]) == ("cancelled", None)
    assert until(lambda: model.gone) < 1
    assert client.delete(f"/v1/jobs/{id_}").json() == told
    assert [kind for _, kind, _ in events(client, id_)].count("ended") == 1


def test_jobs_wait_for_a_lane_and_have_a_cap(model, plays, root, tmp_path):
    plays.slow = True
    with running(tmp_path, roots=(root,), running=1, jobs_each=2) as client:
        first, second = added(client), added(client)
        until(lambda: job(client, first)["status"] == "running", 10)
        assert job(client, second)["status"] == "queued"
        reply = client.post("/v1/jobs", json=ASKED)
        assert fault(reply) == (429, "too_many")
        assert reply.headers["retry-after"]
        plays.slow = False
        client.delete(f"/v1/jobs/{first}")
        assert ended(client, second)["status"] == "succeeded"


def test_a_reader_that_leaves_leaves_the_job(client, plays):
    id_ = added(client)
    with client.stream("GET", f"/v1/jobs/{id_}/events") as reply:
        next(reply.iter_lines())
    assert ended(client, id_)["status"] == "succeeded"


@pytest.mark.parametrize("path", ["", "/events"])
def test_other_jobs_are_not_there(client, path):
    assert fault(client.get(f"/v1/jobs/none{path}")) == (404, "no_such_job")
    assert fault(client.delete("/v1/jobs/none")) == (404, "no_such_job")


def test_a_job_that_ends_the_server_is_given_up(model, root, tmp_path):
    with running(tmp_path, roots=(root,), running=1) as client:
        (first, second) = added(client), added(client)
        ended(client, first), ended(client, second)
    with sqlite3.connect(tmp_path / "serve.sqlite") as store:
        store.execute("UPDATE jobs SET status = 'running', ended_s = NULL, starts = 3 WHERE id = ?", (first,))
    store.close()
    with running(tmp_path, roots=(root,)) as client:
        assert ended(client, first)["error"]["code"] == "gave_up"
        assert job(client, second)["status"] == "succeeded"


def test_servers_that_are_stopped_do_not_count_against_a_job(model, plays, root, tmp_path):
    plays.slow = True
    with running(tmp_path, roots=(root,)) as client:
        id_ = added(client)
    for _ in range(4):
        asked = len(model.asked)
        with running(tmp_path, roots=(root,)) as client:
            until(lambda: len(model.asked) > asked, 60)  # noqa: B023 - called before the next turn
            assert job(client, id_)["status"] == "running"
    plays.slow = False
    with running(tmp_path, roots=(root,)) as client:
        assert ended(client, id_)["status"] == "succeeded"


@contextmanager
def process(data_dir, root, *, stop: signal.Signals):
    """Run a server in a process of its own, and end it by a signal; give its client."""
    command = [
        sys.executable,
        "-m",
        "vidagent",
        "serve",
        "--insecure-local",
        "--port",
        "0",
        "--root",
        str(root),
    ]
    with subprocess.Popen(
        [*command, "--data-dir", str(data_dir)], stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as server:
        while "serving" not in (line := server.stderr.readline()):
            assert line, "the server does not start"
        drain = threading.Thread(target=server.stderr.read, daemon=True)
        drain.start()
        with httpx.Client(base_url=re.search(r"http://[\d.:]+", line)[0], timeout=60) as client:
            yield client
        server.send_signal(stop)
        server.wait(30)
        drain.join(30)


@pytest.mark.parametrize("stop", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL])
def test_every_accepted_job_ends_once_through_a_restart(model, plays, root, tmp_path, stop):
    with process(tmp_path, root, stop=stop) as client:
        done = added(client)
        ended(client, done)
        plays.slow = True
        half = added(client)
        until(lambda: events_so_far(client, half) > 1, 30)
        before = job(client, half)
        waiting = [added(client) for _ in range(3)]
    plays.slow = False
    with process(tmp_path, root, stop=signal.SIGTERM) as client:
        for id_ in (done, half, *waiting):
            told = ended(client, id_)
            assert (told["status"], told["answer"]["answer"]) == ("succeeded", "Something is to be seen.")
            kinds = [kind for _, kind, _ in events(client, id_)]
            assert (kinds.count("ended"), kinds[-1]) == (1, "ended")
        assert job(client, half)["run_id"] == before["run_id"]
        assert len(client.get("/v1/jobs").json()["data"]) == 5


def events_so_far(client: httpx.Client, id_: str) -> int:
    """Return how many events a job has had; its stream is left while it goes on."""
    count = 0
    stream = client.stream("GET", f"/v1/jobs/{id_}/events", timeout=1)
    with suppress(httpx.ReadTimeout), stream as reply:
        for line in reply.iter_lines():
            count += line.startswith("event: ")
    return count


def test_two_servers_do_not_share_a_folder(command, model, root, tmp_path):
    with process(tmp_path, root, stop=signal.SIGTERM):
        done = command("serve", "--insecure-local", "--port", "0", "--data-dir", str(tmp_path))
    assert done.code == 2
    assert done.err.endswith("is in use by another running server\n")
