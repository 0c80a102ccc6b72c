"""A model asked directly: what goes over the wire for each form, what comes back, and many questions at once."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import threading
import time
from contextlib import aclosing

import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool

from tests.media.make import CLIPS
from tests.scripted_server import HANG, Raw, ScriptedServer, calls, completion, refusal, says
from vidagent import ModelError, UsageError
from vidagent.agents.client.chat_model import connect
from vidagent.agents.direct import VLM, Question, image, video
from vidagent.agents.profiles.loader import load
from vidagent.agents.profiles.schema import Media, Thinking
from vidagent.agents.server import connection
from vidagent.agents.server.endpoint import Endpoint
from vidagent.images import jpeg

pytestmark = pytest.mark.network

WEB = "https://example.org/boardwalk.jpg"
FILM = "https://example.org/scene.mp4"
PICTURE = jpeg.encode(np.full((16, 16, 3), 90, np.uint8))
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tell the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CAPPED = Thinking(can=True, budget_field="cap", on_body={"on": True}, off_body={"on": False})
PHASED = Thinking(can=True)


@tool
def get_weather(city: str) -> str:
    """Tell the weather."""


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(connection, "_FIRST_WAIT_S", 0.001)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return CLIPS["h264"](tmp_path_factory.mktemp("clip")).path


def vlm_of(server, profile="default", *, concurrency=4, **changes) -> VLM:
    chat = connect(server.url, "scripted", api_key="sk-secret")
    known = dataclasses.replace(load(profile), **changes)
    endpoint = Endpoint(server.url, "sk-secret", model="scripted")
    return VLM(chat, known, endpoint=endpoint, concurrency=concurrency)


BOARDWALK = says("A boardwalk.")


async def asked(*question, script=(BOARDWALK,), profile="default", changes=None, **options):
    """Ask once; return the reply and what went over the wire."""
    with ScriptedServer(script) as server:
        reply = await vlm_of(server, profile, **(changes or {})).ask(*question, **options)
    return reply, server.bodies


async def sent(*question, **options) -> dict:
    """Ask once; return the one request's body."""
    _, [body] = await asked(*question, **options)
    return body


# --- the forms


async def test_a_text_alone_is_a_string():
    reply, [body] = await asked("Plan a week.", system="You are helpful", max_tokens=4096)
    assert body["messages"] == [
        {"role": "system", "content": "You are helpful"},
        {"role": "user", "content": "Plan a week."},
    ]
    assert (body["max_tokens"], body["temperature"]) == (4096, 0.0)
    assert set(body) == {"model", "messages", "max_tokens", "temperature", "stream"}
    assert (reply.text, reply.thought, reply.finish_reason) == ("A boardwalk.", "", "stop")


async def test_media_stand_behind_the_text_in_their_order():
    body = await sent("What is this?", image(WEB), video(FILM), image(PICTURE))
    [message] = body["messages"]
    data = "data:image/jpeg;base64," + base64.b64encode(PICTURE).decode()
    assert message == {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": WEB}},
            {"type": "video_url", "video_url": {"url": FILM}},
            {"type": "image_url", "image_url": {"url": data}},
        ],
    }


async def test_images_of_earlier_turns_are_kept():
    history = [
        {"role": "user", "content": ["What is this?", image(WEB)]},
        {"role": "assistant", "content": "A boardwalk."},
        HumanMessage("Where?"),
        AIMessage("In a field."),
    ]
    body = await sent("Which season is best?", history=history, system="Be brief.")
    assert [message["role"] for message in body["messages"]] == ["system"] + ["user", "assistant"] * 2 + [
        "user"
    ]
    assert body["messages"][1]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": WEB}},
    ]
    assert body["messages"][-1]["content"] == "Which season is best?"


async def test_a_reply_holds_the_history_for_the_next_question():
    with ScriptedServer([says("A boardwalk."), says("Autumn.")]) as server:
        vlm = vlm_of(server)
        first = await vlm.ask("What is this?", image(WEB))
        second = await vlm.ask("Which season is best?", history=first.history)
    assert [message["content"] for message in server.bodies[1]["messages"][1:]] == [
        "A boardwalk.",
        "Which season is best?",
    ]
    assert server.bodies[1]["messages"][0] == server.bodies[0]["messages"][0]
    assert len(second.history) == 4


