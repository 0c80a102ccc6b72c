"""The requests of the guide to NIM go over the wire in its own forms, and the table tells what came back."""

from __future__ import annotations

import base64
import json
import threading

import numpy as np
import pytest

from tests.examples.scripts import load
from tests.media.make import CLIPS
from tests.scripted_server import ScriptedServer, calls, refusal, says, texts
from vidagent.images import jpeg

pytestmark = pytest.mark.network
example = load("nim_requests")

WEB_IMAGE = {"type": "image_url", "image_url": {"url": example.WEB_IMAGE}}
WEB_VIDEO = {"type": "video_url", "video_url": {"url": example.WEB_VIDEO}}
SEEN = {"type": "text", "text": "What is in this image?"}
SHOWN = {"type": "text", "text": "What is in this video?"}


@pytest.fixture
def files(tmp_path):
    """Return an image and a video on the disk."""
    picture = tmp_path / "photo.jpg"
    picture.write_bytes(jpeg.encode(np.full((16, 16, 3), 90, np.uint8)))
    return picture, CLIPS["h264"](tmp_path).path


def reply_to(body):
    """Call the function that is offered, once; else say how many messages there were."""
    if body.get("tools") and body["messages"][-1]["role"] == "user":
        return calls(("get_weather", {"city": "Oslo"}))
    return says(f"reply to {len(body['messages'])}", reasoning="grass" if "/think" in texts(body) else None)


def run(files, capsys, script=reply_to):
    with ScriptedServer(script) as server:
        code = example.main([*map(str, files), "--base-url", server.url])
    return code, capsys.readouterr().out, server.bodies


def of(bodies, *content, **fields):
    """Return the bodies whose only message has these parts, and which have these fields."""
    return [
        body
        for body in bodies
        if body["messages"] == [{"role": "user", "content": [*content]}]
        and {name: body.get(name) for name in fields} == fields
    ]


def test_each_form_of_the_guide_is_sent(files, capsys):
    code, _, bodies = run(files, capsys)
    assert code == 0
    assert all((body["model"], body["max_tokens"]) == ("scripted", 1024) for body in bodies)
    plain = {"media_io_kwargs": None, "mm_processor_kwargs": None}
    # by URL, as the first of two turns, and by LangChain's client
    assert len(of(bodies, SEEN, WEB_IMAGE, **plain)) == 4
    [streamed] = of(bodies, SEEN, WEB_IMAGE, **plain, stream=True)
    assert streamed["max_tokens"] == 1024
    assert len(of(bodies, SEEN, WEB_IMAGE, mm_processor_kwargs={"max_num_tiles": 3})) == 1
    assert len(of(bodies, SHOWN, WEB_VIDEO, **plain)) == 1
    assert len(of(bodies, SHOWN, WEB_VIDEO, media_io_kwargs={"video": {"fps": 1.0}})) == 1
    assert len(of(bodies, SHOWN, WEB_VIDEO, media_io_kwargs={"video": {"num_frames": 16}})) == 1
    assert [body["messages"] for body in bodies if "Southeast" in texts(body)] == [
        [
            {"role": "system", "content": "You are a helpful assistant"},
            {"role": "user", "content": "Plan a week in Southeast Asia."},
        ]
    ]


def test_files_are_sent_byte_for_byte_as_base64(files, capsys):
    picture, film = files
    _, _, bodies = run(files, capsys)
    for question, kind, media, path in (
        (SEEN, "image", "image/jpeg", picture),
        (SHOWN, "video", "video/mp4", film),
    ):
        data = f"data:{media};base64,{base64.b64encode(path.read_bytes()).decode()}"
        part = {"type": f"{kind}_url", f"{kind}_url": {"url": data}}
        assert len(of(bodies, question, part)) == 1


def test_thinking_is_switched_on_in_the_system_prompt_alone(files, capsys):
    _, _, bodies = run(files, capsys)
    [thinking] = [body for body in bodies if "/think" in texts(body)]
    assert thinking["messages"] == [
        {"role": "system", "content": "/think"},
        {"role": "user", "content": [SEEN, WEB_IMAGE]},
    ]


def test_the_second_turn_has_the_image_and_the_first_reply(files, capsys):
    _, _, bodies = run(files, capsys)
    [second] = [body for body in bodies if "season" in texts(body)]
    assert second["messages"] == [
        {"role": "user", "content": [SEEN, WEB_IMAGE]},
        {"role": "assistant", "content": "reply to 1"},
        {"role": "user", "content": "What would be the best season to visit this place?"},
    ]


def test_a_function_is_called_and_its_result_goes_back(files, capsys):
    _, out, bodies = run(files, capsys)
    first, second = (body for body in bodies if body.get("tools"))
    assert first["tools"][0]["function"]["name"] == "get_weather"
    asked, called, result = second["messages"]
    assert asked == first["messages"][0]
    [call] = called["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"city": "Oslo"}
    assert (result["role"], result["tool_call_id"]) == ("tool", call["id"])
    assert result["content"] == "-4 degrees and snow in Oslo"
    assert "get_weather({'city': 'Oslo'})" in out


def test_two_requests_about_one_video_are_put_at_once(files, capsys):
    prompts = {"What is happening in this video?", "Describe the main objects in this video."}
    both = threading.Barrier(2, timeout=20)

    def script(body):
        if texts(body) in prompts:
            both.wait()
        return reply_to(body)

    code, _, bodies = run(files, capsys, script)
    assert code == 0
    assert {texts(body) for body in bodies[-2:]} == prompts
    assert all(body["messages"][0]["content"][1] == WEB_VIDEO for body in bodies[-2:])


def test_the_table_has_a_row_for_each_reply(files, capsys):
    _, out, bodies = run(files, capsys)
    streamed, table = out.split("\n\n")
    assert streamed == "reply to 1"
    head, *rows = table.splitlines()
    assert head.split() == ["request", "prompt", "reply", "words"]
    assert len(rows) == len(bodies) == 17
    assert all(row.split("  ")[-1].startswith(("reply to", "get_weather")) for row in rows)
    assert {tuple(row[16:].split()[:2]) for row in rows} == {("100", "10")}


def test_a_refused_form_is_told_and_the_others_go_on(files, capsys):
    def script(body):
        return refusal(400, "too many frames") if "media_io_kwargs" in body else reply_to(body)

    code, out, bodies = run(files, capsys, script)
    assert code == 1
    failed = [line for line in out.splitlines() if "failed: " in line]
    assert [line.split("  ")[0] for line in failed] == ["video, 1 fps", "video, 16 frames"]
    assert all("too many frames" in line for line in failed)
    assert len(bodies) == 17
