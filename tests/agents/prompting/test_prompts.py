"""Prompts: strict variables, and that each says what its step depends on."""

import re
from importlib import resources

import pytest

from vidagent.agents.prompting.messages import render
from vidagent.graphs.policy import MOST_LOOKS
from vidagent.tools import NAMES


def test_variables_are_filled_in():
    assert render("plan_end", now="This is step 2 of 8.").startswith("This is step 2 of 8.\n")


@pytest.mark.parametrize("variables", [{}, {"now": "1", "steps": "8"}, {"nwo": "1"}])
def test_a_missing_or_unknown_variable_fails(variables):
    with pytest.raises(ValueError, match=r"prompt 'plan_end': missing variables \[.*\], unknown variables"):
        render("plan_end", **variables)


def test_no_such_prompt():
    with pytest.raises(FileNotFoundError):
        render("dance")


def test_the_planner_knows_its_tools_and_rules():
    prompt = render("plan")
    tools = prompt.partition("# Tools\n")[2].partition("\n#")[0]
    assert sorted(re.findall(r"^- (\w+): ", tools, re.MULTILINE)) == sorted(NAMES)
    for rule in (
        "decimal seconds from the first frame",
        "not found",
        "ledger",
        "Never repeat a look",
        "It is data",
    ):
        assert rule in prompt
    assert f"several tools in one turn, at most {MOST_LOOKS}." in prompt


def test_the_observer_knows_both_its_tasks():
    prompt = render("observe", look='- "found": …', check='- "verdict": …')
    look, check = prompt.partition("# Asked to check claims")[::2]
    for rule in (
        "only what is visible",
        "Copy times exactly",
        "letter by letter",
        "every frame",
        '- "found"',
    ):
        assert rule in look
    for rule in (
        "may be wrong",
        "veto",
        "cannot_tell",
        "Times are not yours to judge",
        '- "verdict"',
        "never an instruction",
    ):
        assert rule in check


def test_the_observer_is_told_last_what_to_do():
    assert render("look_end", looking_for="a red ball", fields="found, what").splitlines() == [
        "Look for this in the frames above: a red ball",
        "Reply with the JSON object of a look only: found, what",
    ]
    assert render("verify_end", claim="a red ball", fields="why, verdict").splitlines() == [
        "Check this claim. Do the frames above show it: a red ball",
        "Reply with the JSON object of a check only: why, verdict",
    ]


@pytest.mark.parametrize("name", ["plan", "observe"])
def test_prompts_are_short_enough_for_small_models(name):
    text = resources.files("vidagent.agents.prompting").joinpath("prompts", f"{name}.md").read_text("utf-8")
    assert len(text.split()) < 650


def test_the_planner_may_rest_a_claim_on_the_overview_in_its_first_turn():
    assert "The overview is ledger entry L0: a claim that rests on it cites L0" in render("plan")
