"""A model that claims what is not so: a veto leads back to a look, and what is refused never is the answer."""

from __future__ import annotations

import json

import pytest

from tests.graphs.scripts import Script, answer, clip_look, observation
from tests.scripted_server import block_of, judges, labelled_images, says, step_of, texts, tool_results
from vidagent.api import replay_run
from vidagent.types import Budget

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("few_frames")]

LOOK = clip_look(1, 3)
OPTIONS = ["a ghost", "a red bar", "nothing"]
BAR = {"text": "A red bar is shown at the left.", "ledger": ["L1"], "time_s": 2.0}
GHOST = {"text": "A ghost dances behind it.", "ledger": ["L1"], "time_s": 2.5}
TRUE = {"answer": "Something red is shown at the left.", "claims": [BAR]}
SEEN = [{"start_s": 1.5, "end_s": 2.5}]


class Honest(Script):
    """A liar whose claims meet a verifier that knows there is a red bar, and nothing else."""

    says_at_last: str | None = None
    chooses: int | None = None

    def __call__(self, body):
        step = step_of(body)
        if step == "verify":
            return judges(body, self._true)
        if step == "compose" and self.says_at_last is not None:
            told = {"answer": self.says_at_last, "choice": self.chooses, "confidence": 0.9}
            return says(json.dumps(told))
        return super().__call__(body)

    def _true(self, claim):
        verdict = "unsupported" if "ghost" in claim.casefold() else "supported"
        return {"why": "I see a red bar", "verdict": verdict, "confidence": 0.9}


def composing(words: str, draft: dict, chooses: int | None = None) -> Honest:
    script = Honest([LOOK], [answer(**draft)])
    script.says_at_last, script.chooses = words, chooses
    return script


def plans(server):
    return [body for body in server.bodies if step_of(body) == "plan"]


# --- claims


def test_a_claim_that_the_frames_do_not_show_leads_back_to_a_look(ask):
    lie = answer(answer="A ghost dances.", claims=[GHOST], count=1)
    found, server = ask(Honest([LOOK], [lie], [clip_look(4, 6)], [answer(**TRUE, spans=SEEN)]))
    assert server.steps == ["route", *["plan", "look", "plan", "verify"] * 2, "compose"]
    assert found.status == "answered"
    assert [(item.claim, item.verdict) for item in found.evidence] == [(BAR["text"], "supported")]
    assert "ghost" not in json.dumps(found.to_dict())


def test_a_lie_beside_a_truth_takes_nothing_along(ask):
    spans = [*SEEN, {"start_s": 2.51, "end_s": 2.9}, {"start_s": 6, "end_s": 7}]
    lie = answer(answer="A bar and a ghost.", claims=[BAR, GHOST], spans=spans, count=3, choice=0)
    found, _ = ask(Honest([LOOK], [lie]), options=OPTIONS)
    told = found.to_dict()
    assert (found.status, told["spans"], found.count) == ("answered", SEEN, 1)
    assert (found.choice, [item.claim for item in found.evidence]) == (None, [BAR["text"]])
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
    assert server.steps == ["route", "plan", "look", "plan", "verify", "plan", "plan"]
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


# --- the composed answer


@pytest.mark.parametrize(
    "words",
    [
        "A red bar is shown at the left. A dragon swallows everything afterwards.",
        "A red bar is shown at the left, for 42 seconds.",
        'A red bar is shown at the left, and it reads "SALE".',
        "Dragons everywhere!",
        "A red bar is shown at the left. " * 200,
    ],
)
def test_what_the_composer_adds_beside_a_refused_claim_is_left_out(ask, words):
    found, _ = ask(composing(words, {**TRUE, "claims": [BAR, GHOST], "spans": SEEN}))
    assert (found.status, found.answer) == ("answered", BAR["text"])


def test_what_was_refused_does_not_come_back_in_the_composed_answer(ask):
    script = composing(
        "At the left a red bar is shown, ghost and all.", {"answer": "x", "claims": [BAR, GHOST]}
    )
    found, _ = ask(script)
    assert (found.status, found.answer) == ("answered", BAR["text"])


