"""The model client against real vLLM: whatever a model with random weights says, the reply is typed."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from langchain_core.messages import AIMessage

from tests.live.gate import Gate
from tests.live.server import Server
from tests.media.code import Code, draw_code
from vidagent.agents.client.chat_model import connect
from vidagent.agents.client.client import ModelClient, ReplyError
from vidagent.agents.profiles.loader import load as load_profile
from vidagent.agents.prompting.messages import look_messages, plan_messages, route_messages, verify_messages
from vidagent.agents.prompting.replies import Judgement, Observation, Route
from vidagent.agents.server.model_choice import choose
from vidagent.config import load
from vidagent.errors import BudgetSpent, ModelError
from vidagent.images import jpeg
from vidagent.images.shown_frame import ShownFrame
from vidagent.images.store import FrameStore
from vidagent.tools import Caps, ToolContext, make_tools
from vidagent.video.cache.video_cache import VideoCache
from vidagent.video.index.video_index import Index
from vidagent.video.video import Video

pytestmark = [pytest.mark.vllm, pytest.mark.network]

QUESTION = "When does the red bar reach the right edge?"
FRAMES = [ShownFrame.of(t / 2, jpeg.encode(draw_code(Code(t, 500 * t))[::2, ::2])) for t in range(4)]
LOOK = look_messages(QUESTION, None, "the red bar", FRAMES)
PLAN = plan_messages(QUESTION, None, "8 s", FRAMES, "", 1, 8, [])
TYPED = {
    "look": (LOOK, Observation),
    "verify": (verify_messages(QUESTION, "it does at 1.5 s", FRAMES), Judgement),
    "route": (route_messages(QUESTION, ["at 1 s", "at 2 s"], "8 s"), Route),
}
AWAY_S = 20.0


@pytest.fixture
def client(tiny_server: Server) -> ModelClient:
    return choose(load(base_url=tiny_server.url))


@pytest.fixture(scope="module")
def tools(clip, tmp_path_factory):
    """Return the planner's own tools, over a drawn clip."""
    folder = tmp_path_factory.mktemp("desk")
    with Video.open(clip("h264").path) as video:
        index = Index(video, VideoCache(folder / "cache"))
        yield make_tools(
            ToolContext(video, index, FrameStore(folder / "frames"), Caps(), lambda wanted: wanted)
        )


def told(server: Server, changes=None, **profile) -> ModelClient:
    """Return a client of the server with a profile a little different from `tiny`."""
    chat = connect(server.url, **({"model": server.model} | (changes or {})))
    return ModelClient(chat, dataclasses.replace(load_profile("tiny"), **profile))


# --- typed replies


def test_the_model_served_is_found(client, tiny_server):
    assert (client.name, client.where, client.profile.name) == ("tiny", tiny_server.url, "tiny")


@pytest.mark.parametrize("must_call", [None, "answer", "clip"])
async def test_every_call_of_a_bound_plan_has_all_its_arguments(tiny_server, tools, must_call):
    most = {"plan": 4096}
    client = told(tiny_server, tool_calls="schema", completion_tokens=most, sampling={"temperature": 1.0})
    gate = Gate(thinking_tokens=16)
    planned = await client.plan(PLAN, list(tools.values()), gate, must_call=must_call)
    assert {call["name"] for call in planned.tool_calls} <= ({must_call} if must_call else set(tools))
    for call in planned.tool_calls:
        schema = tools[call["name"]].tool_call_schema.model_json_schema()
        assert set(schema["required"]) <= set(call["args"]) <= set(schema["properties"])


async def test_strict_calls_are_known_ones_or_none(tiny_server, tools):
    """The server's grammar for its own calls lets a model put blanks into them until its tokens are used up."""
    client = told(tiny_server, tool_choice="required", strict_tools=True, sampling={"temperature": 1.0})
    planned = AIMessage("")
    with suppress(ReplyError):
        planned = await client.plan(PLAN, list(tools.values()), Gate(thinking_tokens=0))
    for call in planned.tool_calls:
        assert set(call["args"]) <= set(
            tools[call["name"]].tool_call_schema.model_json_schema()["properties"]
        )


