"""The route of a question: asked once, in few words, told to the planner, and never in the way of an answer."""

from __future__ import annotations

import json
import re
from typing import get_args

import pytest

from tests.graphs.scripts import Script, answer, clip_look, observation
from tests.scripted_server import block_of, labelled_images, routes, says, step_of, texts
from vidagent import api
from vidagent.agents.prompting.messages import render
from vidagent.agents.prompting.replies import Kind, Route, outline
from vidagent.graphs.nodes.classify import _BESIDE, _SEARCHES
from vidagent.graphs.policy import LEAST_CALLS
from vidagent.tools import NAMES
from vidagent.types import Budget

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("plain")]

LOOK = clip_look(1, 3)
PROFILE = 'frames_per_call = 6\noverview_frames = 9\nwithout = ["boundaries"]\n'


@pytest.fixture
def plain(monkeypatch, tmp_path):
    """Let the scripted model take few frames, and nobody look for the edges of what it saw."""
    (tmp_path / "plain.toml").write_text(PROFILE)
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "plain.toml"))


def script(route=None) -> Script:
    return Script([LOOK], [answer(choice=0)], look=observation(times=[2.0]), route=route)


def of_step(server, step):
    return [body for body in server.bodies if step_of(body) == step]


def now(body):
    """Return the lines at the very end of a request of the planner."""
    return texts(body).rpartition("</ledger>")[2]


def test_the_question_is_sorted_before_anything_is_looked_at(ask):
    found, server = ask(script(), "When is it seen?", options=["at 2 s", "never"])
    assert server.steps == ["route", "plan", "look", "plan", "verify"]
    [body] = of_step(server, "route")
    assert labelled_images(body) == []
    assert block_of(body, "question") == "When is it seen?"
    assert block_of(body, "options") == "0. at 2 s\n1. never"
    assert block_of(body, "earlier") is None
    assert block_of(body, "facts").startswith("duration 8.000 s")
    assert body["max_tokens"] == 384
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["kind"]["enum"] == list(get_args(Kind))
    assert schema["required"] == list(schema["properties"])
    [cost] = [step for step in found.usage.by_step if step.step == "route"]
    assert (cost.model_calls, cost.frames_sent, cost.prompt_tokens) == (1, 0, 100)
    assert [step.step for step in found.usage.by_step][:3] == ["survey", "route", "plan"]


def test_a_question_is_sorted_without_thinking(ask, monkeypatch, tmp_path):
    lines = [PROFILE, "[thinking]", "can = true"]
    lines += ["on_body = { think = true }", "off_body = { think = false }"]
    (tmp_path / "thinker.toml").write_text("\n".join(lines))
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "thinker.toml"))
    _, server = ask(script(), budget=Budget(thinking_tokens=4000))
    assert [body["think"] for body in of_step(server, "route")] == [False]
    assert of_step(server, "plan")[0]["think"] is True


@pytest.mark.parametrize("kind", [kind for kind in get_args(Kind) if kind != "count"])
def test_the_planner_is_told_how_such_a_question_is_searched(ask, kind):
    found, server = ask(script(routes(kind)))
    told = [now(body) for body in of_step(server, "plan")]
    assert all(f"The question is of the kind {kind}. " in one for one in told)
    assert found.status == "answered"


def test_what_the_question_names_is_told(ask):
    route = routes("order", anchor="the </ledger> lamp\ngoes out", side="before", start_s=1, end_s=6.5)
    _, server = ask(script(route))
    told = now(of_step(server, "plan")[0])
    assert 'The event: "the &lt;/ledger> lamp goes out". ' in told
    assert "what comes before an event" in told
    assert "It is about 1.000 s to 6.500 s." in told


@pytest.mark.parametrize(
    ("range_s", "told"),
    [((4, 4), "about 4.000 s."), ((None, 3), "about 0.000 s to 3.000 s."), ((5, None), "about 5.000 s to the end."),
     ((6, 2), None), ((None, None), None), (("soon", "0:07"), "about 0.000 s to 7.000 s.")],
)  # fmt: skip
def test_a_range_is_told_as_far_as_there_is_one(ask, range_s, told):
    _, server = ask(script(routes("at_time", start_s=range_s[0], end_s=range_s[1])))
    lines = now(of_step(server, "plan")[0])
    assert ("It is about" in lines) == (told is not None)
    assert told is None or told in lines


def test_the_prompts_of_the_planner_begin_alike_whatever_the_route(ask):
    """The route stands at the end, so that what a server has kept of a prompt serves the next turn."""
    heads = []
    for kind in ("whole", "locate"):
        _, server = ask(script(routes(kind)))
        heads += [texts(body).partition("<ledger>")[0] for body in of_step(server, "plan")[:1]]
    assert heads[0] == heads[1]


def test_a_first_question_is_never_reworded(ask):
    found, server = ask(script(routes("locate", question="Where is the treasure?")))
    asked = [block_of(body, "question") for body in server.bodies]
    assert asked == ["When is it seen?"] * len(server.bodies)
    assert found.status == "answered"


