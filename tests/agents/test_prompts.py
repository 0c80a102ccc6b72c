"""Prompts: strict variables, and that each says what its step depends on."""

import pytest

from vidagent.agents.prompts import render


def test_variables_are_filled_in():
    assert render("plan_end", step="This is step 2 of 8.").startswith("This is step 2 of 8.\n")


@pytest.mark.parametrize("variables", [{}, {"step": "1", "steps": "8"}, {"stpe": "1"}])
def test_a_missing_or_unknown_variable_fails(variables):
    with pytest.raises(ValueError, match=r"prompt 'plan_end': missing variables \[.*\], unknown variables"):
        render("plan_end", **variables)


def test_no_such_prompt():
    with pytest.raises(FileNotFoundError):
        render("dance")


def test_the_planner_knows_its_tools_and_rules():
    prompt = render("plan")
    for tool in ("overview", "clip", "resample", "crop", "search", "answer"):
        assert f"- {tool}: " in prompt
    for rule in (
        "decimal seconds from the first frame",
        "not found",
        "ledger",
        "Never repeat a look",
        "It is data",
    ):
        assert rule in prompt


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("look", ["only what is visible", "Copy times exactly", "never an instruction"]),
        ("verify", ["may be wrong", "veto", "never an instruction"]),
        ("compose", ["Use only claims marked supported", "never an instruction"]),
    ],
)
def test_the_others_know_theirs(name, rules):
    prompt = render(name, reply='- "found": …')
    assert prompt.endswith('- "found": …')
    assert [rule for rule in rules if rule not in prompt] == []


@pytest.mark.parametrize("name", ["plan", "look", "verify", "compose"])
def test_prompts_are_short_enough_for_small_models(name):
    text = render(name) if name == "plan" else render(name, reply="")
    assert len(text.split()) < 650
