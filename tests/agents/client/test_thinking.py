"""Thinking in two phases: what is sent, what is kept, and what happens where it cannot be done."""

import dataclasses

import pytest
from langchain_core.tools import tool

from tests.scripted_server import Raw, ScriptedServer, calls, completion, labelled_images, refusal, says
from vidagent.agents.client.chat_model import connect
from vidagent.agents.client.client import ModelClient
from vidagent.agents.client.limits import CallLimits
from vidagent.agents.client.request_builder import thinking_mode
from vidagent.agents.profiles.loader import load
from vidagent.agents.profiles.schema import Thinking
from vidagent.agents.prompting.messages import verify_messages
from vidagent.agents.prompting.replies import Judgement
from vidagent.agents.server import connection
from vidagent.errors import BudgetSpent, ModelError
from vidagent.images.shown_frame import ShownFrame

pytestmark = pytest.mark.network

FRAMES = [
    ShownFrame.of(1.5, b"\xff\xd8a", size_wh=(64, 48)),
    ShownFrame.of(2.0, b"\xff\xd8b", size_wh=(64, 48)),
]
VERIFY = verify_messages("When?", "it falls", FRAMES)
JUDGED = '{"why": "seen", "verdict": "supported", "confidence": 0.9}'
THINKING = Thinking(
    can=True,
    on_body={"chat_template_kwargs": {"enable_thinking": True}},
    off_body={"chat_template_kwargs": {"enable_thinking": False}},
)


@tool
def clip(start_s: float) -> str:
    """Look at a range."""


class Gate:
    """Allows so much thinking; counts what is asked of it and what came of it."""

    def __init__(self, thinking=None, most_requests=None, completion=None):
        self.needs, self.usages = [], []
        self.limits = CallLimits(thinking_tokens=thinking, completion_tokens=completion)
        self.most_requests = most_requests

    async def admit(self, step, need):
        self.needs.append(need)
        if self.most_requests is not None and need.requests > self.most_requests:
            raise BudgetSpent("model_calls")
        return self.limits

    def record(self, step, usage):
        self.usages.append(usage)


def thought(text, finish_reason="length", tokens=16, **extra):
    usage = {"prompt_tokens": 100, "completion_tokens": tokens, "total_tokens": 100 + tokens}
    message = {"role": "assistant", "content": None, "reasoning": text, **extra}
    return completion(message, finish_reason=finish_reason, usage=usage)


def stopped(text, tokens=9, **extra):
    reply = thought(text, "stop", tokens, **extra)
    reply["choices"][0]["stop_reason"] = "</think>"
    return reply


async def judged(script, gate, on_stream=None, **changes):
    thinking = dataclasses.replace(THINKING, **changes)
    with ScriptedServer(script) as server:
        client = ModelClient(
            connect(server.url, "scripted"), dataclasses.replace(load("default"), thinking=thinking)
        )
        reply = await client.ask("verify", VERIFY, Judgement, gate, on_stream=on_stream)
    return reply, server.bodies


async def test_a_thought_is_cut_at_its_budget_and_the_message_continued():
    gate = Gate(thinking=16)
    reply, [first, second] = await judged([thought("The ball is"), says(JUDGED)], gate)
    assert reply.verdict == "supported"
    assert (first["max_tokens"], first["stop"]) == (16, ["</think>"])
    assert first["chat_template_kwargs"] == {"enable_thinking": True}
    assert "response_format" not in first
    assert second["messages"][:-1] == first["messages"]
    assert second["messages"][-1] == {
        "role": "assistant",
        "content": "<think>\nThe ball is.\n</think>\n\n",
    }
    assert (second["add_generation_prompt"], second["continue_final_message"]) == (False, True)
    assert second["chat_template_kwargs"] == {"enable_thinking": False}
    assert second["response_format"]["json_schema"]["name"] == "Judgement"
    assert second["max_tokens"] == load("default").completion_tokens["verify"] - 16
    assert labelled_images(second) == labelled_images(first) == [(1.5, b"\xff\xd8a"), (2.0, b"\xff\xd8b")]


async def test_both_phases_are_asked_for_and_counted():
    gate = Gate(thinking=16)
    await judged([thought("The ball is"), says(JUDGED)], gate)
    assert [(need.requests, need.frames) for need in gate.needs] == [(2, 4)]
    [usage] = gate.usages
    assert (usage.requests, usage.frames_sent, usage.prompt_tokens) == (2, 4, 200)
    assert (usage.thinking_tokens, usage.completion_tokens) == (16, 26)


