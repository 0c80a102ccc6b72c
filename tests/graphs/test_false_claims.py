"""A model that claims what is not so: a veto leads back to a look, and what is refused never is the answer."""

from __future__ import annotations

import json

import pytest

from tests.graphs.scripts import Script, answer, clip_look, observation
from tests.scripted_server import (
    block_of,
    claims_of,
    labelled_images,
    routes,
    says,
    step_of,
    texts,
    tool_results,
)
from vidagent.api import replay_run

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("few_frames")]

LOOK = clip_look(1, 3)
OPTIONS = ["a ghost", "a red bar", "nothing"]
BAR = {"text": "A red bar is shown at the left.", "ledger": ["L1"], "time_s": 2.0}
GHOST = {"text": "A ghost dances behind it.", "ledger": ["L1"], "time_s": 2.5}
TRUE = {"answer": "Something red is shown at the left.", "claims": [BAR]}
SEEN = [{"start_s": 1.5, "end_s": 2.5}]


class Honest(Script):
    """A liar who meets a checker that knows there is a red bar, and nothing else."""

    def __init__(self, *turns, worded=None, **script):
        super().__init__(*turns, worded=worded, **script)

    def _judge(self, claim):
        verdict = "unsupported" if "ghost" in claim.casefold() else "supported"
        return {"why": "I see a red bar", "verdict": verdict, "confidence": 0.9}


def answering(words: str, draft: dict, worded: str | None = None) -> Honest:
    """Return a script whose draft has these words, and a checker that gives them a verdict of their own."""
    return Honest([LOOK], [answer(**{**draft, "answer": words})], worded=worded)


def plans(server):
    return [body for body in server.bodies if step_of(body) == "plan"]


# --- claims


def test_a_claim_that_the_frames_do_not_show_leads_back_to_a_look(ask):
    lie = answer(answer="A ghost dances.", claims=[GHOST], count=1)
    found, server = ask(Honest([LOOK], [lie], [clip_look(4, 6)], [answer(**TRUE, spans=SEEN)]))
    assert server.steps == ["route", *["plan", "look", "plan", "verify"] * 2]
    assert found.status == "answered"
    assert [(item.claim, item.verdict) for item in found.evidence] == [(BAR["text"], "supported")]
    assert "ghost" not in json.dumps(found.to_dict())


def test_a_lie_beside_a_truth_takes_nothing_along(ask):
    spans = [*SEEN, {"start_s": 2.51, "end_s": 2.9}, {"start_s": 6, "end_s": 7}]
    lie = answer(answer="A bar and a ghost.", claims=[BAR, GHOST], spans=spans, count=3, choice=0)
    found, _ = ask(Honest([LOOK], [lie]), options=OPTIONS)
    told = found.to_dict()
    assert (found.status, told["spans"], found.count) == ("answered", SEEN, 1)
    assert (found.choice, [item.claim for item in found.evidence]) == (1, [BAR["text"]])
    assert "ghost" not in json.dumps(told)


def test_a_claim_of_a_time_that_nobody_looked_at_is_refused_without_a_request(ask, monkeypatch, tmp_path):
    (tmp_path / "blind.toml").write_text("plan_sees_overview = false\nframes_per_call = 6\n")
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "blind.toml"))
    far = {"start_s": 6.0, "end_s": 7.0}
    lie = answer(**{**TRUE, "claims": [{**BAR, "time_s": 6.5}], "spans": [far]})
    found, server = ask(Honest([LOOK], [lie]))
    assert "verify" not in server.steps
    assert (found.status, found.spans, found.evidence) == ("not_found", (), ())
    (veto, *_) = [json.loads(text) for text in tool_results(plans(server)[-1]) if "claims" in text]
    assert "none at its time" in veto["claims"][0]["why"]


@pytest.mark.parametrize("ledger", [["L77"], ["L1", "L1000000"], ["../../etc/passwd"]])
def test_an_entry_that_does_not_exist_is_no_support(ask, ledger):
    found, server = ask(Honest([LOOK], [answer(answer="A ghost.", claims=[{**GHOST, "ledger": ledger}])]))
    assert "no ledger entry is called" in texts(plans(server)[2])
    assert (found.status, found.evidence, found.spans) == ("not_found", (), ())
    assert "ghost" not in found.answer


def test_an_entry_that_says_the_opposite_is_no_support(ask):
    look = observation(found=False, what="No ghost is there.")
    found, server = ask(Honest([LOOK], [answer(answer="A ghost.", claims=[GHOST])], look=look))
    assert server.steps.count("verify") == 1
    assert (found.status, found.evidence, found.spans, found.confidence) == ("not_found", (), (), 0)


