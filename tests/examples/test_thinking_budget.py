"""A thought is held to its budget in two phases, with what NVIDIA's `ThinkingBudgetClient` puts and returns."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from tests.examples.scripts import load
from tests.scripted_server import ScriptedServer, completion, says
from vidagent.images import jpeg

pytestmark = pytest.mark.network
example = load("thinking_budget")

PICTURE = jpeg.encode(np.full((16, 16, 3), 90, np.uint8))
THOUGHT = "Okay, the user asked. I need"
SYSTEM = {"role": "system", "content": "You are a helpful assistant. /think"}


def phase(text, tokens, finish_reason, **message):
    usage = {"prompt_tokens": 20, "completion_tokens": tokens, "total_tokens": 20 + tokens}
    return completion(
        {"role": "assistant", "content": text, **message}, finish_reason=finish_reason, usage=usage
    )


def run(capsys, script, *arguments):
    with ScriptedServer(script) as server:
        code = example.main([*map(str, arguments), "--base-url", server.url])
    assert code == 0
    return json.loads(capsys.readouterr().out), server.bodies


@pytest.mark.parametrize(
    "first",
    [
        phase(f"<think>\n{THOUGHT}", 32, "length"),
        phase(THOUGHT, 32, "length"),  # the template opens the thought
        phase(None, 32, "length", reasoning=THOUGHT),  # the server parses it
    ],
    ids=["opened", "open", "parsed"],
)
def test_a_thought_that_is_too_long_is_cut_closed_and_continued(capsys, first):
    """The guide's own example: a budget of 32 of 512 tokens, and a thought that ends in `I need.`."""
    script = [first, phase("2 + 2 equals **4**.", 12, "stop")]
    made, [thinking, replying] = run(
        capsys, script, "What is 2+2?", "--thinking-tokens", 32, "--max-tokens", 512
    )
    assert thinking["messages"] == [SYSTEM, {"role": "user", "content": "What is 2+2?"}]
    assert thinking["max_tokens"] == 32
    assert "continue_final_message" not in thinking
    assert replying["messages"] == [
        *thinking["messages"],
        {"role": "assistant", "content": f"<think>\n{THOUGHT}.\n</think>\n\n"},
    ]
    assert (replying["continue_final_message"], replying["add_generation_prompt"]) == (True, False)
    assert replying["max_tokens"] == 512 - 32
    assert thinking["temperature"] == replying["temperature"] == 0.6
    assert made == {
        "reasoning_content": f"{THOUGHT}.",
        "content": "2 + 2 equals **4**.",
        "finish_reason": "stop",
        "thinking_tokens": 32,
        "completion_tokens": 44,
        "prompt_tokens": 40,
        "requests": 2,
    }


def test_a_thought_that_ends_in_time_is_kept_as_it_is(capsys):
    script = [phase("<think>\nIt is four.", 6, "stop", stop_reason="</think>"), phase("4", 1, "length")]
    made, [_, replying] = run(capsys, script, "What is 2+2?", "--thinking-tokens", 32, "--max-tokens", 512)
    assert replying["messages"][-1]["content"] == "<think>\nIt is four.\n</think>\n\n"
    assert replying["max_tokens"] == 512 - 6
    assert (made["reasoning_content"], made["content"], made["finish_reason"]) == (
        "It is four.",
        "4",
        "length",
    )


def test_an_image_stays_in_the_second_phase(capsys, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(PICTURE)
    script = [phase(THOUGHT, 16, "length"), says("Nine.")]
    made, [thinking, replying] = run(
        capsys, script, "How many planks?", tmp_path / "photo.jpg", "--thinking-tokens", 16
    )
    data = "data:image/jpeg;base64," + base64.b64encode(PICTURE).decode()
    content = [
        {"type": "text", "text": "How many planks?"},
        {"type": "image_url", "image_url": {"url": data}},
    ]
    assert thinking["messages"] == replying["messages"][:-1] == [SYSTEM, {"role": "user", "content": content}]
    assert (made["content"], made["thinking_tokens"], made["requests"]) == ("Nine.", 16, 2)


def test_a_model_that_replies_at_once_is_not_asked_twice(capsys):
    made, bodies = run(capsys, [says("4")], "What is 2+2?")
    assert len(bodies) == made["requests"] == 1
    assert (made["reasoning_content"], made["content"]) == ("", "4")


def test_a_budget_above_the_reply_is_refused(capsys):
    with ScriptedServer([says("4")]) as server:
        arguments = ["What is 2+2?", "--thinking-tokens", "64", "--max-tokens", "64"]
        assert example.main([*arguments, "--base-url", server.url]) == 2
    assert "thinking_tokens is from 0 to below max_tokens (64); got 64" in capsys.readouterr().err
    assert server.bodies == []