async def test_a_shape_and_a_temperature_are_passed_on():
    shape = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "integer"}}}
    body = await sent("How many?", response_format=shape, temperature=0.7)
    assert (body["response_format"], body["temperature"]) == (shape, 0.7)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_tokens": 0}, "max_tokens must be 1 or more, got 0"),
        ({"max_tokens": 64, "thinking_tokens": 64}, r"from 0 to below max_tokens \(64\); got 64"),
        ({"thinking_tokens": -1}, "got -1"),
        ({"thinking_tokens": 8, "think": False}, "think=False and 8"),
        ({"max_num_tiles": 0}, "max_num_tiles must be 1 or more, got 0"),
        ({"max_num_tiles": 3}, "--trust-request-mm-kwargs"),
        ({"history": [{"role": "stranger", "content": "?"}]}, "no message"),
        ({"history": [{"role": "user", "content": [7]}]}, "got int"),
    ],
)
async def test_what_cannot_be_asked_is_told_before_the_request(options, words):
    with ScriptedServer([says("?")]) as server:
        with pytest.raises(UsageError, match=words):
            await vlm_of(server).ask("What?", **options)
        with pytest.raises(UsageError, match="a text, an attachment or a history"):
            await vlm_of(server).ask("")
    assert server.asked == []


# --- media options


async def test_options_of_media_are_those_of_the_request():
    body = await sent("What?", video(FILM, fps=1.0), image(WEB), profile="nim", max_num_tiles=3)
    assert body["media_io_kwargs"] == {"video": {"fps": 1.0}}
    assert body["mm_processor_kwargs"] == {"max_num_tiles": 3}


async def test_what_a_profile_says_of_processing_goes_with_the_media_it_is_for():
    media = Media(
        per_request=True, processor={"max_num_tiles": 12}, video_processor={"do_sample_frames": False}
    )
    told = [
        (await sent("?", *attached, changes={"media": media})).get("mm_processor_kwargs")
        for attached in ((), (image(WEB),), (video(FILM),), (image(WEB), video(FILM)))
    ]
    both = {"max_num_tiles": 12, "do_sample_frames": False}
    assert told == [None, {"max_num_tiles": 12}, {"do_sample_frames": False}, both]


async def test_videos_of_one_request_are_sampled_alike(clip):
    alike = await sent("?", video(FILM, num_frames=8), video(FILM, num_frames=8), profile="nim")
    assert alike["media_io_kwargs"] == {"video": {"num_frames": 8}}
    with pytest.raises(UsageError, match=r"sampled alike; got .*8.* and .*9"):
        await sent("?", video(FILM, num_frames=8), video(FILM, num_frames=9), profile="nim")
    with pytest.raises(UsageError, match="the only one of a request; got 2 videos"):
        await sent("?", video(FILM), video(clip, num_frames=8, here=True), profile="nemotron-nano-12b-v2-vl")


async def test_frames_taken_here_are_counted_and_clamping_is_reported(clip):
    reply, [body] = await asked("?", video(clip, fps=8, max_frames=4, here=True), image(WEB), profile="tiny")
    assert reply.usage.frames_sent == 5
    assert reply.notes == ("fps 8 would take 64 frames; 4 are taken, the most allowed here",)
    assert body["media_io_kwargs"]["video"]["frames_indices"] == [0, 2640, 5320, 7960]


async def test_a_server_that_takes_no_options_is_named_with_its_flag():
    words = (
        "Per-request media_io_kwargs are disabled by default because they can change multimodal media loading "
        "resource usage. Start the server with --trust-request-mm-kwargs only when clients are trusted."
    )
    with pytest.raises(
        ModelError, match=r"takes no media_io_kwargs .* start vLLM with --trust-request-mm-kwargs"
    ):
        await sent("?", video(FILM, fps=1.0), script=[refusal(400, words)], profile="nim")


# --- thinking


async def test_a_server_that_refuses_videos_is_an_error_at_once():
    server = ScriptedServer([refusal(400, "this model does not support video input")])
    with server, pytest.raises(ModelError, match="does not support video input"):
        await vlm_of(server).ask("What happens?", video(FILM))
    assert len(server.bodies) == 1


