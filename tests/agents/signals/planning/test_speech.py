"""Questions about what is said, answered from lines of a transcript as a search lists them."""

from __future__ import annotations

import pytest

from tests.agents.signals.film import Event, Film
from tests.agents.signals.film import ask as film_ask
from vidagent.agents.prompting.replies import Judgement
from vidagent.agents.signals.language import wording
from vidagent.agents.signals.model import _noted
from vidagent.agents.signals.planning.earlier_looks import Past, Result
from vidagent.agents.signals.planning.planner import plan

LINES = (
    "spoken 1.000-4.000 s: The harbour opens at seven.",
    "spoken 9.000-12.000 s: Marble is what they sell here.",
    "spoken 30.000-33.000 s: At seven we close the harbour again.",
)
TOLD_APART = (
    "spoken 1.000-4.000 s, speaker A: The harbour opens at seven.",
    "spoken 9.000-12.000 s, speaker Anna: Marble is what they sell here.",
    "spoken 30.000-33.000 s, speaker A: At seven we close the harbour again.",
)
ALL = "speech: 3 lines; 100.0% of the sound was transcribed; 0 subtitle lines"
HALF = "speech: 3 lines; 50.0% of the sound was transcribed; 0 subtitle lines"


def ask(question, *facts, options=None):
    """Return the answer once the search that is asked for told these facts, and the search."""
    before = Past((), (), 60.0, 0.04)
    (search,) = plan(question, options, before)
    assert search["name"] == "search"
    query = search["args"]["query"]
    told = {"id": "L1", "facts": list(facts)}
    (answer,) = plan(question, options, Past((Result("search", query, {}, told),), (), 60.0, 0.04))
    assert answer["name"] == "answer"
    return answer["args"], query


def spans(answer):
    return [(span["start_s"], span["end_s"]) for span in answer["spans"]]


def test_a_word_is_said_when_its_own_times_say_so_else_in_its_line():
    answer, query = ask('When is "marble" said?', ALL, "spoken 9.100-9.500 s: marble", *LINES)
    assert query == 'Words spoken: "marble"'
    assert (answer["found"], spans(answer)) == ("yes", [(9.1, 9.5)])
    assert answer["answer"] == '"marble" is said at 0:09.100: "Marble is what they sell here".'
    assert answer["claims"] == [
        {"text": '"marble" is said at 9.100 s.', "ledger": ["L1"], "time_s": 9.1},
        {"text": '"Marble is what they sell here." is said at 9.000 s.', "ledger": ["L1"], "time_s": 9.0},
    ]
    unquoted, _ = ask("When is the word marble said?", ALL, *LINES)
    assert spans(unquoted) == [(9.0, 12.0)]


def test_every_time_is_counted_and_the_first_and_the_last_are_told_apart():
    count, _ = ask('How many times is "seven" said?', ALL, *LINES)
    assert (count["count"], spans(count)) == (2, [(1.0, 4.0), (30.0, 33.0)])
    assert spans(ask('When is "seven" said for the first time?', ALL, *LINES)[0]) == [(1.0, 4.0)]
    assert spans(ask('When is "seven" said for the last time?', ALL, *LINES)[0]) == [(30.0, 33.0)]


def test_what_is_said_is_quoted_with_its_time():
    answer, query = ask("What is said at 10 s?", ALL, LINES[1])
    assert query == "Words spoken at 8.000-12.040 s"
    assert answer["answer"] == 'At 0:09.000: "Marble is what they sell here".'
    about, query = ask("What is said about the harbour?", ALL, *LINES)
    assert (query, spans(about)) == ('Words spoken: "harbour"', [(1.0, 4.0), (30.0, 33.0)])
    whole, query = ask("What is said?", ALL, *LINES)
    assert (query, len(whole["claims"])) == ("Words spoken", 3)


def test_a_no_is_surer_where_all_was_transcribed():
    sure, unsure = (ask('Is "velvet" said?', state, *LINES)[0] for state in (ALL, HALF))
    assert (sure["found"], unsure["found"]) == ("no", "no")
    assert sure["confidence"] > unsure["confidence"]
    assert "as far as it was transcribed" in unsure["answer"]
    assert ask("What is said about velvet?", ALL, *LINES)[0]["found"] == "cannot_judge"
    assert ask("Does anybody speak?", ALL)[0]["found"] == "no"
    silent = ask("Does anybody speak?", "speech: the video has no sound; 0 subtitle lines")[0]
    assert (silent["found"], "no sound" in silent["answer"]) == ("no", True)


def test_without_a_speech_model_it_says_how_to_set_one_and_subtitles_do():
    none = "speech: no speech model is set; 0 subtitle lines"
    answer, _ = ask('When is "marble" said?', none)
    assert (answer["found"], answer["answer"]) == ("cannot_judge", wording.NO_SPEECH_MODEL)
    answer, _ = ask('When is "marble" said?', none, "subtitle 9.000-12.000 s: Marble")
    assert spans(answer) == [(9.0, 12.0)]


