"""The model client against a real server: the gate, deadlines, repairs, retries, and what is sent."""

import asyncio
import dataclasses
import json
import time

import cv2
import numpy as np
import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool

from tests.scripted_server import (
    DROPPED,
    HANG,
    PAGE,
    Raw,
    ScriptedServer,
    calls,
    completion,
    labelled_images,
    refusal,
    says,
    step_of,
    texts,
    tool_names,
)
from vidagent.agents.client.chat_model import connect
from vidagent.agents.client.client import ModelClient, ReplyError
from vidagent.agents.client.limits import CallLimits, CallUsage
from vidagent.agents.client.request_schemas import bounded
from vidagent.agents.profiles.loader import load
from vidagent.agents.profiles.schema import Media, Thinking
from vidagent.agents.prompting.messages import look_messages, plan_messages, verify_messages
from vidagent.agents.prompting.replies import Judgement, Observation
from vidagent.agents.server import connection
from vidagent.errors import BudgetSpent, ModelError
from vidagent.images.shown_frame import ShownFrame

pytestmark = pytest.mark.network

SEEN = '{"found": true, "what": "a ball", "sightings": [{"time_s": 1.5}], "confidence": 0.8}'
FRAMES = [
    ShownFrame.of(1.5, b"\xff\xd8a", size_wh=(64, 48)),
    ShownFrame.of(2.0, b"\xff\xd8b", size_wh=(64, 48)),
]
LOOK = look_messages("When?", None, "the ball", FRAMES)
PLAN = plan_messages("When?", None, "60 s", FRAMES, "", 1, 8, [])
CLIP = ("clip", {"start_s": 1, "question": "?"})


@tool
def clip(start_s: float, question: str) -> str:
    """Look at a range."""


@tool
def answer(text: str, note: str | None = None) -> str:
    """End the work."""


TOOLS = [clip, answer]


class Gate:
    """Counts, and limits what it is told to."""

    def __init__(self, calls: int | None = None, **limits) -> None:
        self.admitted, self.recorded, self.needs = [], [], []
        self.calls, self.limits = calls, CallLimits(**limits)

    async def admit(self, step, need):
        if self.calls == len(self.admitted):
            raise BudgetSpent("model_calls")
        self.admitted.append((step, need.frames))
        self.needs.append(need)
        return self.limits

    def record(self, step, usage):
        self.recorded.append((step, usage))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(connection, "_FIRST_WAIT_S", 0.001)


def client_of(server, profile="default", **changes):
    return ModelClient(
        connect(server.url, "scripted", api_key="sk-secret"), dataclasses.replace(load(profile), **changes)
    )


async def planned(script, gate=None, must_call=None, messages=PLAN, **changes):
    with ScriptedServer(script) as server:
        message = await client_of(server, **changes).plan(
            messages, TOOLS, gate or Gate(), must_call=must_call
        )
    return [(call["name"], call["args"]) for call in message.tool_calls], server.bodies


async def looked(script, gate=None, **changes):
    with ScriptedServer(script) as server:
        return await client_of(server, **changes).ask(
            "look", LOOK, Observation, gate or Gate()
        ), server.bodies


# --- what is sent and counted


async def test_a_plan_offers_the_tools_and_shows_the_frames():
    made, [body] = await planned([calls(CLIP)])
    assert made == [CLIP]
    assert tool_names(body) == ["clip", "answer"]
    assert step_of(body) == "plan"
    assert labelled_images(body) == [(1.5, b"\xff\xd8a"), (2.0, b"\xff\xd8b")]
    assert (body["temperature"], body["max_tokens"], body["model"]) == (0.0, 4096, "scripted")


async def test_a_look_asks_for_a_schema():
    seen, [body] = await looked([says(SEEN)])
    assert (seen.found, seen.sightings[0].time_s) == (True, 1.5)
    wanted = body["response_format"]["json_schema"]
    assert (wanted["name"], wanted["strict"]) == ("Observation", True)
    assert wanted["schema"] == bounded(Observation.model_json_schema())


async def test_a_look_as_a_forced_call_and_in_words():
    fields = {"found": False, "what": "nothing", "sightings": [], "confidence": 1}
    seen, [body] = await looked([calls(("Observation", fields))], structured="tool")
    assert seen.found is False
    assert body["tool_choice"] == {"type": "function", "function": {"name": "Observation"}}
    seen, [body] = await looked([says(SEEN)], structured="prompt")
    assert seen.found
    assert not {"tools", "response_format"} & set(body)