async def test_thinking_is_left_to_the_server_unless_asked_for():
    body = await sent("What?", changes={"thinking": CAPPED})
    assert {"on", "cap"}.isdisjoint(body)


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"think": True}, {"on": True}),
        ({"thinking_tokens": 64}, {"on": True, "cap": 64}),
        ({"think": True, "thinking_tokens": 64}, {"on": True, "cap": 64}),
        ({"thinking_tokens": 1000}, {"on": True, "cap": 768}),
        ({"think": False}, {"on": False, "cap": 0}),
        ({"thinking_tokens": 0}, {"on": False, "cap": 0}),
    ],
)
async def test_a_server_that_caps_thoughts_is_told_the_cap(options, fields):
    body = await sent("What?", changes={"thinking": CAPPED}, **options)
    assert {name: body[name] for name in ("on", "cap") if name in body} == fields


async def test_a_thought_is_had_in_two_phases_with_the_media_kept():
    usage = {"prompt_tokens": 50, "completion_tokens": 16, "total_tokens": 66}
    thought = completion(
        {"role": "assistant", "content": None, "reasoning": "Grass, planks"},
        finish_reason="length",
        usage=usage,
    )
    reply, [first, second] = await asked(
        "What?",
        image(WEB),
        script=[thought, says("A boardwalk.")],
        changes={"thinking": PHASED},
        thinking_tokens=16,
    )
    assert first["max_tokens"] == 16
    assert second["messages"][:-1] == first["messages"]
    assert second["messages"][-1] == {"role": "assistant", "content": "<think>\nGrass, planks.\n</think>\n\n"}
    assert second["continue_final_message"] is True
    assert (reply.thought, reply.text) == ("Grass, planks.", "A boardwalk.")
    cost = reply.usage
    assert (cost.prompt_tokens, cost.completion_tokens, cost.thinking_tokens, cost.requests) == (
        150,
        26,
        16,
        2,
    )
    assert cost.frames_sent == 2


async def test_the_switch_of_nemotron_stands_where_there_is_no_system_prompt():
    on = await sent("What?", image(WEB), profile="nim", think=True)
    off = await sent("What?", image(WEB), profile="nim", think=False, system="Be brief.")
    assert on["messages"][0] == {"role": "system", "content": "/think"}
    assert off["messages"][0] == {"role": "system", "content": "/no_think\nBe brief."}


@pytest.mark.parametrize(
    ("attached", "profile", "options", "words"),
    [
        (video(FILM), "nim", {"think": True}, "does not reason over a video"),
        (image(WEB), "nim", {"thinking_tokens": 64}, "nothing here holds a thought to 64 tokens"),
        (image(WEB), "qwen3-vl", {"think": True}, "profile qwen3-vl says that the model does not reason"),
    ],
)
async def test_no_thinking_where_there_can_be_none_is_told(attached, profile, options, words):
    reply, [body] = await asked("What?", attached, profile=profile, **options)
    [note] = reply.notes
    assert words in note
    assert body["messages"][0]["content"] == "/no_think" or profile == "qwen3-vl"


async def test_thoughts_are_counted_by_the_servers_tokenizer_where_it_does_not_count_them():
    routes = {"/tokenize": lambda body: {"count": len(body["prompt"].split())}}
    with ScriptedServer(
        [says("A boardwalk.", reasoning="grass and planks of wood")], routes=routes
    ) as server:
        reply = await vlm_of(server).ask("What?")
    assert (reply.thought, reply.usage.thinking_tokens) == ("grass and planks of wood", 5)


async def test_cached_tokens_are_counted():
    usage = {
        "prompt_tokens": 300,
        "completion_tokens": 4,
        "total_tokens": 304,
        "prompt_tokens_details": {"cached_tokens": 256},
    }
    reply, _ = await asked("?", script=[completion({"role": "assistant", "content": "Yes."}, usage=usage)])
    assert (reply.usage.prompt_tokens, reply.usage.cached_tokens, reply.usage.completion_tokens) == (
        300,
        256,
        4,
    )
    assert 0 < reply.usage.seconds < 10


# --- tools


@pytest.mark.parametrize("offered", [WEATHER, get_weather], ids=["openai", "langchain"])
@pytest.mark.parametrize(
    "script",
    [
        calls(("get_weather", {"city": "Oslo"})),
        says('<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>'),
        says('<TOOLCALL>[{"name": "get_weather", "arguments": {"city": "Oslo"}}]</TOOLCALL>'),
    ],
    ids=["parsed", "hermes", "nemotron"],
)
async def test_functions_are_called_however_the_call_is_written(offered, script):
    reply, [body] = await asked("Is it cold in Oslo?", script=[script], tools=[offered])
    [call] = reply.tool_calls
    assert (call["name"], call["args"], reply.text) == ("get_weather", {"city": "Oslo"}, "")
    [told] = body["tools"]
    assert told["function"]["parameters"]["required"] == ["city"]
    assert "tool_choice" not in body


