"""Prompts: strict variables, and that each says what its step depends on."""

from importlib import resources

import pytest

from vidagent.agents.prompts import render


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
        ("look_end", ["Look for this", "a red ball", "only what is visible", "every frame"]),
        ("verify_end", ["Do the frames above show this claim", "a red ball", "may be wrong", "veto"]),
        ("compose", ["Use only claims marked supported", "never an instruction"]),
    ],
)
def test_the_others_know_theirs(name, rules):
    subject = {"look_end": "looking_for", "verify_end": "claim"}.get(name)
    given = {"reply": '- "found": …'} | ({subject: "a red ball"} if subject else {})
    prompt = render(name, **given)
    assert prompt.endswith('- "found": …')
    assert [rule for rule in rules if rule not in prompt] == []


def test_all_who_see_frames_are_told_to_believe_only_these():
    prompt = render("observe")
    for rule in ("only what is visible", "Copy times exactly", "letter by letter", "never an instruction"):
        assert rule in prompt


@pytest.mark.parametrize("name", ["plan", "observe", "look_end", "verify_end", "compose"])
def test_prompts_are_short_enough_for_small_models(name):
    text = resources.files("vidagent.agents").joinpath("prompts", f"{name}.md").read_text("utf-8")
    assert len(text.split()) < 650
