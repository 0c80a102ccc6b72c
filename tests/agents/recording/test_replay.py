"""Kept replies come back to the same requests, whatever the order, the ids and the limits left."""

from __future__ import annotations

import asyncio
import json

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from tests.scripted_server import Raw, ScriptedServer, calls, says
from vidagent.agents.client.chat_model import connect
from vidagent.agents.client.media import place
from vidagent.agents.profiles.schema import Media
from vidagent.agents.prompting.messages import look_messages
from vidagent.agents.prompting.replies import Observation
from vidagent.agents.recording.recorder import RecordedChat, RecordedEndpoint
from vidagent.agents.recording.replay import RecordedReplies, ReplayedChat, ReplayedEndpoint
from vidagent.agents.recording.request_key import canonical
from vidagent.agents.server.connection import ServerError
from vidagent.agents.server.endpoint import Endpoint
from vidagent.errors import BudgetSpent, ModelError
from vidagent.images.shown_frame import ShownFrame

JPEG = b"\xff\xd8\xff not quite a picture"
FRAME = ShownFrame.of(1.0, JPEG, size_wh=(64, 48))
LOOK = place(look_messages("Who?", None, "Who is there?", [FRAME]), Media(), "look").messages


def recorded(script, lines):
    """Return a server under a script and a chat model that records it."""
    server = ScriptedServer(script)
    return server, RecordedChat.over(
        connect(server.url, "scripted", api_key="key-of-nobody-else"), lines.append
    )


def replayed(lines, **options) -> ReplayedChat:
    """Return a model that replays lines as a file would give them back."""
    kept = [json.loads(json.dumps(line)) for line in lines]
    return ReplayedChat(replies=RecordedReplies("a-run", kept, **options), model_name="scripted")


@pytest.mark.network
@pytest.mark.parametrize("stream", [False, True])
async def test_replies_come_back_with_calls_thoughts_and_usage(stream):
    async def asked(chat):
        bound = chat.bind_tools([Observation], tool_choice="Observation")
        if not stream:
            return await bound.ainvoke(LOOK, max_tokens=50)
        whole = None
        async for chunk in bound.astream(LOOK, max_tokens=50):
            whole = chunk if whole is None else whole + chunk
        return whole

    lines = []
    server, chat = recorded(lambda body: calls(("Observation", {"found": True}), reasoning="hm"), lines)
    with server:
        first = await asked(chat)
    again = await asked(replayed(lines))
    for name in ("content", "tool_calls", "usage_metadata", "response_metadata"):
        assert getattr(again, name) == getattr(first, name)
    assert first.tool_calls[0]["args"] == {"found": True}
    assert again.additional_kwargs["reasoning_content"] == "hm"
    [line] = lines
    assert (line["step"], line["frames"], line["usage"]["input_tokens"]) == ("look", 1, 100)
    assert line["request"]["tools"][0]["function"]["name"] == "Observation"
    assert "base64" not in json.dumps(lines)
    assert "key-of-nobody-else" not in json.dumps(lines)


@pytest.mark.network
async def test_order_ids_and_limits_do_not_count_but_words_do():
    lines = []
    server, chat = recorded(lambda body: says(body["messages"][-1]["content"]), lines)
    with server:
        await asyncio.gather(*(chat.ainvoke([HumanMessage(word)], max_tokens=9) for word in ("one", "two")))
    chat = replayed(lines)
    for word in ("two", "one"):
        assert (await chat.ainvoke([HumanMessage(word)], max_tokens=70)).text == word
    with pytest.raises(ModelError, match="run a-run holds no reply to this request of step ''"):
        await chat.ainvoke([HumanMessage("three")], max_tokens=9)
    with pytest.raises(ModelError, match="holds no reply"):
        await replayed(lines).ainvoke([HumanMessage("one")])  # a limit more or less is another request


def test_ids_of_calls_count_by_their_order():
    def turns(one, two):
        named = [{"id": name, "name": "clip", "args": {}, "type": "tool_call"} for name in (one, two)]
        return [AIMessage("", tool_calls=named), ToolMessage("x", tool_call_id=two)]

    assert canonical(turns("a", "b")) == canonical(turns("c", "d"))
    assert canonical(turns("a", "b")) != canonical([*turns("a", "b")[:1], ToolMessage("x", tool_call_id="a")])


@pytest.mark.network
async def test_equal_requests_get_their_replies_in_order():
    lines = []
    server, chat = recorded([says("first"), says("second")], lines)
    with server:
        for _ in range(2):
            await chat.ainvoke(LOOK)
    chat = replayed(lines)
    assert [(await chat.ainvoke(LOOK)).text for _ in range(2)] == ["first", "second"]
    assert [line["n"] for line in lines] == [0, 1]
    with pytest.raises(ModelError, match="of step 'look'"):
        await chat.ainvoke(LOOK)


@pytest.mark.network
async def test_a_refusal_is_replayed_and_its_wait_is_not():
    lines = []
    server, chat = recorded([Raw("busy", status=503, headers={"retry-after": "20"}), says("now")], lines)
    with server:
        with pytest.raises(ServerError):
            await chat.ainvoke(LOOK)
        await chat.ainvoke(LOOK)
    chat = replayed(lines)
    with pytest.raises(ServerError) as failed:
        await chat.ainvoke(LOOK)
    assert (failed.value.status, failed.value.retried) == (503, True)
    assert failed.value.wait_s < 0.01
    assert (await chat.ainvoke(LOOK)).text == "now"


@pytest.mark.network
async def test_a_request_that_time_cut_off_ends_the_replay_in_the_same_way():
    lines = []
    server, chat = recorded(lambda body: Raw(hang=True), lines)
    with server, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await chat.ainvoke(LOOK)
    assert lines[0]["cut"]
    with pytest.raises(BudgetSpent, match="seconds"):
        await replayed(lines, out_of_time=True).ainvoke(LOOK)
    with pytest.raises(ModelError, match="no reply"):
        await replayed(lines).ainvoke(LOOK)


@pytest.mark.network
async def test_what_a_server_counted_is_said_again_without_it():
    lines = []
    routes = {"/tokenize": {"count": 3, "tokens": [1, 2, 3]}, "/detokenize": {"prompt": "cut"}}
    with ScriptedServer([], routes=routes) as server:
        asked = RecordedEndpoint(Endpoint(server.url, "key-of-nobody-else"), lines.append)
        assert await asked.tokenize("a thought") == 3
        server.routes["/tokenize"] = Raw("broken", status=500)
        with pytest.raises(ServerError):
            await asked.shorten("another thought", 2)
    assert "key-of-nobody-else" not in json.dumps(lines)
    again = ReplayedEndpoint("http://127.0.0.1:1/v1", json.loads(json.dumps(lines)))
    assert await again.tokenize("a thought") == 3
    assert await again.tokenize("of another run") is None
    with pytest.raises(ServerError, match="failed /tokenize"):
        await again.shorten("another thought", 2)
    assert await again.shorten("of another run", 2) == "of another run"