def test_the_only_option_that_is_said_is_chosen():
    answer, _ = ask("Which of these is said?", ALL, *LINES, options=["orchid", "marble"])
    assert (answer["choice"], spans(answer)) == (1, [(9.0, 12.0)])
    both, _ = ask("Which of these is said?", ALL, *LINES, options=["seven", "marble"])
    assert (both["found"], both["choice"]) == ("cannot_judge", None)


@pytest.mark.parametrize(
    ("claim", "holds"),
    [("marble", True), ("Marble is what", True), ("marb", False), ("they marble", False)],
)
def test_a_claim_of_speech_is_checked_against_its_line(claim, holds):
    verdict = _noted(wording.claim_said(claim, 9.0), "\n".join(LINES), [])
    assert (isinstance(verdict, Judgement) and verdict.verdict == "supported") is holds


@pytest.mark.parametrize(
    ("claim", "holds"),
    [("A", False), ("Anna", True), ("Anna 2", False), ("", True)],
)
def test_a_claim_of_who_speaks_is_checked_against_its_line(claim, holds):
    for text in (wording.claim_said("marble is", 9.0, claim), wording.is_said("marble is", claim)):
        verdict = _noted(text, "\n".join(TOLD_APART), [])
        assert (isinstance(verdict, Judgement) and verdict.verdict == "supported") is holds
    assert _noted(wording.claim_said("marble is", 9.0, "A"), "\n".join(LINES), []) is None


def test_who_says_something_is_told_by_the_label_of_its_line():
    answer, query = ask('Who says "marble"?', ALL, *TOLD_APART)
    assert query == 'Words spoken: "marble"'
    assert answer["answer"] == 'Speaker Anna says at 0:09.000: "Marble is what they sell here".'
    (claim,) = answer["claims"]
    assert claim["text"] == '"Marble is what they sell here." is said by speaker Anna at 9.000 s.'
    for question in (
        "Who said marble?",
        "Which speaker talks about marble?",
        "Who mentions the word marble?",
    ):
        assert spans(ask(question, ALL, *TOLD_APART)[0]) == [(9.0, 12.0)]
    both, _ = ask("Who speaks?", ALL, *TOLD_APART)
    assert both["answer"].count("Speaker") == 2
    assert both["answer"].startswith("Speaker A says at 0:01.000")
    assert "Speaker A says at 0:30" in ask("Who speaks last?", ALL, *TOLD_APART)[0]["answer"]
    assert ask("Who is speaking at 10 s?", ALL, TOLD_APART[1])[0]["answer"].startswith("Speaker Anna")
    assert ask('Who says "velvet"?', ALL, *TOLD_APART)[0]["found"] == "no"


def test_who_talks_over_somebody_else_is_told_apart():
    over = (
        "spoken 8.000-14.000 s, speaker A: I said before, and I say it again, that nobody listens to anybody."
    )
    answer, _ = ask('Who says "marble"?', ALL, over, *TOLD_APART)
    assert answer["answer"] == 'Speaker Anna says at 0:09.000: "Marble is what they sell here".'


def test_who_says_something_is_not_known_without_labels():
    answer, _ = ask('Who says "marble"?', ALL, *LINES)
    assert (answer["found"], answer["claims"]) == ("cannot_judge", [])
    assert answer["answer"].startswith(
        'At 0:09.000: "Marble is what they sell here". But who says it is not known'
    )
    assert ask("What does speaker B say?", ALL, *LINES)[0]["found"] == "cannot_judge"


def test_what_one_speaker_says_is_told_alone():
    answer, _ = ask("What does speaker A say?", ALL, *TOLD_APART)
    assert spans(answer) == [(1.0, 4.0), (30.0, 33.0)]
    assert answer["answer"].startswith('At 0:01.000, speaker A: "The harbour opens at seven".')
    assert spans(ask("When does speaker Anna speak?", ALL, *TOLD_APART)[0]) == [(9.0, 12.0)]
    assert spans(ask("When does Anna speak?", ALL, *TOLD_APART)[0]) == [(9.0, 12.0)]
    assert ask("What does speaker C say?", ALL, *TOLD_APART)[0]["found"] == "cannot_judge"


def test_the_option_that_names_the_speaker_is_chosen():
    answer, query = ask('Who says "marble"?', ALL, *TOLD_APART, options=["Speaker A", "Anna"])
    assert (answer["choice"], query) == (1, 'Words spoken: "marble"')
    assert ask('Who says "marble"?', ALL, *TOLD_APART, options=["Bob", "Eve"])[0]["choice"] is None


def test_what_is_mentioned_is_read_where_nothing_is_transcribed():
    there = Film.steady(25, 60, events=[Event("text", "GATE 7 OPEN", 250, 500)])
    found = film_ask(there, 'When is "GATE 7 OPEN" mentioned?')
    assert (found["found"], found["spans"]) == ("yes", [{"start_s": 10.0, "end_s": 20.0}])