async def test_the_gate_sees_every_request():
    gate = Gate()
    usage = {"prompt_tokens": 900, "completion_tokens": 50, "total_tokens": 950,
             "prompt_tokens_details": {"cached_tokens": 640},
             "completion_tokens_details": {"reasoning_tokens": 20}}  # fmt: skip
    message = {"role": "assistant", "content": SEEN}
    await looked([says(None), completion(message, usage=usage)], gate)
    assert gate.admitted == [("look", 2), ("look", 2)]
    step, spent = gate.recorded[1]
    assert step == "look"
    assert dataclasses.replace(spent, seconds=0) == CallUsage(0, 900, 50, 20, 640, 2)
    assert spent.seconds > 0


@pytest.mark.parametrize("usage", [{}, None])
async def test_usage_is_estimated_where_the_server_is_silent(usage):
    gate = Gate()
    message = {"role": "assistant", "content": f"<think>{'x' * 400}</think>{SEEN}"}
    await looked([completion(message) | {"usage": usage}], gate, frame_tokens=100)
    spent = gate.recorded[0][1]
    assert spent.prompt_tokens > 200 + 200
    assert spent.thinking_tokens == 100
    assert spent.completion_tokens >= 100 + len(SEEN) // 4
    assert spent.cached_tokens == 0


async def test_a_model_in_this_process_costs_no_tokens_unless_it_says_so():
    gate = Gate()
    model = GenericFakeChatModel(messages=iter([AIMessage(SEEN)]))
    seen = await ModelClient(model, load("signals")).ask("look", LOOK, Observation, gate)
    assert seen.found
    assert dataclasses.replace(gate.recorded[0][1], seconds=0) == CallUsage(frames_sent=2)


async def test_the_gate_is_told_what_a_request_may_take():
    gate = Gate()
    await planned([calls(CLIP)], gate, frame_tokens=100)
    await looked([says(SEEN)], gate, frame_tokens=100)
    await planned([calls(CLIP)], gate, messages=[HumanMessage("ä" * 4000)])
    plan, look, long = gate.needs
    assert (plan.frames, plan.completion_tokens) == (2, 4096)
    assert 200 + 500 < plan.prompt_tokens < 200 + 3000
    assert (look.frames, look.completion_tokens) == (2, 2048)
    assert long.prompt_tokens > 2000
    model = GenericFakeChatModel(messages=iter([AIMessage(SEEN)]))
    await ModelClient(model, load("signals")).ask("look", LOOK, Observation, gate)
    assert gate.needs[-1].prompt_tokens == 0


async def test_replies_that_cannot_be_used_are_an_error_of_their_own():
    with pytest.raises(ReplyError, match="no usable reply in 3 attempts"):
        await planned([says("I do not know.")])


UNPARSED = refusal(500, "The model produced output that does not match the expected peg-native format")


async def test_a_reply_that_the_server_cannot_read_is_asked_for_again():
    seen, bodies = await looked([UNPARSED, says(SEEN)])
    assert seen.found
    assert [len(body["messages"]) for body in bodies] == [2, 4]
    with ScriptedServer([UNPARSED]) as server:
        with pytest.raises(ReplyError, match="no usable reply in 3 attempts"):
            await client_of(server).ask("look", LOOK, Observation, Gate())
        assert len(server.bodies) == 3


async def test_a_spent_budget_stops_repairs():
    gate = Gate(calls=2)
    with pytest.raises(BudgetSpent):
        await planned([says("I do not know.")], gate)
    assert len(gate.admitted) == len(gate.recorded) == 2


async def test_limits_reach_the_server():
    _, [body] = await planned([calls(CLIP)], Gate(completion_tokens=33))
    assert body["max_tokens"] == 33


# --- repairs


async def test_a_call_in_the_text_needs_no_repair():
    made, bodies = await planned(
        [says('<TOOLCALL>[{"name": "clip", "arguments": {"start_s": 1}}]</TOOLCALL>')]
    )
    assert made == [("clip", {"start_s": 1})]
    assert len(bodies) == 1


async def test_a_plan_without_a_call_is_asked_for_again():
    made, bodies = await planned([says("I think I should look."), calls(("dance", {})), calls(CLIP)])
    assert made == [CLIP]
    assert [body["messages"][:-2] for body in bodies[1:]] == [bodies[0]["messages"]] * 2
    assert bodies[1]["messages"][-2] == {"role": "assistant", "content": "I think I should look."}
    assert "it holds no tool call" in bodies[1]["messages"][-1]["content"]
    assert "there is no tool 'dance'" in bodies[2]["messages"][-1]["content"]