async def test_calls_that_the_server_reads_arrive_in_order(tiny_server, tools):
    wanted = [("clip", {"start_s": 1, "end_s": 2, "question": "Where?"}), ("crop", {"time_s": 1.5})]
    said = "I look. " + "\n".join(
        f"<tool_call>\n{json.dumps({'name': name, 'arguments': args})}\n</tool_call>" for name, args in wanted
    )
    body = {"structured_outputs": {"choice": [said]}}
    client = told(tiny_server, tool_choice="auto", strict_tools=False, body=body)
    planned = await client.plan(PLAN, list(tools.values()), Gate(thinking_tokens=0))
    assert [(call["name"], call["args"]) for call in planned.tool_calls] == wanted
    assert planned.text.strip() == "I look."


@pytest.mark.parametrize("step", TYPED)
@pytest.mark.parametrize("thinking_tokens", [0, 16])
async def test_every_reply_is_typed(tiny_server, step, thinking_tokens):
    messages, schema = TYPED[step]
    client, gate = told(tiny_server, sampling={"temperature": 1.0}), Gate(thinking_tokens=thinking_tokens)
    assert isinstance(await client.ask(step, messages, schema, gate), schema)
    assert gate.spent[-1].thinking_tokens <= thinking_tokens + 1


async def test_usage_is_the_server_s_streamed_or_not(client):
    whole, streamed, heard = Gate(thinking_tokens=0), Gate(thinking_tokens=0), []
    first = await client.ask("look", LOOK, Observation, whole)
    second = await client.ask(
        "look", LOOK, Observation, streamed, on_stream=lambda kind, text: heard.append(text)
    )
    assert len(heard) > 10
    assert first == second
    assert whole.spent
    for one, other in zip(
        whole.spent, streamed.spent, strict=True
    ):  # a text without an end is asked for again
        assert one.prompt_tokens == other.prompt_tokens > 4 * len(FRAMES)
        assert one.completion_tokens == other.completion_tokens
        assert other.frames_sent == len(FRAMES)


# --- what the server refuses


async def test_an_unknown_model_is_said_in_one_line(tiny_server):
    with pytest.raises(ModelError, match=r"has no model 'nobody' \(404\)") as caught:
        await told(tiny_server, {"model": "nobody"}).ask("look", LOOK, Observation, Gate())
    assert "\n" not in str(caught.value)
    assert tiny_server.url in str(caught.value)


async def test_a_limit_of_pictures_is_learned_and_more_frames_share_them(tiny_server):
    client, gate = told(tiny_server), Gate(thinking_tokens=0)
    messages = look_messages(QUESTION, None, "it", 17 * FRAMES)
    assert isinstance(await client.ask("look", messages, Observation, gate), Observation)
    assert client.memory.facts.images == 64
    assert gate.spent[-1].frames_sent == 17 * len(FRAMES)


async def test_a_prompt_that_fits_in_no_form_ends_by_the_context_and_its_length_is_learned(tiny_server):
    client = told(tiny_server)
    with pytest.raises(BudgetSpent, match="context"):
        await client.ask(
            "look", look_messages(QUESTION + "?" * 99_999, None, "it", FRAMES), Observation, Gate()
        )
    assert client.memory.facts.context_tokens == 16384


async def test_a_request_that_nobody_waits_for_is_ended(tiny_server):
    def running() -> float:
        return tiny_server.metric("vllm:num_requests_running")

    endless = {"completion_tokens": {"look": 12_000}, "body": {"ignore_eos": True}}
    client, before = told(tiny_server, structured="prompt", **endless), running()
    asked = asyncio.create_task(client.ask("look", LOOK, Observation, Gate(timeout_s=4.0)))
    await becomes(lambda: running() > before)
    with pytest.raises(BudgetSpent, match="seconds"):
        await asked
    await becomes(lambda: running() <= before)


async def becomes(true: Callable[[], bool]) -> None:
    """Wait for something of the server to come true."""
    async with asyncio.timeout(AWAY_S):
        while not await asyncio.to_thread(true):
            await asyncio.sleep(0.1)
