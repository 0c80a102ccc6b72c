"""The chat model: what goes over the wire, what is kept, and what each failure says."""

import asyncio
import contextlib
import json

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from tests.scripted_server import (
    DROPPED,
    PAGE,
    Raw,
    ScriptedServer,
    calls,
    completion,
    labelled_images,
    refusal,
    says,
)
from vidagent.agents.client.chat_model import ChatVLM, connect
from vidagent.agents.client.media import place
from vidagent.agents.profiles.schema import Media
from vidagent.agents.prompting.messages import frames_content
from vidagent.agents.server.connection import ServerError, is_loopback
from vidagent.images.shown_frame import ShownFrame

pytestmark = pytest.mark.network
KEY = "sk-very-secret"


def chat_to(server: ScriptedServer, **kwargs) -> ChatVLM:
    return connect(server.url, "scripted", api_key=KEY, **kwargs)


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
async def test_reasoning_is_kept_and_goes_back_under_its_name(name):
    with ScriptedServer([says("four", **{name: "two and two"})]) as server:
        chat = chat_to(server)
        reply = await chat.ainvoke("2+2?")
        await chat.ainvoke([HumanMessage("2+2?"), reply, HumanMessage("sure?")])
    assert reply.additional_kwargs["reasoning_content"] == "two and two"
    assert reply.text == "four"
    assert server.bodies[1]["messages"][1][name] == "two and two"


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
async def test_reasoning_is_kept_in_a_stream(name):
    reply = calls(("clip", {"start_s": 1}), content="so be it", **{name: "let me look there"})
    with ScriptedServer([reply]) as server:
        chunks = [chunk async for chunk in chat_to(server).astream("go")]
    whole = sum(chunks[1:], chunks[0])
    assert server.bodies[0]["stream_options"] == {"include_usage": True}
    assert whole.additional_kwargs["reasoning_content"] == "let me look there"
    assert whole.text == "so be it"
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [("clip", {"start_s": 1})]
    assert whole.usage_metadata["input_tokens"] == 100


class Endless:
    """A stand-in for OpenAI's client: a stream that is never at its end, and never keeps anyone waiting."""

    async def create(self, **payload):
        return contextlib.nullcontext(self.chunks())

    async def chunks(self):
        for number in range(1000):
            await asyncio.sleep(0)
            yield {"id": "1", "choices": [{"index": 0, "delta": {"content": f"{number} "}}]}


@pytest.mark.parametrize("turns", range(1, 40))
async def test_a_stream_ends_when_it_is_cancelled(turns):
    chat = connect("http://127.0.0.1:1/v1", "scripted")
    chat.async_client = Endless()

    async def listen():
        async for _ in chat.astream("go"):
            pass

    listener = asyncio.create_task(listen())
    for _ in range(turns):
        await asyncio.sleep(0)
    listener.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listener


async def test_bodies_are_laid_over_each_other():
    wanted = {"media_io_kwargs": {"video": {"fps": 2, "num_frames": 8}}}
    with ScriptedServer([says("ok")]) as server:
        chat = chat_to(server, extra_body={"mm_processor_kwargs": {"max_num_tiles": 3}})
        await chat.ainvoke("hi", extra_body=wanted, max_tokens=7)
    body = server.bodies[0]
    assert body["media_io_kwargs"] == wanted["media_io_kwargs"]
    assert body["mm_processor_kwargs"] == {"max_num_tiles": 3}
    assert body["max_tokens"] == 7
    assert "max_completion_tokens" not in body


async def test_pictures_arrive_byte_for_byte_beside_their_times():
    frames = [
        ShownFrame.of(0.0, b"\xff\xd8one", size_wh=(64, 48)),
        ShownFrame.of(12.48, b"\xff\xd8two", (0, 0, 64, 48), (64, 48)),
    ]
    sent = place([HumanMessage(frames_content(frames))], Media(), "look").messages
    with ScriptedServer([says("ok")]) as server:
        await chat_to(server).ainvoke(sent)
    assert labelled_images(server.bodies[0]) == [(0.0, b"\xff\xd8one"), (12.48, b"\xff\xd8two")]


