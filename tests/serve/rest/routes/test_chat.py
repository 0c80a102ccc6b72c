"""Chat completions, asked by OpenAI's own client."""

from __future__ import annotations

import base64
import json
import re
from http.client import HTTPConnection

import openai
import pytest

from tests.serve.cli.test_end_to_end import KEYS
from tests.serve.core.http.test_server import fault
from tests.serve.running import QUESTION, running, until

pytestmark = pytest.mark.network


def part(video: str = "clip.mp4") -> dict:
    return {"type": "video_url", "video_url": {"url": video}}


def messages(*parts: dict, question: str = QUESTION) -> list[dict]:
    return [{"role": "user", "content": [*(parts or [part()]), {"type": "text", "text": question}]}]


JSON = {"Content-Type": "application/json"}
CHAT = {"model": "vidagent", "messages": messages()}


@pytest.fixture
def chat(client):
    with openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="none", max_retries=0) as chat:
        yield chat


def test_a_completion(chat):
    reply = chat.chat.completions.create(**CHAT, temperature=0.2, max_tokens=100)
    (choice,) = reply.choices
    assert (choice.message.content, choice.finish_reason) == ("Something is to be seen.", "stop")
    assert set(reply.model_extra["vidagent"]) == KEYS
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens > 0


def test_a_stream_tells_the_steps_as_reasoning(chat):
    chunks = list(chat.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True}))
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    reasons = [delta.reasoning_content for delta in deltas if hasattr(delta, "reasoning_content")]
    assert any(text.startswith("clip ") for text in reasons)
    assert all(text.endswith("\n") for text in reasons)
    assert "".join(delta.content or "" for delta in deltas) == "Something is to be seen."
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.total_tokens > 0
    assert len({chunk.id for chunk in chunks}) == 1


def test_an_uploaded_video_is_named_by_its_id(chat, root):
    with (root / "clip.mp4").open("rb") as video:
        id_ = chat.files.create(file=video, purpose="user_data").id
    for named in (part(id_), {"type": "file", "file": {"file_id": id_}}):
        reply = chat.chat.completions.create(model="vidagent", messages=messages(named))
        assert reply.model_extra["vidagent"]["video"]["path"] == id_


def data_url(root) -> str:
    return f"data:video/mp4;base64,{base64.b64encode((root / 'clip.mp4').read_bytes()).decode()}"


def test_a_video_in_the_request_itself_is_an_upload(chat, root):
    file = {"file_data": data_url(root), "filename": "my talk.mp4"}
    for given, name in ((part(data_url(root)), "video.mp4"), ({"type": "file", "file": file}, "my talk.mp4")):
        reply = chat.chat.completions.create(model="vidagent", messages=messages(given))
        assert reply.choices[0].message.content == "Something is to be seen."
        (kept,) = chat.files.list().data
        assert (kept.filename, kept.bytes) == (name, (root / "clip.mp4").stat().st_size)
        assert reply.model_extra["vidagent"]["video"]["path"] == kept.id


UPLOAD = "upload the video with POST /v1/files, and name it by the id in the reply"
UNUSABLE = {
    "no base64": (
        "data:video/mp4,xyz",
        "begins like data:video/mp4;base64, and this one like 'data:video/mp4'",
    ),
    "a picture": ("data:image/png;base64,AAAA", "and this one like 'data:image/png;base64'"),
    "damaged": ("data:video/mp4;base64,A*", "the data URL is not valid base64"),
    "no video": ("data:video/mp4;base64,bm90ZXM=", "video.mp4: is not a video file"),
}


@pytest.mark.parametrize("unusable", UNUSABLE)
def test_a_video_in_the_request_that_cannot_be_used(refusing, unusable):
    (client, model), (url, told) = refusing, UNUSABLE[unusable]
    reply = client.post("/v1/chat/completions", json={**CHAT, "messages": messages(part(url))})
    assert (reply.status_code, told in reply.json()["error"]["message"]) == (422, True), reply.text
    assert client.get("/v1/files").json()["data"] == []
    assert model.bodies == []


