"""The overview in later turns: grids, a description made once without the question, or nothing."""

from __future__ import annotations

import pytest

from tests.graphs.scripts import Script, answer, clip_look
from tests.scripted_server import block_of, frames_shown, grids, labelled_images, says, step_of, texts
from vidagent import api

pytestmark = pytest.mark.network

DESCRIBED = "L0 overview 0.000-8.000 s, 9 frames, described: 0.000-8.000 s: A bar moves."


@pytest.fixture
def form(monkeypatch, tmp_path):
    """Say how the planner gets the overview."""

    def write(first: str, later: str) -> None:
        lines = [f"overview_form = '{first}'", f"overview_again = '{later}'", "without = ['boundaries']"]
        (tmp_path / "own.toml").write_text("\n".join(["frames_per_call = 6", "overview_frames = 9", *lines]))
        monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "own.toml"))

    return write


def script() -> Script:
    return Script([clip_look(1, 3)], [clip_look(3, 5)], [answer()])


def plans(server) -> list:
    return [body for body in server.bodies if step_of(body) == "plan"]


def shown(server) -> list[tuple[int, int]]:
    """Return how many single frames and how many grids each turn shows."""
    return [(len(labelled_images(body)), len(grids(body))) for body in plans(server)]


@pytest.mark.parametrize(
    ("first", "later", "wanted"),
    [
        ("frames", "grid", [(9, 0), (0, 2), (0, 2)]),
        ("grid", "none", [(0, 2), (0, 0), (0, 0)]),
        ("frames", "frames", [(9, 0), (9, 0), (9, 0)]),
    ],
)
def test_later_turns_show_the_overview_as_the_profile_says(ask, form, first, later, wanted):
    form(first, later)
    found, server = ask(script())
    assert shown(server) == wanted
    assert found.usage.frames_sent == sum(frames_shown(body) for body in server.bodies)
    assert "describe" not in server.steps


def test_the_overview_is_described_once_for_all_questions(ask, form):
    form("frames", "text")
    found, server = ask(script(), "When is the bar seen?")
    assert sorted(server.steps[2:4]) == ["describe", "look"], "beside the first look, not before it"
    [told] = [body for body in server.bodies if step_of(body) == "describe"]
    assert len(grids(told)) == 2
    assert "bar seen" not in texts(told)
    assert shown(server) == [(9, 0), (0, 0), (0, 0)]
    assert [DESCRIBED in (block_of(body, "ledger") or "") for body in plans(server)] == [False, True, True]

    again, server = ask(script(), "Where is the bar?")
    assert "describe" not in server.steps
    assert [DESCRIBED in (block_of(body, "ledger") or "") for body in plans(server)] == [True] * 3
    assert shown(server) == [(9, 0), (0, 0), (0, 0)]
    assert [api.replay_run(one.run_id)[1] for one in (found, again)] == [[], []]


def test_a_run_goes_on_without_a_description(ask, form):
    form("frames", "text")
    useless = script()
    found, server = ask(lambda body: says("I cannot") if step_of(body) == "describe" else useless(body))
    assert server.steps.count("describe") == 3
    assert (found.status, shown(server)) == ("answered", [(9, 0), (0, 2), (0, 2)])