async def test_an_openai_tool_is_sent_as_it_is():
    assert (await sent("?", tools=[WEATHER]))["tools"] == [WEATHER]


async def test_a_reply_without_a_call_is_a_reply():
    reply, _ = await asked("?", script=[says('It is {"cold"} there.')], tools=[WEATHER])
    assert (reply.text, reply.tool_calls, reply.notes) == ('It is {"cold"} there.', (), ())


async def test_a_call_of_an_unknown_function_is_told():
    reply, _ = await asked("?", script=[calls(("get_wether", {}))], tools=[WEATHER])
    assert reply.tool_calls == ()
    assert reply.notes == ("a function call cannot be used: there is no tool 'get_wether'",)


async def test_a_result_goes_back_without_a_question():
    with ScriptedServer([calls(("get_weather", {"city": "Oslo"})), says("Yes, -4 degrees.")]) as server:
        vlm = vlm_of(server)
        first = await vlm.ask("Is it cold in Oslo?", tools=[WEATHER])
        result = ToolMessage("-4", tool_call_id=first.tool_calls[0]["id"])
        second = await vlm.ask("", tools=[WEATHER], history=[*first.history, result])
    roles = [message["role"] for message in server.bodies[1]["messages"]]
    assert (roles, second.text) == (["user", "assistant", "tool"], "Yes, -4 degrees.")


async def test_a_server_without_function_calling_is_told_of_the_tools_in_words():
    words = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
    script = [refusal(400, words), says('{"name": "get_weather", "arguments": {"city": "Oslo"}}')]
    reply, [_, second] = await asked("Is it cold in Oslo?", script=script, tools=[WEATHER])
    assert [call["args"] for call in reply.tool_calls] == [{"city": "Oslo"}]
    assert "tools" not in second
    assert '"get_weather"' in second["messages"][0]["content"]


# --- streams


async def test_words_are_heard_as_they_come():
    heard = []
    reply, [body] = await asked(
        "?",
        script=[says("A wooden boardwalk.", reasoning="grass and planks")],
        on_text=lambda *piece: heard.append(piece),
    )
    assert body["stream"] is True
    assert heard == [
        ("thought", "grass "),
        ("thought", "and "),
        ("thought", "planks"),
        ("text", "A "),
        ("text", "wooden "),
        ("text", "boardwalk."),
    ]
    assert (reply.text, reply.thought) == ("A wooden boardwalk.", "grass and planks")


async def test_a_stream_yields_words_and_raises_errors():
    with ScriptedServer([says("A wooden boardwalk."), refusal(400, "too hot")]) as server:
        vlm = vlm_of(server)
        words = [said async for said in vlm.stream("What?", image(WEB))]
        with pytest.raises(ModelError, match="too hot"):
            _ = [said async for said in vlm.stream("What?")]
    assert words == [("text", "A "), ("text", "wooden "), ("text", "boardwalk.")]


async def test_a_server_that_refuses_to_stream_is_heard_at_once():
    script = [refusal(400, "stream is not supported"), says("A wooden boardwalk.")]
    with ScriptedServer(script) as server:
        words = [said async for said in vlm_of(server).stream("What?")]
    assert words == [("text", "A wooden boardwalk.")]


# --- failures, and many at once


async def test_a_busy_server_is_asked_again():
    script = [refusal(503, "starting"), refusal(429, "busy"), says("A boardwalk.")]
    reply, bodies = await asked("What?", script=script)
    assert (reply.text, len(bodies)) == ("A boardwalk.", 3)
    with pytest.raises(ModelError, match=r"\(429\): busy"):
        await asked("What?", script=[refusal(429, "busy")])


async def test_a_model_that_hangs_is_left():
    with pytest.raises(ModelError, match=r"did not reply within 0\.2 s"):
        await asked("What?", script=[HANG], changes={"timeout_s": 0.2})