async def test_three_replies_are_enough():
    gate = Gate()
    with pytest.raises(
        ModelError, match=r"'scripted' at http://127.* no usable reply in 3 attempts: it holds no"
    ):
        await planned([says("no")], gate)
    assert len(gate.recorded) == 3


async def test_an_unreadable_look_is_asked_for_again():
    with ScriptedServer([says('{"why": "dark"}'), says("supported")]) as server:
        judged = await client_of(server).ask(
            "verify", verify_messages("When?", "at 1.5 s", FRAMES), Judgement, Gate()
        )
    assert judged.verdict == "supported"
    assert '"verdict": field required' in texts(server.bodies[1])


async def test_a_cut_reply_says_so():
    cut = completion({"role": "assistant", "content": "{"}, finish_reason="length")
    _, bodies = await looked([cut, says(SEEN)])
    assert "cut off; be brief" in texts(bodies[1])


async def test_a_must_call_is_forced_and_others_are_left_out():
    made, [body] = await planned([calls(CLIP, ("answer", {"text": "x"}))], must_call="answer")
    assert made == [("answer", {"text": "x"})]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "answer"}}


async def test_ids_are_unique_and_reasoning_is_kept():
    reply = calls(CLIP, ("clip", {"start_s": 9, "question": "?"}), reasoning="first here, then there")
    for item in reply["choices"][0]["message"]["tool_calls"]:
        item["id"] = "same"
    with ScriptedServer([reply]) as server:
        message = await client_of(server).plan(PLAN, TOOLS, Gate())
    assert len({call["id"] for call in message.tool_calls}) == 2
    assert message.additional_kwargs["reasoning_content"] == "first here, then there"
    assert message.usage_metadata["input_tokens"] == 100


# --- servers that fail


@pytest.mark.parametrize(
    "fault",
    [
        refusal(429, "slow down"),
        refusal(503, "loading"),
        DROPPED,
        Raw(says(SEEN), sent=30),
        Raw('{"choices": [{"mess'),
        completion({}) | {"choices": []},
    ],
)
async def test_a_passing_fault_is_tried_again_through_the_gate(fault):
    gate = Gate()
    seen, bodies = await looked([fault, fault, says(SEEN)], gate)
    assert seen.found
    assert len(bodies) == len(gate.admitted) == len(gate.recorded) == 3


async def test_a_lasting_fault_is_an_error_after_three():
    gate = Gate()
    with pytest.raises(ModelError, match=r"failed \(500\): out of memory"):
        await looked([refusal(500, "out of memory")], gate)
    assert len(gate.recorded) == 3


@pytest.mark.parametrize("fault", [PAGE, refusal(401, "no"), refusal(404, "The model `x` does not exist.")])
async def test_a_fault_that_will_not_pass_is_an_error_at_once(fault):
    gate = Gate()
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1"):
        await looked([fault], gate)
    assert len(gate.recorded) == 1


async def test_retry_after_is_heeded():
    began = time.monotonic()
    await looked([refusal(429, "slow down", retry_after="0.3"), says(SEEN)])
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("slow", [HANG, Raw(says(SEEN), drip_s=0.05), Raw(says(SEEN), delay_s=30)])
async def test_a_reply_that_does_not_come_ends_the_seconds(slow):
    gate = Gate(timeout_s=0.3)
    began = time.monotonic()
    with pytest.raises(BudgetSpent, match="seconds"):
        await looked([slow], gate)
    assert time.monotonic() - began < 1.5
    assert gate.recorded[0][1].frames_sent == 2


async def test_without_a_budget_the_profile_sets_the_deadline():
    with pytest.raises(ModelError, match=r"did not reply within 0\.2 s"):
        await looked([HANG], timeout_s=0.2)


async def test_a_long_retry_after_does_not_outlast_the_budget():
    began = time.monotonic()
    gate = Gate(calls=2, timeout_s=0.2)
    with pytest.raises(BudgetSpent):
        await looked([refusal(429, "come back tomorrow", retry_after="86400")], gate)
    assert time.monotonic() - began < 1.5


async def test_looks_run_side_by_side():
    gate = Gate()
    with ScriptedServer([Raw(says(SEEN), delay_s=0.3)]) as server:
        client = client_of(server)
        began = time.monotonic()
        await asyncio.gather(*(client.ask("look", LOOK, Observation, gate) for _ in range(4)))
    assert time.monotonic() - began < 0.9


# --- servers that cannot do all


