"""A profile that leaves parts out: tools are not offered, the index is not told, claims go unchecked."""

from typing import get_args

import pytest

from tests.graphs.scripts import Script, answer, clip_look
from tests.scripted_server import block_of, step_of, texts, tool_names
from vidagent.agents.profiles.schema import AgentPart, Profile
from vidagent.errors import UsageError
from vidagent.tools import NAMES

pytestmark = pytest.mark.network

LOOK = clip_look(1, 4)


@pytest.fixture
def ask_without(ask, tmp_path, monkeypatch):
    """Return the function that asks with parts left out."""

    def run(without, script, **rest):
        text = f"frames_per_call = 6\noverview_frames = 9\nwithout = {list(without)}\n".replace("'", '"')
        profile = tmp_path / f"less_{'_'.join(without)}.toml"
        profile.write_text(text)
        monkeypatch.setenv("VIDAGENT_PROFILE", str(profile))
        return ask(script, **rest)

    return run


def plans(server):
    return [body for body in server.bodies if step_of(body) == "plan"]


def test_a_tool_left_out_is_not_offered_and_a_call_of_it_is_not_done(ask_without):
    crop = ("crop", {"time_s": 2.0, "grid": "2x2", "question": "What is there?"})
    found, server = ask_without(["crop"], Script([LOOK], [crop], [answer()]))
    first = plans(server)[0]
    assert tool_names(first) == [name for name in NAMES if name != "crop"]
    assert "Not offered here: crop." in texts(first)
    assert found.status == "answered"
    assert [step_of(body) for body in server.bodies].count("look") == 1


def test_without_the_index_nothing_of_it_is_told(ask_without):
    _, server = ask_without(["index"], Script([LOOK], [answer()]))
    first = plans(server)[0]
    assert "search" not in tool_names(first)
    assert len(block_of(first, "facts").splitlines()) == 3  # duration, picture, sound
    _, server = ask_without([], Script([LOOK], [answer()]))
    assert "no subtitles" in block_of(plans(server)[0], "facts")


def test_without_the_check_claims_are_passed_on_as_partial(ask_without):
    found, server = ask_without(["verify"], Script([LOOK], [answer()], verdicts=["unsupported"]))
    assert not [body for body in server.bodies if step_of(body) == "verify"]
    assert (found.status, [item.verdict for item in found.evidence]) == ("answered", ["partial"])
    checked, _ = ask_without([], Script([LOOK], [answer()], verdicts=["unsupported"]))
    assert checked.status == "not_found"


def test_a_part_that_there_is_not_is_refused(ask_without):
    with pytest.raises(UsageError, match="without"):
        ask_without(["answer"], Script([LOOK], [answer()]))


def test_every_tool_but_answer_can_be_left_out():
    assert set(NAMES) - {"answer"} <= set(get_args(AgentPart))
    assert "answer" not in get_args(AgentPart)


def test_search_goes_with_the_index():
    assert Profile("x", without=("index",)).lacks("search")
    assert not Profile("x", without=("search",)).lacks("index")
