"""What an answer may say without being composed again, and its times."""

from __future__ import annotations

import pytest

from vidagent.graphs.evidence import grounding, refined_spans
from vidagent.graphs.evidence.boundaries import Refined
from vidagent.graphs.evidence.grounding import covered, supported_words
from vidagent.graphs.evidence.refined_spans import with_precision
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Verified
from vidagent.tools.answer import Claim, Draft, Place

SPAN = Place(start_s=1.0, end_s=3.0)
RED = ("The red ball is shown.", 1.5)
DOG = ("The dog chases the cat.", 2.0)


def run(question, claims=(RED,), *, kind="locate", options=None, verdict="supported", **draft):
    given = Draft(found="yes", claims=[Claim(text=text, time_s=at_s) for text, at_s in claims], **draft)
    verified = [
        Verified(claim=text, verdict=verdict, why="", confidence=0.9, time_s=at_s, ref=None, box_px=None)
        for text, at_s in claims
    ]
    route = {"kind": kind, "thing": "it"}
    state = {"question": question, "options": options, "route": route, "verified": verified}
    return given, Progress({**state, "draft": given.model_dump(mode="json")})


@pytest.mark.parametrize(
    "answer",
    [
        "The red ball is shown.",
        "the RED ball is shown at 1.5 s, from 1 s until 3.00 s.",
        "The red ball is shown for 2 s.",
    ],
)
def test_a_claim_said_again_with_times_of_its_place_is_covered(answer):
    assert covered(*run("When is the red ball shown for long?", answer=answer, spans=[SPAN]))


@pytest.mark.parametrize(
    "answer",
    [
        "The red ball is not shown.",
        "The blue ball is shown.",
        "The red ball is shown at 2.7 s.",
        'The red ball is shown as "SALE".',
        "The red ball is shown. It is large.",
        "",
    ],
)
def test_anything_more_is_not(answer):
    assert not covered(*run("When is the red ball shown?", answer=answer))


def test_who_does_what_to_whom_is_not_exchanged():
    assert not covered(*run("What happens?", [DOG], answer="The cat chases the dog."))


def test_a_refused_claim_covers_nothing():
    draft, progress = run("When?", answer=RED[0], verdict="unsupported")
    assert not covered(draft, progress)


def test_the_count_and_the_chosen_option_are_covered():
    assert covered(*run("How many times is a ball shown?", answer="A ball is shown 2 times.", count=2))
    assert not covered(*run("How many times is a ball shown?", answer="A ball is shown 3 times.", count=2))
    options = ["the blue ball", "the red ball"]
    assert covered(*run("Which?", answer="It is the red ball.", options=options, choice=1))
    assert not covered(*run("Which?", answer="It is the blue ball.", options=options, choice=0))


def test_times_of_a_place_are_those_that_a_closer_look_found(monkeypatch):
    claim = ("The red ball is shown from 1.0 s to 3.0 s, 2 times.", 1.5)
    monkeypatch.setattr(grounding, "refined_places", lambda *_: [Refined(1.24, 2.8, 0, 0)])
    draft, progress = run("When?", [claim], answer=claim[0], spans=[SPAN])
    assert supported_words(draft, progress) == "The red ball is shown from 1.240 s to 2.800 s, 2 times."


@pytest.mark.parametrize(
    ("kind", "told"), [("locate", True), ("how_long", True), ("count", False), ("whether", False)]
)
def test_precision_is_told_only_where_times_were_asked_for(monkeypatch, kind, told):
    monkeypatch.setattr(refined_spans, "refined_places", lambda *_: [Refined(1.0, 3.0, 0.125, 0.125)])
    draft, progress = run("?", answer=RED[0], kind=kind, spans=[SPAN])
    assert ("known to within 0.125 s" in with_precision("It is.", progress, draft)) is told


@pytest.mark.parametrize(
    "answer",
    [
        "1. The red ball is shown. 2. The dog chases the cat.",
        "1) The red ball is shown.\n2) The dog chases the cat.",
        "0:01 The red ball is shown. 0:02 The dog chases the cat.",
        "The red ball is shown from 1.5 s to 4.25 s. The dog chases the cat.",
    ],
)
def test_list_numbers_clock_times_and_ends_of_stretches_are_no_reason_to_refuse_an_answer(answer):
    draft, progress = run("What happens?", [RED, DOG], answer=answer)
    draft.claims[0].time_s, draft.claims[0].end_s = 1.5, 4.25
    assert covered(draft, progress)


def test_a_quote_may_be_put_together_from_several_and_must_be_known():
    claims = [('The sign says "EXIT".', 1.0), ('Below it stands "GATE 7".', 1.0)]
    joined = 'The sign says "EXIT GATE 7".'
    assert covered(*run("What is written?", claims, answer=joined), by_rules=True)
    assert not covered(*run("What is written?", claims, answer='It says "ENTRY 7".'), by_rules=True)


def test_claims_in_place_of_an_answer_have_their_times():
    draft, progress = run("What happens?", [DOG, RED], answer="A cow sings.")
    assert supported_words(draft, progress) == f"0:01 {RED[0]}\n0:02 {DOG[0]}"


def test_a_claim_that_says_a_time_near_its_frame_gets_no_other_one():
    draft, progress = run(
        "What happens?",
        [("The ball is shown at 1.0 s.", 0.8), ("The dog barks for 5 s.", 2.0)],
        answer="A cow sings.",
    )
    assert supported_words(draft, progress) == "The ball is shown at 1.0 s.\n0:02 The dog barks for 5 s."