@pytest.mark.parametrize("structured", ["json_schema", "prompt"])
async def test_without_a_tool_parser_calls_are_written_in_the_text(structured):
    def script(body):
        if "tools" in body:
            return refusal(
                400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
            )
        return says('<tool_call>{"name": "clip", "arguments": {"start_s": 4}}</tool_call>')

    earlier = AIMessage(
        "", tool_calls=[{"name": "clip", "args": {"start_s": 1}, "id": "a", "type": "tool_call"}]
    )
    history = [earlier, ToolMessage("<question>\na ball", tool_call_id="a")]
    messages = plan_messages("When?", None, "60 s", FRAMES, "", 2, 8, history)
    with ScriptedServer(script) as server:
        client = client_of(server, structured=structured)
        await client.plan(messages, TOOLS, Gate())
        message = await client.plan(messages, TOOLS, Gate())
    assert [call["args"] for call in message.tool_calls] == [{"start_s": 4}]
    assert ["tools" in body for body in server.bodies] == [True, False, False]
    bound = structured == "json_schema"
    assert ["response_format" in body for body in server.bodies] == [False, bound, bound]
    said = server.bodies[2]["messages"]
    assert [item["role"] for item in said] == ["system", "user", "assistant", "user"]
    assert '"name": "answer"' in said[0]["content"]
    assert said[2]["content"] == '<tool_call>{"name": "clip", "arguments": {"start_s": 1}}</tool_call>'
    assert said[3]["content"][0]["text"] == "<tool_response>\n&lt;question>\na ball\n</tool_response>"
    assert labelled_images(server.bodies[2]) == labelled_images(server.bodies[0])


async def test_without_structured_output_the_schema_is_asked_for_in_words():
    def script(body):
        return refusal(400, "response_format is not supported") if "response_format" in body else says(SEEN)

    seen, bodies = await looked(script)
    assert seen.found
    assert len(bodies) == 2


async def test_a_refused_forced_call_is_left_to_the_model():
    def script(body):
        return refusal(400, "tool_choice: only 'auto' is supported") if "tool_choice" in body else calls(CLIP)

    made, bodies = await planned(script, tool_choice="required")
    assert made == [CLIP]
    assert [body.get("tool_choice") for body in bodies] == ["required", None]


async def test_a_must_call_that_cannot_be_forced_is_the_only_one_on_offer():
    def script(body):
        return (
            refusal(400, "tool_choice is not supported")
            if "tool_choice" in body
            else calls(("answer", {"text": "x"}))
        )

    made, bodies = await planned(script, must_call="answer")
    assert made == [("answer", {"text": "x"})]
    assert [tool_names(body) for body in bodies] == [["clip", "answer"], ["answer"]]


async def test_strict_tools_bind_their_arguments():
    _, [body] = await planned([calls(CLIP)], strict_tools=True)
    assert [item["function"]["strict"] for item in body["tools"]] == [True, True]
    texts = body["tools"][0]["function"]["parameters"]["properties"]["question"]
    assert texts["maxLength"] > 0


async def test_a_turn_of_a_weak_planner_is_bound_to_a_schema_of_calls():
    reply = says(
        json.dumps(
            {
                "calls": [
                    {"name": "clip", "arguments": CLIP[1]},
                    {"name": "answer", "arguments": {"text": "x"}},
                ]
            }
        )
    )
    made, [body] = await planned([reply], tool_calls="schema")
    assert made == [CLIP, ("answer", {"text": "x"})]
    assert "tools" not in body
    schema = body["response_format"]["json_schema"]["schema"]
    kinds = schema["properties"]["calls"]["items"]["anyOf"]
    assert [kind["properties"]["name"]["const"] for kind in kinds] == ["clip", "answer"]
    assert kinds[0]["properties"]["arguments"]["properties"]["start_s"]["type"] == "number"
    assert '"name": "answer"' in body["messages"][0]["content"]


async def test_a_must_call_is_the_only_one_in_the_schema():
    reply = says('{"calls": [{"name": "answer", "arguments": {"text": "x"}}]}')
    made, [body] = await planned([reply], must_call="answer", tool_calls="schema")
    assert made == [("answer", {"text": "x"})]
    calls_of = body["response_format"]["json_schema"]["schema"]["properties"]["calls"]
    assert calls_of["maxItems"] == 1
    assert [kind["properties"]["name"]["const"] for kind in calls_of["items"]["anyOf"]] == ["answer"]
    assert body["messages"][-1]["content"][-1]["text"] == "\nNow call 'answer', and nothing else."


# --- media

JPEGS = [cv2.imencode(".jpg", np.full((48, 64, 3), shade, np.uint8))[1].tobytes() for shade in (10, 200)]
FILMED = look_messages(
    "When?", None, "the ball", [ShownFrame.of(1.5, JPEGS[0]), ShownFrame.of(2.0, JPEGS[1])]
)
AS_VIDEO = Media(forms={"overview": "frames"}, per_request=True, image_ids=True)