class Crowd:
    """A script that counts how many requests are under way at a time."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, body):
        text = body["messages"][-1]["content"]
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.05)
        with self._lock:
            self.now -= 1
        return refusal(400, "not that one") if text == "question 5" else says(f"answer to {text}")


QUESTIONS = [f"question {number}" for number in range(12)]


async def test_a_batch_keeps_order_and_limit_and_one_failure_does_not_end_the_others():
    crowd = Crowd()
    with ScriptedServer(crowd) as server:
        replies = await vlm_of(server, concurrency=3).batch([*QUESTIONS[:-1], Question(QUESTIONS[-1])])
    assert len(server.bodies) == 12
    assert crowd.most == 3
    failed = replies.pop(5)
    assert isinstance(failed, ModelError)
    assert "not that one" in str(failed)
    assert [reply.text for reply in replies] == [
        f"answer to {text}" for text in QUESTIONS if text != "question 5"
    ]


async def test_the_limit_holds_for_single_questions_too_and_in_each_event_loop():
    crowd = Crowd()

    async def all_at_once():
        return await asyncio.gather(*(vlm.ask(text) for text in QUESTIONS[:5]))

    with ScriptedServer(crowd) as server:
        vlm = vlm_of(server, concurrency=2)
        await all_at_once()
        await asyncio.to_thread(asyncio.run, all_at_once())
    assert (crowd.most, len(server.bodies)) == (2, 10)


async def test_a_question_that_cannot_be_asked_fails_alone(tmp_path):
    with ScriptedServer([says("A boardwalk.")]) as server:
        lost = Question("What?", (image(tmp_path / "lost.jpg"),))
        replies = await vlm_of(server).batch([lost, "What?"])
    assert isinstance(replies[0], UsageError)
    assert replies[1].text == "A boardwalk."


DRIP = Raw(says("A wooden boardwalk."), drip_s=0.02)
SLOW_STREAM = Raw(
    b'data: {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "scripted", "choices": '
    b'[{"index": 0, "delta": {"role": "assistant", "content": "A "}, "finish_reason": null}]}\n\n'
    + b": wait\n\n"
    * 500,
    content_type="text/event-stream",
    drip_s=0.001,
)


async def _gone(server, count):
    async with asyncio.timeout(10):
        while server.gone < count:
            await asyncio.sleep(0.01)


async def test_cancelling_a_batch_closes_its_requests():
    with ScriptedServer([DRIP]) as server:
        batch = asyncio.create_task(vlm_of(server, concurrency=3).batch(QUESTIONS))
        async with asyncio.timeout(10):
            while len(server.bodies) < 3:
                await asyncio.sleep(0.01)
        batch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await batch
        await _gone(server, 3)
    assert len(server.bodies) == 3


async def test_leaving_a_stream_closes_its_request():
    with ScriptedServer([SLOW_STREAM]) as server:
        async with aclosing(vlm_of(server).stream("What?")) as words:
            async for said in words:
                assert said == ("text", "A ")
                break
        await _gone(server, 1)


# --- connecting


async def test_the_first_model_listed_is_asked_with_the_profile_that_fits_it(monkeypatch):
    monkeypatch.setenv("VIDAGENT_API_KEY", "sk-env")
    models = ["org/Qwen3-VL-8B-Instruct", "other"]
    with ScriptedServer([says("Yes.")], models=models, api_key="sk-env") as server:
        vlm = VLM.connect(server.url)
        reply = await vlm.ask("?")
    assert (vlm.name, vlm.profile.name, reply.text) == (models[0], "qwen3-vl", "Yes.")


def test_what_is_named_is_not_asked_for():
    vlm = VLM.connect("http://127.0.0.1:1/v1", "scripted", profile="nim")
    assert (vlm.name, vlm.profile.name) == ("scripted", "nim")
    with pytest.raises(ModelError, match=r"no model server answers at http://127\.0\.0\.1:1/v1"):
        VLM.connect("http://127.0.0.1:1/v1")
    with pytest.raises(UsageError, match="concurrency must be 1 or more, got 0"):
        VLM.connect("http://127.0.0.1:1/v1", "scripted", concurrency=0)


@pytest.mark.parametrize("name", ["ask", "stream"])
async def test_a_misspelt_option_is_refused_in_the_name_of_the_method(name):
    vlm = VLM.connect("http://127.0.0.1:1/v1", model="m", api_key="k")
    asked = getattr(vlm, name)("What is it?", max_token=3)
    wanted = rf"^VLM\.{name}\(\) got .* 'max_token'; did you mean 'max_tokens'\?$"
    with pytest.raises(TypeError, match=wanted):
        await (asked if name == "ask" else anext(asked))