def test_the_planners_words_are_not_taken_on_trust_either(ask):
    lie = {"answer": "A red bar is shown at the left. Dragons swallow it afterwards.", "claims": [BAR, GHOST]}
    found, _ = ask(composing("Dragons swallow it afterwards.", lie))
    assert found.answer == BAR["text"]


@pytest.mark.parametrize(
    "words", ["A red bar is shown at the left, for 42 seconds.", 'A red bar is shown, and it reads "SALE".']
)
def test_numbers_and_quotes_that_no_claim_has_are_never_added(ask, words):
    found, _ = ask(composing(words, {**TRUE, "spans": SEEN}))
    assert (found.status, found.answer) == ("answered", BAR["text"])


def test_an_answer_in_another_language_is_kept(ask):
    found, _ = ask(composing("Links erscheint ein roter Balken.", {**TRUE, "spans": SEEN}))
    assert found.answer == "Links erscheint ein roter Balken."


def test_an_answer_in_other_words_is_kept(ask):
    words = "The red bar appears at the left from 1.5 s on, as shown."
    found, _ = ask(composing(words, {**TRUE, "spans": SEEN}))
    assert found.answer == words


@pytest.mark.parametrize("chooses", [0, 2])
def test_beside_a_refused_claim_a_choice_against_the_claims_is_not_taken(ask, chooses):
    draft = {**TRUE, "claims": [BAR, GHOST], "choice": 1}
    found, _ = ask(composing(BAR["text"], draft, chooses), options=OPTIONS)
    assert found.choice == 1


# --- its words, judged by one who has seen nothing but these texts

DOG = {"text": "The dog chases the cat.", "ledger": ["L1"], "time_s": 2.0}
CHASE = {"answer": "Somebody chases somebody.", "claims": [DOG]}


class Read(Honest):
    """A composer whose words a reader finds the claims to say, or not."""

    verdict: str | None = "supported"

    def __call__(self, body):
        if step_of(body) == "verify" and block_of(body, "claims") is not None:
            self.read = body
            told = {"why": "No claim says that.", "verdict": self.verdict, "confidence": 0.9}
            return says("Hm." if self.verdict is None else json.dumps(told))
        return super().__call__(body)


def read_by(verdict: str | None, words: str, draft: dict = CHASE) -> Read:
    script = Read([LOOK], [answer(**draft)])
    script.says_at_last, script.verdict = words, verdict
    return script


FALSE = [
    "The dog does not chase the cat.",
    "No dog chases the cat.",
    "The cat chases the dog.",
    "The dog chases the cat. It catches it at last.",
    "Der Hund jagt die Katze nicht.",
    "Die Katze jagt den Hund.",
    "The dog chases the chased cat.",
    "Dog cat.",
]


@pytest.mark.parametrize("verdict", ["unsupported", "partial", None])
@pytest.mark.parametrize("words", FALSE)
def test_words_that_the_claims_do_not_say_are_not_the_answer(ask, words, verdict):
    notes: list[str] = []
    script = read_by(verdict, words)
    found, server = ask(script, on_event=lambda event: notes.append(event.text))
    assert (found.status, found.answer) == ("answered", DOG["text"])
    assert server.steps[-2 if verdict else -4 :] == ["compose", *["verify"] * (1 if verdict else 3)]
    why = "No claim says that." if verdict else "its words could not be checked: "
    assert any(
        note.startswith(f"the claims are kept in place of the composed answer: {why}") for note in notes
    )


@pytest.mark.parametrize(
    "words", ["A cat is chased by the dog.", "Der Hund jagt die Katze.", "犬が猫を追いかける。"]
)
def test_words_that_say_what_the_claims_say_are_the_answer(ask, words):
    script = read_by("supported", words)
    found, server = ask(script, options=["the dog", "the cat"])
    assert (found.status, found.answer) == ("answered", words)
    assert labelled_images(script.read) == []
    assert block_of(script.read, "claim") == words
    assert block_of(script.read, "claims").splitlines() == [
        "- [supported] at 2.000 s: The dog chases the cat.",
        "- worked out: from 2.000 s to 3.000 s, which is 1.000 s",
    ]
    assert (block_of(script.read, "question"), block_of(script.read, "options")) == (
        "When is it seen?",
        "0. the dog\n1. the cat",
    )
    assert len(script.read["messages"]) == 2
    assert server.steps[-2:] == ["compose", "verify"]


