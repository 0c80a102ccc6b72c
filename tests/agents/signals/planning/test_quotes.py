"""Questions that no rule fits are answered by the row of text that has their words, if the texts are known."""

from __future__ import annotations

import pytest

from tests.agents.signals.film import Event, Film, ask
from vidagent.agents.signals.language.intent import understand
from vidagent.agents.signals.planning.texts import content_words

MENU = (
    ("Soup of the day", (100, 100, 400, 130)),
    ("5.50", (700, 100, 780, 130)),
    ("Grilled trout", (100, 200, 400, 230)),
    ("16.90", (700, 200, 780, 230)),
    ("Directed by", (100, 400, 300, 430)),
    ("Jun Sato", (100, 440, 300, 470)),
)


def menu(*, known=True, **rest):
    events = [Event("text", text, 250, 1000, box) for text, box in MENU]
    return Film.steady(25, 60, events=events, texts_known=known, **rest)


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("how much is the trout", "Grilled trout 16.90"),
        ("and the soup, how much is that?", "Soup of the day 5.50"),
        ("so the film was directed by whom exactly", "Directed by Jun Sato"),
    ],
)
def test_the_row_that_has_the_questions_words_is_quoted(question, says):
    there = menu()
    found = ask(there, question)
    assert found["found"] == "yes"
    assert found["answer"].startswith(f'"{says}" (on screen from 0:10.000 to 0:40.000')
    assert found["confidence"] <= 0.5
    assert {(span["start_s"], span["end_s"]) for span in found["spans"]} == {(10.0, 40.0)}
    assert there.frames_sent <= 3


def test_words_of_the_question_that_stand_on_screen_have_their_times():
    found = ask(menu(), "from when on is the grilled trout there")
    assert (found["found"], found["spans"]) == ("yes", [{"start_s": 10.0, "end_s": 40.0}])


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("which wine did the waiter praise with the trout", "Grilled trout 16.90"),  # one word of four
        ("trout or soup, which sells better", "Soup of the day 5.50"),  # two rows, as good as each other
        ("where does the trout swim", "Grilled trout 16.90"),
        ("is the man eating the trout", "Grilled trout 16.90"),
    ],
)
def test_what_only_has_some_of_the_words_is_named_and_no_answer(question, named):
    found = ask(menu(), question)
    assert found["found"] == "cannot_judge"
    assert f'"{named}" at 0:10.000' in found["answer"]


def test_nothing_is_looked_for_if_the_texts_are_not_known():
    there = menu(known=False)
    assert ask(there, "how much is the trout")["found"] == "cannot_judge"
    assert there.results == []


def test_nothing_is_quoted_if_no_word_stands_on_screen():
    there = menu()
    assert ask(there, "which wine did the waiter bring")["found"] == "cannot_judge"
    assert there.frames_sent == 0


def test_a_price_of_another_thing_is_no_answer():
    there = Film.steady(
        25,
        60,
        events=[
            Event("text", "Lemon tart 6.20", 250, 500, (100, 100, 400, 130)),
            Event("text", "28.60 EUR", 600, 1000, (100, 200, 300, 230)),
        ],
    )
    assert "Lemon tart 6.20" in ask(there, "What is the price of the lemon tart?")["answer"]


@pytest.mark.parametrize(
    ("question", "text", "named"),
    [
        ("Does the word pollen appear anywhere?", "pollen", False),
        ("From when is the word help in the search box?", "help", False),
        ("Does it say YOU WIN at any time?", "YOU WIN", False),
        ("When is Anna there?", "Anna", True),
        ("When do I see Jun Sato's name?", "Jun Sato", False),
        ("When was it made? The date is there.", None, False),
        ("When is after_serialize.png on the screen?", "after_serialize.png", False),
        ("What is on the sign at 3.5 s?", None, False),
    ],
)
def test_what_a_question_gives_as_text(question, text, named):
    intent = understand(question)
    assert (intent.text, intent.named) == (text, named)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What is the biggest title at the top left?", []),
        ("how much is the trout", ["trout"]),
        ("is there a step 3 written somewhere", ["step", "3"]),
        ("When does the sentence appear under the picture?", []),
    ],
)
def test_the_questions_own_words(question, words):
    assert content_words(question.casefold()) == words
