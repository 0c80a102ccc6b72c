"""Before or after an event: the time beside it is looked at before an answer is accepted, by code if need be."""

from __future__ import annotations

import json

import pytest

from tests.graphs.scripts import Script, answer, clip_look, code_looks, observation
from tests.scripted_server import labelled_images, routes, step_of, tool_results
from vidagent.api import replay_run
from vidagent.types import Budget

AFTER = routes("order", thing="what falls", anchor="a red ball rolls", side="after")
BEFORE = routes("order", thing="what falls", anchor="a red ball rolls", side="before")
NONE = routes("order", thing="what falls", anchor=None, side=None)
BALL = {"text": "A red ball rolls.", "ledger": ["L1"], "time_s": 2.0}
CUP = {"text": "A cup falls.", "ledger": ["L1"], "time_s": 6.0}
DRAFT = answer(answer="A cup falls.", claims=[BALL, CUP], spans=[{"start_s": 6, "end_s": 6.5}])
COARSE = clip_look(0, 8, "When does a red ball roll, and what falls?")
SEEN = observation(times=[2.0], what="A ball.")


@pytest.fixture(autouse=True)
def blind(monkeypatch, tmp_path):
    """Let the model take few frames, and the planner see none of them."""
    (tmp_path / "blind.toml").write_text(
        "frames_per_call = 8\nplan_sees_overview = false\nwithout = ['boundaries']\n"
    )
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "blind.toml"))


pytestmark = pytest.mark.network


def times(server, number: int) -> list[float]:
    body = [body for body in server.bodies if step_of(body) == "look"][number]
    return [time_s for time_s, _ in labelled_images(body)]


@pytest.mark.parametrize(("route", "first_s", "last_s"), [(AFTER, 2.0, 6.0), (BEFORE, 0.0, 2.0)])
def test_the_time_beside_the_event_is_looked_at_and_the_planner_has_another_turn(ask, route, first_s, last_s):
    sparse = ("resample", {"start_s": 0, "end_s": 8, "fps": 0.5, "question": COARSE[1]["question"]})
    found, server = ask(Script([sparse], [DRAFT], route=route, look=SEEN))
    assert server.steps[:6] == ["route", "plan", "look", "plan", "look", "plan"]
    assert (times(server, 1)[0], times(server, 1)[-1]) == (
        pytest.approx(first_s, abs=0.05),
        pytest.approx(last_s, abs=0.05),
    )
    told = [json.loads(text) for text in tool_results(server.bodies[5])]
    assert told[1]["held"].startswith("before it is accepted, code looks beside the event")
    [look] = code_looks(server.bodies[5])
    assert (told[1]["looks"], look["id"]) == (["L2"], "L2")
    assert [message["role"] for message in server.bodies[5]["messages"]][-3:] == ["assistant", "tool", "user"]
    assert server.steps[6:] == ["verify"]  # its words are the claims' own
    assert found.status == "answered"
    again, differences = replay_run(found.run_id)
    assert (again.to_dict(), differences) == (found.to_dict(), [])


def test_what_was_looked_at_each_second_is_not_looked_at_again(ask):
    _, server = ask(Script([COARSE, clip_look(1.9, 6.2)], [DRAFT], route=AFTER, look=SEEN))
    assert server.steps[:5] == ["route", "plan", "look", "look", "plan"]
    assert server.steps[5:] == ["verify"]


@pytest.mark.parametrize(
    "route", [NONE, routes("locate", thing="what falls", anchor="a red ball rolls", side="after")]
)
def test_only_where_an_event_is_named_to_look_beside(ask, route):
    sparse = ("resample", {"start_s": 0, "end_s": 8, "fps": 0.5, "question": "What falls?"})
    _, server = ask(Script([sparse], [DRAFT], route=route, look=SEEN))
    assert server.steps.count("look") == 1


def test_without_frames_to_spare_the_draft_passes(ask):
    sparse = ("resample", {"start_s": 0, "end_s": 8, "fps": 0.5, "question": "What falls?"})
    found, server = ask(Script([sparse], [DRAFT], route=AFTER, look=SEEN), budget=Budget(frames=20))
    assert server.steps.count("look") == 1
    assert found.usage.frames_sent <= 20