def test_a_video_that_is_too_large_for_a_request_is_to_be_uploaded(refusing):
    url = f"data:video/mp4;base64,{'A' * 32_000_000}"
    with pytest.raises(openai.APIStatusError, match=UPLOAD) as caught:
        openai.OpenAI(
            base_url=f"{refusing[0].base_url}/v1", api_key="none", max_retries=0
        ).chat.completions.create(model="vidagent", messages=messages(part(url)))
    assert caught.value.status_code == 413
    reply = refusing[0].post("/v1/jobs", json={"video": "data:video/mp4;base64,AAAA", "question": QUESTION})
    assert fault(reply) == (422, "invalid")
    assert UPLOAD in reply.json()["error"]["details"][0]


def test_how_far_a_long_step_is_comes_with_the_steps(monkeypatch, text_clip, tmp_path):
    monkeypatch.setenv("VIDAGENT_MODEL", "signals")
    asked = {
        **CHAT,
        "messages": messages(part("text.mp4"), question='When does the text "Second line" appear?'),
    }
    with running(tmp_path / "data", roots=(text_clip,)) as client:
        text = client.post("/v1/chat/completions", json={**asked, "stream": True}).text
    told = re.findall(r'"reasoning_content": "(indexing|reading the text on screen), (\d+)%', text)
    assert 1 <= len(told) <= 22
    assert told[-1][1] == "100"


def test_earlier_turns_name_the_video(chat, model):
    said = [
        *messages(),
        {"role": "assistant", "content": "At 2 s."},
        {"role": "user", "content": "And again?"},
    ]
    assert chat.chat.completions.create(model="vidagent", messages=said).choices[0].message.content
    assert "And again?" in json.dumps(model.bodies)


def test_options_and_budgets(chat):
    beside = {"options": ["red", "blue"], "budget": {"model_calls": 1}}
    reply = chat.chat.completions.create(**CHAT, extra_body=beside)
    assert reply.choices[0].finish_reason == "length"
    assert reply.model_extra["vidagent"]["budget"]["ended_by"] == "model_calls"


def test_models(chat):
    assert [model.id for model in chat.models.list()] == ["vidagent"]
    assert chat.models.retrieve("vidagent").owned_by == "vidagent"
    with pytest.raises(openai.NotFoundError, match="the only model here"):
        chat.models.retrieve("gpt")


WRONG = {
    "another model": ({"model": "gpt"}, 404, "model_not_found"),
    "no messages": ({"messages": []}, 422, "invalid"),
    "no video": ({"messages": [{"role": "user", "content": "When?"}]}, 422, "no_video"),
    "no question": ({"messages": messages(question=" ")}, 422, "invalid"),
    "no user": ({"messages": [*messages(), {"role": "assistant", "content": "x"}]}, 422, "no_question"),
    "a picture": ({"messages": messages({"type": "image_url", "image_url": {"url": "x"}})}, 422, "invalid"),
    "half a character": ({"messages": messages(question="\ud800")}, 422, "invalid"),
    "no such video": ({"messages": messages(part("none.mp4"))}, 404, "no_such_video"),
    "a wrong budget": ({"budget": {"frames": 0}}, 422, "invalid"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_told(refusing, wrong, stream):
    (client, model), (changed, status, code) = refusing, WRONG[wrong]
    content = json.dumps({**CHAT, **changed, "stream": stream})
    reply = client.post("/v1/chat/completions", content=content, headers=JSON)
    assert fault(reply) == (status, code)
    assert model.bodies == []


def test_a_fault_in_a_stream_is_raised(chat, root):
    (root / "notes.txt").write_text("no video")
    stream = chat.chat.completions.create(model="vidagent", messages=messages(part("notes.txt")), stream=True)
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert caught.value.body["code"] == "video"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_cancels_its_run(client, model, plays, stream):
    plays.slow = True
    leaving = HTTPConnection(client.base_url.host, client.base_url.port)
    leaving.request("POST", "/v1/chat/completions", json.dumps({**CHAT, "stream": stream}), JSON)
    until(lambda: "plan" in model.steps, 30)
    leaving.close()
    assert until(lambda: model.gone) < 1