def test_a_claim_is_never_asked_twice_about_the_same_frames(ask):
    found, server = ask(Script([LOOK], [answer()], verdicts=["unsupported", "supported"]))
    assert server.steps == ["route", "plan", "look", "plan", "verify", "plan"]
    assert (found.status, found.evidence, found.confidence) == ("not_found", (), 0)


# --- what the answer rests on


@pytest.mark.parametrize("count", [42, 0])
def test_beside_a_refused_claim_a_count_that_no_claim_explains_is_left_out(ask, count):
    found, _ = ask(Honest([LOOK], [answer(**{**TRUE, "claims": [BAR, GHOST]}, spans=SEEN, count=count)]))
    assert (found.status, found.count) == ("answered", None)


def test_a_count_that_a_claim_says_stands(ask):
    claim = {**BAR, "text": "There are five red bars."}
    found, _ = ask(Honest([LOOK], [answer(answer=claim["text"], claims=[claim], count=5)]))
    assert found.count == 5


def test_no_count_is_told_that_fewer_places_are_left_for_than_claims_stand(ask):
    claims = [
        {"text": text, "ledger": ["L1"], "time_s": time_s}
        for text, time_s in (("A bar.", 2.0), ("A bar again.", 6.5), ("A ghost.", 4.5))
    ]
    places = [{"start_s": 1.5, "end_s": 2.5}, {"start_s": 4, "end_s": 5}]
    told = answer(answer="A ghost and a bar, twice.", claims=claims, spans=places, count=2)
    found, _ = ask(Honest([clip_look(0, 8)], [told]), "How many times is there something?")
    assert [item.claim for item in found.evidence] == ["A bar.", "A bar again."]
    assert found.count is None
    assert "In all" not in found.answer


def test_a_count_stands_before_the_claims_where_the_answers_own_words_do_not(ask):
    """A checker sees three squats, and not that these are three."""
    places = [(1, "It goes down."), (4, "It goes down again."), (7, "It goes down once more.")]
    claims = [{"text": text, "ledger": ["L1"], "time_s": time_s} for time_s, text in places]
    told = answer(answer="It goes down three times.", claims=claims, spans=[], count=3)

    def words(worded):
        script = Script([clip_look(0, 8)], [told], worded=worded)
        return ask(script, "How many times does it go down?")[0].answer

    assert words("partial").startswith("In all: 3.\n0:01 It goes down.\n0:04 It goes down again.\n")
    assert words("unsupported").startswith("0:01 It goes down.\n")
    assert words("supported").startswith("It goes down three times.")


def test_a_count_of_what_is_left_says_how_many_were_drafted(ask):
    times = {"A bar.": 2.0, "A bar again.": 6.5, "A ghost.": 4.5}
    claims = [{"text": text, "ledger": ["L1"], "time_s": time_s} for text, time_s in times.items()]
    places = [{"start_s": time_s - 0.5, "end_s": time_s + 0.5} for time_s in times.values()]
    told = answer(answer="Three bars.", claims=claims, spans=places, count=3)
    found, _ = ask(Honest([clip_look(0, 8)], [told]), "How many times is there a bar?")
    assert found.count == 2
    assert found.answer.startswith("In all: 2, of 3 that were thought to be seen.\n")


def test_beside_a_refused_claim_a_place_that_no_claim_is_in_is_left_out(ask):
    places = [*SEEN, {"start_s": 6, "end_s": 7}]
    found, _ = ask(Honest([LOOK], [answer(**{**TRUE, "claims": [BAR, GHOST]}, spans=places)]))
    assert found.to_dict()["spans"] == SEEN


def test_a_no_without_any_look_chooses_nothing(ask, monkeypatch, tmp_path):
    (tmp_path / "blind.toml").write_text('plan_sees_overview = false\nwithout = ["shapes"]\n')
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "blind.toml"))
    found, _ = ask(Honest([answer(found="no", answer="No.", claims=[], spans=[], choice=2)]), options=OPTIONS)
    assert (found.status, found.choice) == ("not_found", None)


def test_a_no_that_says_more_is_cut_to_a_no(ask):
    lie = answer(found="no", answer="No cat, but a ghost dances at 5 s", claims=[GHOST], spans=[])
    found, _ = ask(Honest([LOOK], [lie]))
    assert found.status == "not_found"
    assert found.answer.startswith("Not found: it. Looked at")


# --- the words of the answer


@pytest.mark.parametrize(
    "words",
    [
        "A red bar is shown at the left. A dragon swallows everything afterwards.",
        "A red bar is shown at the left, for 42 seconds.",
        'A red bar is shown at the left, and it reads "SALE".',
        "At the left a red bar is shown, ghost and all.",
        "Dragons everywhere!",
        "A red bar is shown at the left. " * 120,
    ],
)
def test_beside_a_refused_claim_the_others_are_the_answer(ask, words):
    found, _ = ask(answering(words, {**TRUE, "claims": [BAR, GHOST], "spans": SEEN}))
    assert (found.status, found.answer) == ("answered", BAR["text"])