async def test_openai_key_of_the_environment_stays_at_home(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-someone")
    with ScriptedServer([says("ok")]) as server:
        await connect(server.url, "scripted").ainvoke("hi")
    assert server.headers[0]["authorization"] == "Bearer EMPTY"


def test_one_chat_serves_one_event_loop_after_another():
    with ScriptedServer([says("ok")]) as server:
        chat = chat_to(server)
        replies = [asyncio.run(chat.ainvoke("hi")).text for _ in range(3)]
    assert replies == ["ok"] * 3


def test_tokens_are_counted_without_the_network():
    chat = connect("http://127.0.0.1:9/v1", "scripted")
    assert chat.get_num_tokens("12345678") == 2
    assert chat.get_num_tokens_from_messages([HumanMessage("1234"), AIMessage("12345")]) == 3


@pytest.mark.parametrize(
    ("reply", "words", "retried"),
    [
        (PAGE, "answered with a page, not JSON", False),
        (completion({}) | {"choices": []}, "without choices", True),
        (completion({}) | {"choices": None}, "without choices", True),
        ({"error": {"message": "boom"}}, "replied with an error", False),
        (Raw(json.dumps(says("hello"))[:40]), "broken JSON", True),
        (Raw(says("hello"), sent=20), "broke", True),
        (DROPPED, "broke", True),
        (refusal(401, f"Incorrect API key provided: {KEY}"), "refused the API key (401)", False),
        (refusal(403, "no"), "refused the API key (403)", False),
        (refusal(404, "The model `scripted` does not exist."), "has no model 'scripted' (404)", False),
        (Raw({"detail": "Not Found"}, status=404), "is the base URL right", False),
        (refusal(400, "maximum context length is 8192 tokens"), "too long for model 'scripted'", False),
        (refusal(400, "At most 4 video(s)\nmay be provided"), "refused the request (400): At most 4", False),
        (refusal(429, "slow down"), "too many requests (429): slow down", True),
        (refusal(503, "loading"), "failed (503): loading", True),
        (Raw("Bad Gateway", status=502, content_type="text/html"), "failed (502): Bad Gateway", True),
    ],
)  # fmt: skip
async def test_each_failure_is_one_line_that_names_the_server_and_not_the_key(reply, words, retried):
    with ScriptedServer([reply]) as server:
        with pytest.raises(ServerError) as caught:
            await chat_to(server).ainvoke("hi")
        assert len(server.bodies) == 1
    line = str(caught.value)
    assert words in line
    assert server.url in line
    assert "\n" not in line
    assert KEY not in line
    assert caught.value.retried is retried


@pytest.mark.parametrize("key", ["sk-secret\n", "sk-secreté"])
async def test_a_key_that_no_header_can_carry_is_not_told(key):
    with ScriptedServer([says("ok")]) as server, pytest.raises(ServerError) as caught:
        await connect(server.url, "scripted", api_key=key).ainvoke("hi")
    assert str(caught.value) == (
        f"nothing can be sent to {server.url}: the API key (VIDAGENT_API_KEY) is no line of plain letters"
    )


@pytest.mark.parametrize("arguments", ["true", "7", '"word"', "[1]"])
async def test_arguments_that_are_no_object_are_an_invalid_call(arguments):
    with ScriptedServer([calls(("clip", arguments), ("crop", {"time_s": 1}))]) as server:
        reply = await chat_to(server).ainvoke("go")
    assert [call["name"] for call in reply.tool_calls] == ["crop"]
    (invalid,) = reply.invalid_tool_calls
    assert (invalid["name"], invalid["args"]) == ("clip", f"not an object: {arguments}")


async def test_a_failing_stream_is_explained_too():
    with (
        ScriptedServer([refusal(401, "no")]) as server,
        pytest.raises(ServerError, match=r"refused the API key"),
    ):
        await anext(chat_to(server).astream("hi"))


async def test_nobody_there():
    with ScriptedServer([]) as server:
        pass
    with pytest.raises(ServerError, match=f"no model server answers at {server.url}") as caught:
        await chat_to(server).ainvoke("hi")
    assert not caught.value.retried


async def test_null_content_is_an_empty_message():
    with ScriptedServer([says(None)]) as server:
        assert (await chat_to(server).ainvoke("hi")).text == ""


def test_user_and_password_of_a_url_are_not_shown():
    chat = connect("http://me:pw@127.0.0.1:9/v1", "scripted")
    with pytest.raises(ServerError) as caught:
        asyncio.run(chat.ainvoke("hi"))
    assert "pw" not in str(caught.value)
    assert "http://127.0.0.1:9/v1" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "here"),
    [("http://localhost:8000/v1", True), ("http://127.0.0.1/v1", True), ("http://[::1]:1/v1", True),
     ("https://integrate.api.nvidia.com/v1", False)],
)  # fmt: skip
def test_is_loopback(url, here):
    assert is_loopback(url) is here
