"""Looks that code decides are steps like others, and the planner's history says that they are code's."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.graphs.scripts import Script, answer, clip_look, code_looks, observation
from tests.scripted_server import routes, step_of

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("few_frames")]

COUNTED = answer(count=1, spans=[])
NOBODY = observation(found=False, what="Nothing.")


def words(messages) -> list[str]:
    """Return the texts of the first message of the user, without the pictures and their times."""
    told = [part["text"] for part in messages[1]["content"] if part["type"] == "text"]
    return [text for text in told if not text.startswith("t = ")]


def test_a_sweep_is_told_as_codes_own_and_as_the_reply_to_the_draft_it_held(ask):
    script = Script([clip_look(1, 3)], [COUNTED], route=routes("count", thing="ball"), look=NOBODY)
    found, server = ask(script)
    plans = [body["messages"] for body in server.bodies if step_of(body) == "plan"]
    assert code_looks({"messages": plans[1]}) == []
    looks = code_looks({"messages": plans[2]})
    assert [look["id"] for look in looks] == [f"L{n}" for n in range(2, len(looks) + 2)]
    assert {look["tool"] for look in looks} == {"frames"}
    assert all(look["question"].startswith("ball: give one sighting") for look in looks)
    assert [message["role"] for message in plans[0]] == ["system", "user"]
    for messages in plans:
        roles = [message["role"] for message in messages]
        assert ("user", "user") not in set(pairwise(roles))
    for before, after in pairwise(map(words, plans)):  # what was sent stays, but for the form of the overview
        assert before[: len(after)] == after
    assert [step.step for step in found.usage.by_step][:6] == [
        "survey",
        "route",
        "plan",
        "look",
        "plan",
        "propose",
    ]
