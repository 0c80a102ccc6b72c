"""`vidagent batch` on this machine, through the command line and a scripted model."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.media.odd import two_streams
from tests.scripted_server import Raw, ScriptedServer, frames_shown, labelled_images, step_of, texts
from tests.serve.batch.conftest import MODEL, pictures, script
from vidagent.images import jpeg

NEVA = {"video": "a.mp4", "text": "When is it seen?", "category": "conv", "question_id": 0}
pytestmark = pytest.mark.network


@pytest.fixture
def server():
    with ScriptedServer(script) as running:
        yield running


def test_neva_lines_are_answered(batch, results, server):
    lines = [{**NEVA, "question_id": number, "kept": [number]} for number in range(3)]
    done = batch(lines, *MODEL, "--base-url", server.url, "--json")
    assert done.code == 0, done.err
    told = sorted(results(), key=lambda one: one["question_id"])
    assert [{name: one[name] for name in lines[0]} for one in told] == lines
    assert {one["response"] for one in told} == {told[0]["answer"]["answer"]}
    assert told[0]["answer"]["spans"]
    assert told[0]["answer"]["video"]["path"].endswith("a.mp4")
    summary = done.json()
    assert (summary["lines"], summary["answered"]) == (3, 3)
    assert summary["by_category"]["conv"]["model_calls"] == len(server.bodies)
    assert summary["frames_sent"] == sum(frames_shown(body) for body in server.bodies)
    assert summary["frames_sent"] > sum(len(pictures(body)) for body in server.bodies)  # some are in grids


def test_another_stream_of_the_files(batch, results, server, tmp_path):
    path = two_streams(tmp_path, (50, 50), default=1)
    line = {**NEVA, "video": str(path)}
    done = batch([line], *MODEL, "--base-url", server.url, "--stream", "0")
    assert done.code == 0, done.err
    assert results()[0]["answer"]["video"]["width"] == 320


def test_errors_are_lines_with_a_type(batch, results, server):
    lines = [
        NEVA,
        {"video": "none.mp4", "text": "What?"},
        "{not json",
        "[1]",
        '{"video": "a.mp4", "text": "What?", "score": NaN}',
        {"video": "a.mp4", "text": ""},
        {"video": "a.mp4", "image": "b.jpg", "text": "What?"},
        {"video": "a.mp4", "text": "What?", "budget": {"fames": 1}},
        {"video": "a.mp4", "text": "What?", "budget": {"frames": 0}},
        {"video": "a.mp4", "text": "What?", "num_frames": "8"},
    ]
    done = batch(lines, *MODEL, "--base-url", server.url, "--ordered")
    assert done.code == 3
    told = results()
    assert [one.get("error", {}).get("type") for one in told] == [None, "video", *["usage"] * 8]
    assert told[2]["input"] == "{not json"
    assert "fames" in told[7]["error"]["message"]
    assert "num_frames" in told[9]["error"]["message"]
    assert done.out.splitlines()[1].split()[:5] == ["all", "1", "0", "0", "9"]


def test_model_errors_are_retried_only_when_asked(batch, results, clips):
    with ScriptedServer([Raw({"error": {"message": "broken"}}, status=418)]) as broken:
        assert batch([NEVA], *MODEL, "--base-url", broken.url).code == 4
    assert results()[0]["error"]["type"] == "model"
    with ScriptedServer(script) as server:
        assert batch([NEVA], *MODEL, "--base-url", server.url).code == 4
        assert server.bodies == []
        assert batch([NEVA], *MODEL, "--base-url", server.url, "--retry-errors").code == 0
    assert [one.get("error") for one in results()] == [None]


def test_a_budget_that_ends_lines_is_exit_5(batch, results, server):
    limited = {**NEVA, "budget": {"model_calls": 2}}
    assert batch([NEVA, limited], *MODEL, "--base-url", server.url, "--ordered").code == 5
    assert [one["answer"]["budget"]["ended_by"] for one in results()] == [None, "model_calls"]


def test_fields_of_the_input_named_like_ours_are_kept(batch, results, server):
    batch([{**NEVA, "answer": "truth", "response": "old"}], *MODEL, "--base-url", server.url)
    [told] = results()
    assert (told["input_answer"], told["input_response"]) == ("truth", "old")
    assert told["answer"]["status"] == "answered"


def test_a_video_is_opened_once_and_its_frames_counted_for_each_question(batch, results, server, monkeypatch):
    from vidagent.video import video as module

    opened = []
    process = module.Process
    monkeypatch.setattr(
        module, "Process", lambda path, *rest: opened.append(path.name) or process(path, *rest)
    )
    lines = [{**NEVA, "video": name} for name in ("a.mp4", "b.mp4") * 3]
    assert batch(lines, *MODEL, "--base-url", server.url, "--concurrency", "6").code == 0
    assert sorted(opened) == ["a.mp4", "b.mp4"]
    alone = min(one["answer"]["usage"]["frames_decoded"] for one in results())
    assert all(one["answer"]["usage"]["frames_sent"] for one in results())
    assert alone > 0


def test_direct_questions_send_the_frames_neva_would(batch, results, server):
    lines = [
        {**NEVA, "num_frames": 4},
        {**NEVA, "splice_single_frame": "first"},
        {**NEVA, "splice_single_frame": "middle"},
        {**NEVA, "splice_single_frame": "last"},
        NEVA,
        {**NEVA, "options": ["red", "blue"]},
    ]
    done = batch(
        lines, *MODEL, "--base-url", server.url, "--mode", "direct", "--ordered", "--concurrency", "1"
    )
    assert done.code == 0, done.err
    sent = [[time_s for time_s, _ in labelled_images(body)] for body in server.bodies]
    assert sent[:4] == [[0.0, 1.32, 2.64, 3.96], [0.0], [2.0], [3.96]]
    assert [len(times) for times in sent] == [4, 1, 1, 1, 8, 8]
    assert results()[5]["answer"]["choice"] == 1
    assert results()[0]["response"] == "B. 4 pictures"
    assert {one["answer"]["usage"]["model_calls"] for one in results()} == {1}


def test_frames_of_a_line_make_it_direct_and_the_others_stay_with_the_agent(batch, server):
    batch([NEVA, {**NEVA, "num_frames": 2}], *MODEL, "--base-url", server.url)
    assert server.steps.count(None) == 1
    assert "plan" in server.steps


def test_frames_do_not_go_with_the_agent(batch):
    done = batch([NEVA], *MODEL, "--mode", "agent", "--num-frames", "4")
    assert done.code == 2
    assert "leave out --mode agent" in done.err


def test_an_image_is_asked_directly(batch, results, server, clips):
    (clips / "x.jpg").write_bytes(jpeg.encode(np.full((90, 160, 3), 200, np.uint8)))
    lines = [
        {"image": "x.jpg", "text": "<image>\nWhat is it?", "media_type": "image"},
        {"image": "n.jpg", "text": "?"},
    ]
    assert batch(lines, *MODEL, "--base-url", server.url, "--ordered").code == 2
    first, second = results()
    assert (first["answer"]["video"]["width"], first["answer"]["video"]["height"]) == (160, 90)
    assert second["error"]["type"] == "usage"
    [body] = server.bodies
    assert len(pictures(body)) == 1
    assert texts(body).endswith("What is it?")
    assert "<image>" not in texts(body)


def test_the_embedded_model_looks_once_at_what_it_is_shown(batch, results, clips):
    written = np.full((180, 320, 3), 70, np.uint8)
    cv2.putText(written, "SALE", (60, 100), cv2.FONT_HERSHEY_DUPLEX, 1.4, (250, 250, 250), 2)
    (clips / "sale.png").write_bytes(cv2.imencode(".png", written)[1].tobytes())
    lines = [
        {**NEVA, "text": "How many shots are there?"},
        {**NEVA, "text": 'Does the text "SALE" appear?', "num_frames": 2},
        {"image": "sale.png", "text": 'Does the text "SALE" appear?'},
    ]
    done = batch(lines, "--model", "signals", "--ordered")
    assert done.code == 0, done.err
    agent, frames, image = (one["answer"] for one in results())
    assert (agent["status"], agent["count"]) == ("answered", 1)
    assert (frames["status"], frames["usage"]["frames_sent"]) == ("not_found", 2)
    assert (image["status"], image["answer"]) == ("answered", "SALE")
    assert (image["video"]["width"], image["usage"]["model_calls"]) == (320, 1)


def test_lines_of_a_session_are_asked_in_order(batch, results, server):
    lines = [{**NEVA, "text": f"When is number {number} seen?", "session": "one"} for number in range(3)]
    assert batch(lines, *MODEL, "--base-url", server.url, "--concurrency", "3").code == 0
    assert [one["text"] for one in results()] == [line["text"] for line in lines]
    last = next(body for body in server.bodies if step_of(body) == "plan" and "number 2" in texts(body))
    assert "number 0" in texts(last)


def test_calls_under_way_are_limited(batch):
    import threading

    under_way, most, lock = 0, 0, threading.Lock()

    def counting(body):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        threading.Event().wait(0.05)
        with lock:
            under_way -= 1
        return script(body)

    with ScriptedServer(counting) as server:
        assert batch([NEVA] * 8, *MODEL, "--base-url", server.url, "--calls", "2").code == 0
    assert most == 2


def test_progress_tells_no_secret_and_stays_off_stdout(batch, server, monkeypatch):
    monkeypatch.setenv("VIDAGENT_API_KEY", "sk-secret-key")
    done = batch([NEVA], *MODEL, "--base-url", server.url, "-v")
    assert "1 of 1 lines" in done.err
    assert "sk-secret-key" not in done.out + done.err
    assert server.headers[0]["authorization"] == "Bearer sk-secret-key"
    assert batch([NEVA], *MODEL, "--base-url", server.url, "-q").err == ""