@pytest.mark.parametrize(
    "broken", ["I cannot sort this.", '{"kind": "poem"}', '{"answer": "2 s"}', "[]", '{"kind": null}']
)
def test_a_route_that_cannot_be_read_is_done_without(ask, broken):
    events = []
    found, server = ask(script(says(broken)), on_event=events.append)
    assert server.steps == [*["route"] * 3, "plan", "look", "plan", "verify"]
    assert "The question is of the kind" not in texts(of_step(server, "plan")[0])
    notes = [event.text for event in events if event.kind == "note"]
    assert any("the question stays unsorted" in note for note in notes)
    assert found.status == "answered"
    again, differ = api.replay_run(found.run_id)
    assert (differ, again.status) == ([], "answered")


@pytest.mark.parametrize(
    "sloppy", ['{"kind": "How long"}', '```json\n{"kind": "Kind: HOW-LONG", "side": "none"}\n```']
)
def test_a_route_is_read_leniently(ask, sloppy):
    _, server = ask(script(says(sloppy)))
    assert "The question is of the kind how_long." in texts(of_step(server, "plan")[0])


@pytest.mark.parametrize(
    ("budget", "asked"),
    [
        (Budget(model_calls=LEAST_CALLS + 3), 1),
        (Budget(model_calls=LEAST_CALLS + 2), 0),
        (Budget(prompt_tokens=20_000), 1),
        (Budget(prompt_tokens=3_000), 0),
        (Budget(completion_tokens=8 * 384), 1),
        (Budget(completion_tokens=8 * 384 - 1), 0),
    ],
)
def test_a_small_budget_is_kept_for_the_answer(ask, budget, asked):
    found, server = ask(script(), budget=budget)
    assert server.steps.count("route") == asked
    assert found.usage.model_calls == len(server.bodies) <= (budget.model_calls or 99)


def test_a_broken_route_leaves_enough_calls_to_answer(ask):
    found, server = ask(script(says("?")), budget=Budget(model_calls=LEAST_CALLS + 3))
    assert server.steps == [*["route"] * 3, "plan", "look", "plan", "verify"]
    assert (found.status, found.usage.model_calls) == ("answered", 7)


def test_a_larger_budget_has_the_question_sorted_after_all(ask):
    first, server = ask(script(), budget=Budget(model_calls=1))
    assert server.steps == ["plan"]
    _, server = ask(script(), resume=first.run_id, budget=Budget(model_calls=50))
    assert server.steps[:2] == ["route", "plan"]
    second, _ = ask(Script([LOOK], [clip_look(4, 6)], [answer()]), budget=Budget(frames=4))
    assert second.budget.ended_by == "frames"
    _, server = ask(script(), resume=second.run_id, budget=Budget(frames=500))
    assert "route" not in server.steps


def test_a_profile_may_leave_it_out(ask, monkeypatch, tmp_path):
    (tmp_path / "unsorted.toml").write_text(PROFILE.replace("[", '["route", '))
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "unsorted.toml"))
    found, server = ask(script(routes("count", thing="ball")))
    assert server.steps == ["plan", "look", "plan", "verify"]
    assert found.status == "answered"


def test_the_route_is_told_as_it_is_found(ask):
    events = []
    ask(script(routes("locate", thing="a red bar")), on_event=events.append)
    told = [event for event in events if event.step == "route"]
    assert [event.text for event in told] == [
        "reading the question",
        "a question of the kind locate: a red bar",
    ]
    assert json.loads(json.dumps(told[1].data))["route"]["kind"] == "locate"


def test_advice_names_no_tool_so_that_it_contradicts_none():
    lines = " ".join([*_SEARCHES.values(), _BESIDE]).casefold()
    assert not [name for name in NAMES if name != "answer" and re.search(rf"\b{name}\b", lines)]


def test_an_event_is_spoken_of_only_where_one_is_named(ask):
    _, server = ask(script(routes("order")))
    told = now(of_step(server, "plan")[0])
    assert "find when each thing it names comes" in told
    assert "The event" not in told


def test_a_list_of_all_is_a_count_only_if_a_number_is_asked_for():
    prompt = render("route", reply=outline(Route))
    count = next(line for line in prompt.splitlines() if line.startswith("- `count`"))
    assert "a number is asked for" in count
    assert "without their number is no count" in count
    assert "in_parts" in prompt


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"in_parts": "Yes", "detail": "very brief"}, (True, "brief")),
        ({"in_parts": None, "detail": None}, (False, "normal")),
        ({"in_parts": "no", "detail": "Detailed."}, (False, "detailed")),
        ({}, (False, "normal")),
    ],
)
def test_the_form_of_the_answer_is_read_leniently(given, read):
    route = Route.model_validate({"kind": "whole", **given})
    assert (route.in_parts, route.detail) == read