@pytest.mark.parametrize(
    "words", ["A red bar is shown at the left, for 42 seconds.", 'A red bar is shown, and it reads "SALE".']
)
def test_numbers_and_quotes_that_no_claim_has_are_never_said(ask, words):
    found, _ = ask(answering(words, {**TRUE, "spans": SEEN}))
    assert (found.status, found.answer) == ("answered", BAR["text"])


@pytest.mark.parametrize("chooses", [0, 1, 2])
def test_beside_a_refused_claim_the_others_choose_the_option_that_they_name(ask, chooses):
    draft = {**TRUE, "claims": [BAR, GHOST], "choice": chooses}
    found, _ = ask(answering("It is seen.", draft), options=OPTIONS)
    assert found.choice == 1


@pytest.mark.parametrize(
    ("kind", "options", "choice"),
    [
        ("choice", ["the red ghost", "the red bar", "the red dog"], 1),
        ("choice", ["a ghost", "a bar at the left", "a bar at the right"], 1),
        ("choice", ["a ghost", "red", "a bar"], None),
        ("choice", ["a ghost", "a dog"], None),
        ("order", ["a ghost", "a red bar"], None),
    ],
)
def test_a_refused_option_gives_way_only_to_the_one_that_a_claim_names_in_full(ask, kind, options, choice):
    """Words that all options share name none of them, and what is left of a comparison decides nothing."""
    script = answering("It is seen.", {**TRUE, "claims": [BAR, GHOST], "choice": 0})
    script.route = routes(kind)
    found, _ = ask(script, options=options)
    assert (found.choice, [item.claim for item in found.evidence]) == (choice, [BAR["text"]])


def test_a_claim_that_denies_an_option_does_not_choose_it(ask):
    no_dog = {"text": "No red dog is in the room.", "ledger": ["L1"], "time_s": 2.0}
    script = answering("It is seen.", {**TRUE, "claims": [no_dog, GHOST], "choice": 0})
    script.route = routes("choice")
    found, _ = ask(script, options=["a ghost", "a red dog"])
    assert found.choice is None


DOG = {"text": "The dog chases the cat.", "ledger": ["L1"], "time_s": 2.0}
CHASE = {"claims": [DOG]}


@pytest.mark.parametrize("verdict", ["unsupported", "partial", "cannot_tell"])
@pytest.mark.parametrize("words", ["The cat chases the dog.", "Der Hund jagt die Katze nicht.", "Dog cat."])
def test_words_that_the_frames_do_not_show_give_way_to_the_claims(ask, words, verdict):
    found, server = ask(answering(words, CHASE, verdict))
    assert (found.status, found.answer) == ("answered", DOG["text"])
    again = ["plan"] if verdict == "unsupported" else []
    assert server.steps == ["route", "plan", "look", "plan", "verify", *again]


@pytest.mark.parametrize(
    "words", ["A cat is chased by the dog.", "Der Hund jagt die Katze.", "犬が猫を追いかける。"]
)
def test_words_that_the_frames_of_the_claims_show_are_the_answer_in_the_same_request(ask, words):
    found, server = ask(answering(words, CHASE, "supported"))
    assert (found.status, found.answer) == ("answered", words)
    assert server.steps == ["route", "plan", "look", "plan", "verify"]
    [claim, said] = claims_of(server.bodies[-1])
    assert (claim[0], said[0]) == (DOG["text"], words)
    shown = [time_s for time_s, _ in labelled_images(server.bodies[-1])]
    assert said[1:] == (shown[0], shown[-1])


def test_words_that_are_a_claim_are_asked_about_once(ask):
    found, server = ask(answering(DOG["text"], CHASE, "unsupported"))
    assert [claim for claim, _, _ in claims_of(server.bodies[-1])] == [DOG["text"]]
    assert (found.answer, found.confidence) == (DOG["text"], 0.9)


def test_refused_words_go_back_once_with_the_reason(ask):
    better = answer(**{**CHASE, "answer": "A cat runs away from a dog."})
    script = Honest([LOOK], [answer(**{**CHASE, "answer": "A ghost chases the cat."})], [better])
    found, server = ask(script)
    assert found.answer == "A cat runs away from a dog."
    [told] = json.loads(tool_results(plans(server)[-1])[-1])["claims"]
    assert (told["claim"], told["why"]) == ("A ghost chases the cat.", "I see a red bar")
    assert [claim for claim, _, _ in claims_of(server.bodies[-1])] == ["A cat runs away from a dog."]


