"""What a draft's own words may say once they are judged, and the times in them."""

from __future__ import annotations

import pytest

from vidagent.graphs.evidence import grounding, refined_spans
from vidagent.graphs.evidence.boundaries import Refined
from vidagent.graphs.evidence.grounding import may_say, supported_words
from vidagent.graphs.evidence.refined_spans import with_precision
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Verified
from vidagent.tools.answer import Claim, Draft, Place

SPAN = Place(start_s=1.0, end_s=3.0)
RED = ("The red ball is shown.", 1.5)
DOG = ("The dog chases the cat.", 2.0)


def run(question, claims=(RED,), *, kind="locate", verdict="supported", worded="supported", **draft):
    given = Draft(found="yes", claims=[Claim(text=text, time_s=at_s) for text, at_s in claims], **draft)
    verified = [
        Verified(claim=text, verdict=verdict, why="", confidence=0.9, time_s=at_s, ref=None, box_px=None)
        for text, at_s in claims
    ]
    words = {"claim": given.answer, "refs": [], "words": "", "verdict": worded, "why": "", "confidence": 0.9}
    route = {"kind": kind, "thing": "it"}
    state = {"question": question, "route": route, "verified": verified, "worded": [words]}
    return given, Progress({**state, "draft": given.model_dump(mode="json")})


@pytest.mark.parametrize(
    "answer",
    [
        "The red ball is shown.",
        "One sees it at 1.5 s, from 1 s until 3.00 s.",
        "Man sieht ihn 2 s lang.",
    ],
)
def test_words_that_frames_show_may_be_said_with_the_times_of_the_place(answer):
    assert may_say(*run("When is the red ball shown for long?", answer=answer, spans=[SPAN]))


@pytest.mark.parametrize("answer", ["The red ball is shown at 2.7 s.", 'The red ball is shown as "SALE".'])
def test_times_and_quotes_that_no_claim_has_may_not(answer):
    assert not may_say(*run("When is the red ball shown?", answer=answer))


@pytest.mark.parametrize("worded", ["partial", "unsupported", "cannot_tell"])
def test_words_that_frames_do_not_show_may_not(worded):
    assert not may_say(*run("What happens?", [DOG], answer="The cat chases the dog.", worded=worded))


def test_nor_what_rests_on_a_refused_claim():
    assert not may_say(*run("When?", answer=RED[0], verdict="unsupported"))


def test_times_of_a_place_are_those_that_a_closer_look_found(monkeypatch):
    claim = ("The red ball is shown from 1.0 s to 3.0 s, 2 times.", 1.5)
    monkeypatch.setattr(grounding, "refined_places", lambda *_: [Refined(1.24, 2.8, 0, 0)])
    draft, progress = run("When?", [claim], answer=claim[0], spans=[SPAN])
    assert supported_words(draft, progress) == "The red ball is shown from 1.240 s to 2.800 s, 2 times."


@pytest.mark.parametrize("kind", ["locate", "how_long"])
def test_words_without_a_time_get_those_that_were_asked_for(kind):
    places = [SPAN, Place(start_s=7.5, end_s=7.5)]
    draft, progress = run("When?", answer="It is shown twice.", kind=kind, spans=places)
    assert supported_words(draft, progress) == "It is shown twice. (0:01.000 to 0:03.000, 0:07.500)"


def test_without_a_place_they_get_the_time_of_the_claim():
    draft, progress = run("When?", answer="The ball is shown.")
    assert supported_words(draft, progress) == "The ball is shown. (0:01.500)"


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("locate", "It is shown at 1.5 s."),
        ("locate", "Ab 0:01 ist er zu sehen."),
        ("locate", "From 1 to 3."),
        ("count", "It is shown."),
        ("whether", "Yes, it is shown."),
    ],
)
def test_words_that_say_one_or_were_not_asked_for_one_stay(kind, answer):
    draft, progress = run("?", answer=answer, kind=kind, spans=[SPAN])
    assert supported_words(draft, progress) == answer


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
    assert may_say(draft, progress)


def test_a_quote_may_be_put_together_from_several_and_must_be_known():
    claims = [('The sign says "EXIT".', 1.0), ('Below it stands "GATE 7".', 1.0)]
    joined = 'The sign says "EXIT GATE 7".'
    assert may_say(*run("What is written?", claims, answer=joined), by_rules=True)
    assert not may_say(*run("What is written?", claims, answer='It says "ENTRY 7".'), by_rules=True)


def test_inches_are_no_quotation():
    claims = [('"GATE 7" is to be read on it.', 1.0)]
    told = 'The 27" screen shows "{}".'
    assert may_say(
        *run("What does the 27 inch screen show?", claims, answer=told.format("GATE 7")), by_rules=True
    )
    assert not may_say(
        *run("What does the 27 inch screen show?", claims, answer=told.format("GATE 8")), by_rules=True
    )


def test_claims_in_place_of_an_answer_have_their_times():
    draft, progress = run("What happens?", [DOG, RED], answer="A cow sings.", worded="partial")
    assert supported_words(draft, progress) == f"0:01 {RED[0]}\n0:02 {DOG[0]}"


def test_a_claim_that_says_a_time_near_its_frame_gets_no_other_one():
    draft, progress = run(
        "What happens?",
        [("The ball is shown at 1.0 s.", 0.8), ("The dog barks for 5 s.", 2.0)],
        answer="A cow sings.",
        worded="partial",
    )
    assert supported_words(draft, progress) == "The ball is shown at 1.0 s.\n0:02 The dog barks for 5 s."