@pytest.mark.parametrize(
    "words", ["The dog chases the cat.", "At 2 s the dog chases the cat!", "the DOG chases a cat at 2.00 s"]
)
def test_claims_said_again_word_for_word_need_no_reader(ask, words):
    found, server = ask(read_by("unsupported", words))
    assert (found.answer, server.steps[-1]) == (words, "compose")


def test_two_claims_may_be_said_in_any_order_but_not_each_at_the_others_time(ask):
    claims = [
        {**DOG, "text": "A bell rings.", "time_s": 1.0},
        {**DOG, "text": "A gate opens.", "time_s": 3.0},
    ]
    draft = {"answer": "x", "claims": claims}
    kept, server = ask(read_by("unsupported", "A gate opens at 3 s. A bell rings at 1 s.", draft))
    assert (kept.answer, server.steps[-1]) == ("A gate opens at 3 s. A bell rings at 1 s.", "compose")
    swapped, server = ask(read_by("unsupported", "A gate opens at 1 s. A bell rings at 3 s.", draft))
    assert (swapped.answer, server.steps[-1]) == ("0:01 A bell rings.\n0:03 A gate opens.", "verify")


def test_words_that_were_told_and_do_not_stand_start_over(ask):
    events = []
    found, _ = ask(read_by("unsupported", "The cat chases the dog."), on_event=events.append, stream=True)
    tokens = [event for event in events if event.kind == "token"]
    assert "".join(event.text for event in tokens) == "The cat chases the dog."
    assert tokens[-1].data == {"restart": True}
    assert found.answer == DOG["text"]


def test_without_a_request_left_the_claims_are_the_answer(ask):
    notes: list[str] = []
    found, server = ask(
        read_by("supported", "The cat is chased."),
        budget=Budget(model_calls=5),
        on_event=lambda event: notes.append(event.text),
    )
    assert server.steps == ["plan", "look", "plan", "verify", "compose"]
    assert (found.status, found.answer, found.budget.ended_by) == ("answered", DOG["text"], None)
    assert any("could not be checked: the model_calls budget is spent" in note for note in notes)


def test_a_profile_without_checks_says_the_claims_word_for_word(ask, monkeypatch, tmp_path):
    (tmp_path / "bare.toml").write_text('without = ["verify"]\nframes_per_call = 6\n')
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "bare.toml"))
    found, server = ask(read_by("supported", "A cat is chased by the dog."))
    assert (found.answer, "verify" in server.steps) == (DOG["text"], False)
    again, _ = ask(read_by("supported", "The dog chases the cat at 2 s."))
    assert again.answer == "The dog chases the cat at 2 s."


def test_the_planners_own_words_need_the_claims_words_too(ask):
    draft = {"answer": "The cat chases the dog.", "claims": [DOG]}
    script = read_by("unsupported", "Nothing of the kind.", draft)
    found, _ = ask(script)
    assert found.answer == DOG["text"]


def test_such_a_run_is_replayed_and_resumed_as_it_was(ask):
    for verdict, words in (("supported", "Der Hund jagt die Katze."), ("unsupported", "Die Katze jagt.")):
        found, _ = ask(read_by(verdict, words))
        again, differences = replay_run(found.run_id)
        assert (again.to_dict(), differences) == (found.to_dict(), [])
        kept, server = ask(read_by(verdict, words), resume=found.run_id)
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
    steps = ["route", "plan", "look", "plan", "look", "plan", "plan", "look", "plan", "verify", "compose"]
    assert server.steps == steps
    assert told in block_of(plans(server)[2], "ledger")
    assert told in tool_results(plans(server)[3])[-1]
    assert "contradict" not in block_of(plans(server)[-1], "ledger")
    assert [item.verdict for item in found.evidence] == ["supported"]


def test_what_stays_contradicted_is_supported_in_part_at_most(ask):
    found, server = ask(Changeable([FIRST], [AGAIN], [answer(claims=[AT_1])]))
    assert server.steps == ["route", "plan", "look", "plan", "look", "plan", "plan", "verify", "compose"]
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