async def shown_as(script, shown=None, media=AS_VIDEO):
    with ScriptedServer(script) as server:
        client = client_of(server, media=media)
        for _ in range(2):
            await client.ask("look", FILMED, Observation, Gate(), shown=shown)
    return server.bodies


def kinds(body):
    return [part["type"] for part in body["messages"][1]["content"] if part["type"] != "text"]


async def test_an_overview_goes_as_a_video_and_a_look_as_pictures():
    overview, _ = await shown_as([says(SEEN)], "overview")
    look, _ = await shown_as([says(SEEN)])
    assert (kinds(overview), kinds(look)) == (["video_url"], ["image_url", "image_url"])
    assert overview["media_io_kwargs"]["video"]["frames_indices"] == [1500, 2000]
    assert "media_io_kwargs" not in look
    assert [len(part["uuid"]) for part in look["messages"][1]["content"] if "uuid" in part] == [64, 64]


@pytest.mark.parametrize(
    ("words", "refuses"),
    [
        (
            "mm_processor_kwargs is not allowed; start with --trust-request-mm-kwargs",
            lambda b: "media_io_kwargs" in b,
        ),
        ("At most 0 video(s) may be provided in one prompt.", lambda b: kinds(b) == ["video_url"]),
    ],
)
async def test_a_server_that_refuses_videos_gets_pictures_from_then_on(words, refuses):
    bodies = await shown_as(lambda body: refusal(400, words) if refuses(body) else says(SEEN), "overview")
    assert [kinds(body) for body in bodies] == [["video_url"], *[["image_url", "image_url"]] * 2]


async def test_a_server_that_knows_no_image_ids_gets_none():
    def script(body):
        named = any("uuid" in part for part in body["messages"][1]["content"])
        return refusal(400, "Unrecognized field: uuid") if named else says(SEEN)

    bodies = await shown_as(script)
    assert len(bodies) == 3


async def test_frames_inside_a_video_are_counted():
    gate = Gate()
    with ScriptedServer([says(SEEN)]) as server:
        await client_of(server, media=AS_VIDEO).ask("look", FILMED, Observation, gate, shown="overview")
    assert gate.needs[0].frames == gate.recorded[0][1].frames_sent == 2


# --- thinking

THINKS = Thinking(
    can=True,
    on_prompt="/think",
    off_prompt="/no_think",
    on_body={"a": 1},
    off_body={"b": 1},
    budget_field="cap",
)


@pytest.mark.parametrize(
    ("allowed", "switch", "sent"),
    [(None, "/think", {"a": 1}), (40, "/think", {"a": 1, "cap": 40}), (0, "/no_think", {"b": 1, "cap": 0})],
)
async def test_thinking_is_switched_for_the_planner(allowed, switch, sent):
    _, [body] = await planned([calls(CLIP)], Gate(thinking_tokens=allowed), thinking=THINKS)
    assert body["messages"][0]["content"].startswith(f"{switch}\n")
    assert {key: body[key] for key in ("a", "b", "cap") if key in body} == sent


async def test_a_look_does_not_think():
    _, [body] = await looked([says(SEEN)], Gate(thinking_tokens=40), thinking=THINKS)
    assert body["messages"][0]["content"].startswith("/no_think\n")
    assert (body["cap"], body["b"], body["response_format"]["type"]) == (0, 1, "json_schema")


async def test_a_model_that_cannot_think_is_not_told_to():
    _, [body] = await planned([calls(CLIP)], Gate(thinking_tokens=40))
    assert "think" not in body["messages"][0]["content"].split("\n")[0]
    assert not {"chat_template_kwargs", "thinking_token_budget"} & set(body)


async def test_no_thinking_over_a_video():
    video = HumanMessage([{"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AA=="}}])
    thinking = dataclasses.replace(THINKS, with_video=False)
    _, [body] = await planned([calls(CLIP)], messages=[*PLAN, video], thinking=thinking)
    assert body["messages"][0]["content"].startswith("/no_think\n")


async def test_a_server_without_a_reasoning_parser_gets_no_budget():
    said = "thinking_token_budget is set but reasoning_config is not configured"
    thinking = dataclasses.replace(THINKS, budget_field="thinking_token_budget")
    _, bodies = await planned([refusal(400, said), calls(CLIP)], Gate(thinking_tokens=9), thinking=thinking)
    assert ["thinking_token_budget" in body for body in bodies] == [True, False]
