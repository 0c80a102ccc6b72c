"""The classifier that says whether a question is about text on screen."""

import pytest

from vidagent.agents.signals.language import wording
from vidagent.agents.signals.language.about_text import about_text
from vidagent.agents.signals.language.intent import understand
from vidagent.agents.signals.vision.colours import COLOUR_NAMES


@pytest.mark.parametrize(
    "question",
    [
        "which town is printed on the parcel",
        "whats the final tally on the scoreboard",
        "give me the phone number of the plumber",
        "when does quoted come into sight on the slide",
    ],
)
def test_questions_about_text(question):
    assert about_text(question) >= 0.5
    assert understand(question).signal in {"reading", "text"}


@pytest.mark.parametrize(
    "question",
    [
        "how many geese cross the road",
        "why does the boy in the green coat laugh",
        "when does the surgeon cut the thread",
        "what is the girl with the kite waiting for",
        "does quoted win against the other wrestler",
    ],
)
def test_questions_about_what_only_eyes_tell(question):
    assert about_text(question) <= 0.4
    assert understand(question).signal == "none"


@pytest.mark.parametrize(
    ("question", "signal"),
    [
        ("What does the noticeboard say?", "reading"),
        ("What does she say about the harbour?", "speech"),
    ],
)
def test_what_is_said_may_be_written(question, signal):
    assert understand(question).signal == signal


@pytest.mark.parametrize("colour", COLOUR_NAMES)
def test_the_planners_own_sentences_are_understood_for_each_colour(colour):
    assert understand(wording.is_filled(colour)).signal == "colour"
    assert understand(wording.claim_fill(colour, 12.5)).signal == "colour"
    assert understand(wording.on_background(colour)).signal == "reading"


def test_a_question_without_a_word_is_about_nothing():
    assert understand("").signal == "none"
    assert understand("…!").signal == "none"
