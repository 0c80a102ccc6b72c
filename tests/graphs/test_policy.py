"""Which tools the planner is advised to use, when it must answer, what it is told after too much of the same."""

from __future__ import annotations

import re

import pytest

from tests.graphs.scripts import Script, answer, clip_look, observation
from tests.scripted_server import block_of, must_call, step_of, texts, tool_names, tool_results
from vidagent.agents.prompting.replies import Observation
from vidagent.graphs.budget import Meter
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.policy import MAX_STEPS, fitting, hint, looks_allowed, must_answer
from vidagent.graphs.state import Call
from vidagent.images.shown_frame import ShownFrame
from vidagent.tools import NAMES
from vidagent.tools.result import Look
from vidagent.types import Budget

STILL = ShownFrame(1.0, "0" * 64, (8, 8), (0, 0, 8, 8))


def entry(tool: str, found: bool | None, fps: float | None, *, seen: bool = True) -> Entry:
    look = Look(tool, "?", 0, 10, (STILL,), fps)
    return Entry("L1", look, Observation(found=found, what="", confidence=1) if seen else None)


NOTHING = entry("clip", False, 4)


@pytest.mark.parametrize(
    ("entries", "wanted"),
    [
        ([], "overview search clip answer"),
        ([entry("overview", False, 0.1)], "search clip answer"),
        ([entry("overview", None, 0.1, seen=False)], "search clip answer"),
        ([entry("overview", True, 0.1)], "search clip resample answer"),
        ([entry("overview", None, 0.1)], "search clip resample answer"),
        ([entry("overview", None, 4, seen=False)], "clip resample crop answer"),
        ([entry("overview", True, 0.1), entry("clip", True, 1)], "clip resample crop answer"),
        ([entry("search", True, None)], "clip resample crop answer"),
        ([entry("clip", None, 2)], "clip resample crop answer"),
        ([NOTHING, NOTHING], "overview search clip answer"),
        ([NOTHING, NOTHING, NOTHING], " ".join(NAMES)),
    ],
)
def test_a_phased_planner_is_advised_time_first_then_space(entries, wanted):
    assert " ".join(fitting("phased", entries)) == wanted
    assert fitting("free", entries) == NAMES


def test_a_description_made_without_a_question_finds_nothing():
    look = Look("overview", "", 0, 10, (STILL,), 0.1)
    described = Entry("L0", look, Observation(found=None, what="0.000-10.000 s: a street", confidence=1))
    assert " ".join(fitting("phased", [described])) == "search clip answer"


def test_facts_alone_change_nothing():
    facts = Entry("L1", Look("search", "?", 0, 10, facts=("3 shots",)), None)
    assert fitting("phased", [facts]) == fitting("phased", [])


@pytest.mark.parametrize(
    ("budget", "step", "spent", "entries", "wanted"),
    [
        (Budget(), 1, 0, [NOTHING], None),
        (Budget(), MAX_STEPS, 0, [], "steps"),
        (Budget(steps=3), 2, 0, [], None),
        (Budget(steps=3), 3, 0, [], "steps"),
        (Budget(model_calls=9), 2, 5, [NOTHING], None),
        (Budget(model_calls=9), 2, 6, [NOTHING], "model_calls"),
        (Budget(model_calls=9), 2, 6, [], None),
    ],
)
def test_the_turn_after_which_nothing_could_be_answered_is_the_last(budget, step, spent, entries, wanted):
    meter = Meter(budget)
    meter.add("model_calls", spent)
    assert must_answer(step, meter, entries) == wanted


@pytest.mark.parametrize(("left", "looks"), [(None, 6), (1, 1), (3, 1), (5, 3), (20, 6)])
def test_looks_leave_requests_to_answer_with(left, looks):
    assert looks_allowed(Meter(Budget(model_calls=left))) == looks


def called(turn: int, tool: str) -> Call:
    return Call(turn=turn, id="c", entry="L1", tool=tool, args={})