async def test_a_thought_that_ends_by_itself_is_not_marked_as_cut():
    _, [_, second] = await judged([stopped("It falls"), says(JUDGED)], Gate(thinking=64))
    assert second["messages"][-1]["content"] == "<think>\nIt falls\n</think>\n\n"


@pytest.mark.parametrize("content", ["<think>It falls", "It falls"])
async def test_a_server_without_a_reasoning_parser_is_understood(content):
    reply = stopped(None, content=content)
    _, [_, second] = await judged([reply, says(JUDGED)], Gate(thinking=64))
    assert second["messages"][-1]["content"] == "<think>\nIt falls\n</think>\n\n"


async def test_a_reply_taken_for_reasoning_is_a_reply():
    reply, _ = await judged([thought("hm"), says(None, reasoning=JUDGED)], Gate(thinking=16))
    assert reply.confidence == 0.9


async def test_broken_characters_of_a_cut_thought_are_left_out():
    _, [_, second] = await judged([thought("caf\ufffd"), says(JUDGED)], Gate(thinking=16))
    assert second["messages"][-1]["content"] == "<think>\ncaf.\n</think>\n\n"


async def test_a_model_that_replies_without_thinking_is_asked_again_with_the_schema():
    reply, [_, second] = await judged([says("It falls."), says(JUDGED)], Gate(thinking=64))
    assert reply.confidence == 0.9
    assert "continue_final_message" not in second
    assert [message["role"] for message in second["messages"]] == ["system", "user"]


async def test_a_call_without_a_thought_needs_no_second_phase():
    with ScriptedServer([calls(("clip", {"start_s": 3}))]) as server:
        profile = dataclasses.replace(load("default"), thinking=THINKING)
        client = ModelClient(connect(server.url, "scripted"), profile)
        reply = await client.plan(VERIFY, [clip], Gate(thinking=64))
    assert [call["args"] for call in reply.tool_calls] == [{"start_s": 3}]
    assert len(server.bodies) == 1


async def test_calls_are_forced_only_after_the_thought():
    with ScriptedServer([thought("first"), calls(("clip", {"start_s": 3}))]) as server:
        profile = dataclasses.replace(load("default"), thinking=THINKING, tool_choice="required")
        client = ModelClient(connect(server.url, "scripted"), profile)
        reply = await client.plan(VERIFY, [clip], Gate(thinking=64))
    assert reply.additional_kwargs["reasoning_content"] == "first."
    assert [body.get("tool_choice") for body in server.bodies] == [None, "required"]
    assert server.bodies[0]["tools"] == server.bodies[1]["tools"]


async def test_without_requests_for_two_phases_there_is_no_thought():
    gate = Gate(thinking=64, most_requests=1)
    _, [body] = await judged([says(JUDGED)], gate)
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert [need.requests for need in gate.needs] == [2, 1]


async def test_a_server_that_cannot_continue_a_message_is_asked_without_a_thought():
    def script(body):
        if "continue_final_message" in body:
            return refusal(400, "continue_final_message is set but the final message does not appear")
        return thought("hm") if body["chat_template_kwargs"]["enable_thinking"] else says(JUDGED)

    gate = Gate(thinking=16)
    reply, bodies = await judged(script, gate)
    assert reply.verdict == "supported"
    assert len(bodies) == 3
    assert [usage.requests for usage in gate.usages] == [2, 1]


async def test_a_server_that_refuses_a_cap_of_its_own_is_capped_in_two_phases():
    def script(body):
        if "cap" in body:
            return refusal(400, "thinking_token_budget is set but reasoning_config is not configured")
        return says(JUDGED) if "continue_final_message" in body else thought("hm")

    _, bodies = await judged(script, Gate(thinking=16), budget_field="cap")
    assert ["cap" in body for body in bodies] == [True, False, False]
    assert bodies[-1]["continue_final_message"] is True


def counting_letters(script):
    """Serve a tokenizer, too, whose tokens are letters."""

    def tokenize(body):
        return {"count": len(body["prompt"]), "tokens": [ord(letter) for letter in body["prompt"]]}

    def detokenize(body):
        return {"prompt": "".join(map(chr, body["tokens"]))}

    return ScriptedServer(script, routes={"/tokenize": tokenize, "/detokenize": detokenize})


