"""Long runs: the planner's context never overflows, what is dropped goes in one step, and the ledger keeps it."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from langchain_core.messages import AIMessage, ToolMessage

from tests.graphs.scripts import Script, answer, clip_look, observation
from tests.scripted_server import block_of, step_of, texts
from vidagent.agents.client.limits import prompt_tokens
from vidagent.graphs.nodes.trim import leave_out

LOOKS = 24
ROOM = 6000
"""Tokens that the messages of a prompt may have in these runs."""
TOOLS, REPLY = 2200, 512


def turn(number: int, results: int = 1, tokens: int = 100) -> list:
    """Make one turn of about so many tokens."""
    calls = [{"name": "clip", "args": {}, "id": f"{number}.{i}"} for i in range(results)]
    said = "x" * (4 * tokens // results - 90)
    return [AIMessage("", tool_calls=calls), *(ToolMessage(said, tool_call_id=c["id"]) for c in calls)]


def test_nothing_is_left_out_while_there_is_room():
    history = [message for number in range(5) for message in turn(number)]
    assert leave_out(history, 0, prompt=750, room=1000) == 0
    assert leave_out(history, 4, prompt=750, room=1000) == 4


def test_the_oldest_turns_go_at_once_until_half_is_free():
    history = [message for number in range(7) for message in turn(number, results=2)]
    one = prompt_tokens(history[:3], 0, 0)
    left_out = leave_out(history, 0, prompt=8 * one, room=10 * one)
    assert left_out == 3 * 3  # three turns, each of one call for two looks and their two results
    assert leave_out(history, left_out, prompt=5 * one, room=10 * one) == left_out
    assert leave_out(history, left_out, prompt=8 * one, room=10 * one) == 2 * left_out


def test_the_last_turn_always_stays():
    history = [message for number in range(3) for message in turn(number)]
    assert leave_out(history, 0, prompt=5000, room=1000) == 4
    assert leave_out(history, 4, prompt=5000, room=1000) == 4
    assert leave_out([], 0, prompt=5000, room=1000) == 0


@pytest.fixture
def small(monkeypatch, tmp_path) -> None:
    """Give the scripted model a small context."""
    lines = [
        "frames_per_call = 6",
        "overview_frames = 4",
        "frame_tokens = 100",
        f"context_tokens = {ROOM + TOOLS + REPLY}",
    ]
    (tmp_path / "small.toml").write_text("\n".join([*lines, "[completion_tokens]", f"plan = {REPLY}"]))
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "small.toml"))


@pytest.mark.network
@pytest.mark.usefixtures("small")
def test_a_long_run_stays_within_the_context(ask):
    wordy = observation(found=False, what="Nothing of the kind is to be seen. " * 20)
    looks = [[clip_look(n / 4, n / 4 + 2, f"Look {n}?")] for n in range(LOOKS)]
    found, server = ask(Script(*looks, [answer()], look=wordy))
    plans = [body for body in server.bodies if step_of(body) == "plan"]
    assert found.status == "answered"
    assert len(plans) == LOOKS + 1
    sizes = [len(texts(body)) // 4 + 400 for body in plans]
    assert max(sizes) < ROOM

    cut = ["first turns are left out" in texts(body) for body in plans]
    assert cut == sorted(cut)
    assert (cut[0], cut[-1]) == (False, True)
    for body in plans:
        asked = [call["id"] for item in body["messages"] for call in item.get("tool_calls") or []]
        told = [item["tool_call_id"] for item in body["messages"] if item["role"] == "tool"]
        assert asked == told
    assert all(f"L{n} clip" in block_of(plans[-1], "ledger") for n in range(1, LOOKS + 1))

    kept = [turns_of(before) == turns_of(after)[: len(turns_of(before))] for before, after in pairwise(plans)]
    assert 1 <= kept.count(False) <= 4
    shrunk = [
        len(texts(plans[place + 1])) / len(texts(plans[place])) for place, same in enumerate(kept) if not same
    ]
    assert max(shrunk) < 0.85


def turns_of(body) -> list[str]:
    """Return the turns of the planner that a request shows, by the question of the look."""
    calls = [call for item in body["messages"] for call in item.get("tool_calls") or []]
    return [json.loads(call["function"]["arguments"])["question"] for call in calls]