@pytest.mark.parametrize(
    ("tools", "hinted"),
    [
        (["clip"], False),
        (["clip", "clip"], False),
        (["clip", "clip", "clip"], True),
        (["search", "clip", "clip", "clip"], True),
        (["clip", "search", "clip"], False),
        (["clip", "clip", "clip", "crop"], False),
    ],
)
def test_three_turns_of_one_tool_bring_a_hint(tools, hinted):
    asked = [called(turn, tool) for turn, tool in enumerate(tools, 1)]
    assert (hint(asked[-1], asked) is not None) == hinted


def test_many_looks_in_one_turn_are_one_turn():
    asked = [called(1, "clip") for _ in range(6)]
    assert hint(asked[-1], asked) is None
    mixed = [*asked, called(2, "clip"), called(3, "clip"), called(3, "crop")]
    assert hint(mixed[-2], mixed) is None


@pytest.mark.network
def test_the_hint_stands_in_the_third_result(ask):
    looks = [[clip_look(n, n + 1)] for n in range(4)]
    _, server = ask(Script(*looks, [answer()], look=observation(found=False)))
    results = tool_results([body for body in server.bodies if step_of(body) == "plan"][-1])
    assert ["try another tool" in result for result in results] == [False, False, True, True]


@pytest.fixture
def phased(monkeypatch, tmp_path):
    """Give the scripted model a profile for a weaker planner, blind to the overview."""
    (tmp_path / "weak.toml").write_text(
        'planner = "phased"\nplan_sees_overview = false\nlook_concurrency = 2\n'
    )
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "weak.toml"))


def plans_of(server) -> list[dict]:
    return [body for body in server.bodies if step_of(body) == "plan"]


def advice(body) -> str | None:
    """Return the tools that the planner is told to fit now."""
    told = re.search(r"^Tools that fit now: (.*)\.$", texts(body), re.MULTILINE)
    return None if told is None else told[1]


@pytest.mark.network
@pytest.mark.usefixtures("phased")
def test_a_phased_run_narrows_what_it_advises(ask):
    turns = [
        [("overview", {"question": "What is shown?"})],
        [clip_look(1, 3)],
        [("crop", {"time_s": 2, "grid": "1x1", "question": "What is it?"})],
        [answer()],
    ]
    found, server = ask(Script(*turns))
    close = "clip, resample, crop, answer"  # 8 s in 32 frames: close at once
    assert [advice(body) for body in plans_of(server)] == ["overview, search, clip, answer", *[close] * 3]
    assert found.status == "answered"


@pytest.mark.network
@pytest.mark.usefixtures("phased")
def test_a_tool_that_does_not_fit_is_used_all_the_same(ask):
    crop = ("crop", {"time_s": 2, "grid": "1x1", "question": "What is it?"})
    found, server = ask(Script([crop], [answer()]))
    assert "crop" not in advice(plans_of(server)[0])
    assert server.steps == ["route", "plan", "look", "plan", "verify"]
    assert found.status == "answered"
    assert block_of(server.bodies[2], "looking_for") == "What is it?"


@pytest.mark.network
@pytest.mark.parametrize("planner", ["free", "phased"])
def test_the_same_tools_are_offered_in_every_turn(ask, monkeypatch, tmp_path, planner):
    (tmp_path / "own.toml").write_text(f'planner = "{planner}"\nplan_sees_overview = false\n')
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "own.toml"))
    looks = [[clip_look(n, n + 1)] for n in range(3)]
    _, server = ask(Script(*looks, [answer()]), budget=Budget(steps=4))
    plans = plans_of(server)
    assert tool_names(plans[0]) == list(NAMES)
    assert all(body["tools"] == plans[0]["tools"] for body in plans)
    assert [must_call(body) for body in plans] == [None, None, None, "answer"]
    assert advice(plans[-1]) is None  # the last turn has one thing to do
    assert (advice(plans[0]) is None) == (planner == "free")