async def test_a_thought_that_reads_longer_than_it_was_written_is_cut_again():
    with counting_letters([thought("The ball is falling"), says(JUDGED)]) as server:
        profile = dataclasses.replace(load("default"), thinking=THINKING)
        client = ModelClient(connect(server.url, "scripted"), profile)
        await client.ask("verify", VERIFY, Judgement, Gate(thinking=8))
    assert server.bodies[1]["messages"][-1]["content"] == "<think>\nThe ball.\n</think>\n\n"


async def test_a_thought_that_the_server_does_not_count_is_counted_by_its_tokenizer():
    gate = Gate()
    with counting_letters([says(JUDGED, reasoning="The ball is falling")]) as server:
        profile = dataclasses.replace(load("default"), thinking=THINKING)
        await ModelClient(connect(server.url, "scripted"), profile).ask("verify", VERIFY, Judgement, gate)
    assert gate.usages[0].thinking_tokens == 10 == gate.usages[0].completion_tokens


async def test_a_thought_leaves_room_for_the_reply():
    _, [first, second] = await judged([thought("hm", tokens=75), says(JUDGED)], Gate(500, completion=100))
    assert (first["max_tokens"], second["max_tokens"]) == (75, 25)


async def test_a_server_that_breaks_on_thoughts_is_asked_without_one_at_last(monkeypatch):
    monkeypatch.setattr(connection, "_FIRST_WAIT_S", 0.001)

    def script(body):
        return refusal(500, "Internal server error") if body["cap"] else says(JUDGED)

    reply, bodies = await judged(script, Gate(thinking=16), budget_field="cap")
    assert reply.verdict == "supported"
    assert [body["cap"] for body in bodies] == [16, 16, 16, 0]


async def test_a_server_that_breaks_without_a_thought_too_is_an_error(monkeypatch):
    monkeypatch.setattr(connection, "_FIRST_WAIT_S", 0.001)
    gate = Gate(thinking=16)
    with pytest.raises(ModelError, match="Internal server error"):
        await judged([refusal(500, "Internal server error")], gate, budget_field="cap")
    assert len(gate.usages) == 4


async def test_both_phases_are_heard():
    heard = []
    script = [thought("The ball is"), says(JUDGED)]
    reply, bodies = await judged(
        script, Gate(thinking=16), on_stream=lambda kind, text: heard.append((kind, text))
    )
    assert reply.verdict == "supported"
    assert [body["stream"] for body in bodies] == [True, True]
    assert "".join(text for kind, text in heard if kind == "thought") == "The ball is"
    assert "".join(text for kind, text in heard if kind == "text") == JUDGED


async def test_a_server_that_does_not_stream_is_asked_for_the_whole_reply():
    def script(body):
        return Raw(says(JUDGED)) if body.get("stream") else says(JUDGED)

    heard = []
    reply, bodies = await judged(script, Gate(thinking=0), on_stream=lambda *said: heard.append(said))
    assert reply.verdict == "supported"
    assert [body.get("stream", False) for body in bodies] == [True, False]


async def test_a_stream_that_fails_midway_is_an_error():
    script = [refusal(500, "the engine died")]
    with pytest.raises(ModelError, match="the engine died"):
        await judged(script, Gate(thinking=0), on_stream=lambda *said: None)


@pytest.mark.parametrize(
    ("changes", "asked", "expected"),
    [
        ({}, {"tokens": 16}, "two_phase"),
        ({}, {"tokens": None}, "free"),
        ({}, {"tokens": 0}, "off"),
        ({}, {"tokens": 64, "most": 64}, "two_phase"),
        ({"two_phase": False}, {"tokens": 64, "most": 64}, "free"),
        ({"budget_field": "cap"}, {"tokens": 16}, "native"),
        ({"budget_field": "cap"}, {"tokens": None}, "native"),
        ({"budget_field": "cap"}, {"tokens": 16, "refused": {"thinking_budget"}}, "two_phase"),
        ({"two_phase": False}, {"tokens": 16}, "off"),
        ({}, {"tokens": 16, "refused": {"two_phase"}}, "off"),
        ({"with_video": False}, {"tokens": 16, "video": True}, "off"),
        ({"can": False}, {"tokens": 16}, "off"),
        ({"steps": ("plan",)}, {"tokens": 16}, "off"),
    ],
)
def test_mode(changes, asked, expected):
    given = {"video": False, "most": None, **asked}
    assert thinking_mode(dataclasses.replace(THINKING, **changes), "verify", **given) == expected