def test_words_about_several_claims_are_judged_on_the_frames_of_all(ask):
    claims = [
        {**DOG, "text": "A bell rings.", "time_s": 1.0},
        {**DOG, "text": "A gate opens.", "time_s": 3.0},
    ]
    script = answering("First a bell rings, then a gate opens.", {"claims": claims}, "supported")
    found, server = ask(script)
    assert found.answer == "First a bell rings, then a gate opens."
    spans = [span for _, *span in claims_of(server.bodies[-1])]
    assert spans == [[1.0, 1.0], [3.0, 3.0], [spans[2][0], spans[2][1]]]
    assert spans[2][0] <= 1.0
    assert spans[2][1] >= 3.0
    refused, _ = ask(answering("A bell rings and a gate opens.", {"claims": claims}, "partial"))
    assert refused.answer == "0:01 A bell rings.\n0:03 A gate opens."


def test_claims_in_place_of_words_have_a_time_where_one_is_asked_for(ask):
    draft = {**CHASE, "spans": []}
    script = answering("Soon.", draft, "partial")
    script.route = routes("locate")
    found, _ = ask(script)
    assert found.answer.startswith("0:02 The dog chases the cat.")


def test_a_profile_without_checks_says_the_claims_word_for_word(ask, monkeypatch, tmp_path):
    (tmp_path / "bare.toml").write_text('without = ["verify"]\nframes_per_call = 6\n')
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "bare.toml"))
    found, server = ask(answering("A cat is chased by the dog.", CHASE))
    assert (found.answer, "verify" in server.steps) == (DOG["text"], False)


def test_such_a_run_is_replayed_and_resumed_as_it_was(ask):
    for verdict, words in (("supported", "Der Hund jagt die Katze."), ("unsupported", "Die Katze jagt.")):
        found, _ = ask(answering(words, CHASE, verdict))
        again, differences = replay_run(found.run_id)
        assert (again.to_dict(), differences) == (found.to_dict(), [])
        kept, server = ask(answering(words, CHASE, verdict), resume=found.run_id)
        assert (kept.answer, server.bodies) == (found.answer, [])


# --- looks that contradict each other


class Changeable(Script):
    """An observer that sees it in the first look only, and in every one at twenty frames a second."""

    def __call__(self, body):
        if step_of(body) == "look":
            times = [time_s for time_s, _ in labelled_images(body)]
            self.looks = getattr(self, "looks", 0) + 1
            sees = self.looks == 1 or len(times) < 5
            return says(observation(found=sees, times=times[:1] if sees else []))
        return super().__call__(body)


AGAIN = clip_look(1, 3, "Tell me: what happens there?")
FIRST = clip_look(1, 3, "Tell me, what happens there")
FINE = ("resample", {"start_s": 0.9, "end_s": 1.1, "fps": 20, "question": "Tell me what happens there!"})
AT_1 = {"text": "It is seen.", "ledger": ["L1"], "time_s": 1.0}


def test_looks_that_contradict_each_other_are_looked_at_again(ask):
    found, server = ask(
        Changeable([FIRST], [AGAIN], [answer(claims=[AT_1])], [FINE], [answer(claims=[AT_1])])
    )
    told = "L1 and L2 contradict each other at 1.000-1.000 s: look there again"
    steps = ["route", "plan", "look", "plan", "look", "plan", "plan", "look", "plan", "verify"]
    assert server.steps == steps
    assert told in block_of(plans(server)[2], "ledger")
    assert told in tool_results(plans(server)[3])[-1]
    assert "contradict" not in block_of(plans(server)[-1], "ledger")
    assert [item.verdict for item in found.evidence] == ["supported"]


def test_what_stays_contradicted_is_supported_in_part_at_most(ask):
    found, server = ask(Changeable([FIRST], [AGAIN], [answer(claims=[AT_1])]))
    assert server.steps == ["route", "plan", "look", "plan", "look", "plan", "plan", "verify"]
    assert [item.verdict for item in found.evidence] == ["partial"]
    assert found.confidence <= 0.5


def test_a_no_does_not_pass_over_a_contradiction(ask):
    no = answer(found="no", answer="No.", claims=[], spans=[])
    found, server = ask(Changeable([FIRST], [AGAIN], [no]))
    assert len(plans(server)) == 4
    assert found.status == "not_found"


def test_other_questions_and_finer_looks_contradict_nothing(ask):
    other = clip_look(1, 3, "Is a cat asleep?")
    _, server = ask(Changeable([FIRST], [other], [FINE], [answer(claims=[AT_1])]))
    assert all("contradict" not in block_of(body, "ledger") for body in plans(server))
