"""Questions about unknown text are answered by the lines that have their words, and by none where some are missing."""

from __future__ import annotations

import pytest

from tests.agents.signals.film import Event, Film, ask
from vidagent.agents.signals.language.content_words import content_words
from vidagent.agents.signals.language.intent import understand

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
    assert {(span["start_s"], span["end_s"]) for span in found["spans"]} == {(10.0, 40.0)}
    assert there.frames_sent <= 3


def test_words_of_the_question_that_stand_on_screen_have_their_times():
    found = ask(menu(), "from when on is the grilled trout there")
    assert (found["found"], found["spans"]) == ("yes", [{"start_s": 10.0, "end_s": 40.0}])


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("which wine did the waiter praise with the trout", "Grilled trout 16.90"),  # one word of four
        ("where does the trout swim", "Grilled trout 16.90"),
    ],
)
def test_what_only_has_some_of_the_words_is_named_and_no_answer(question, named):
    found = ask(menu(), question)
    assert found["found"] == "cannot_judge"
    assert f'"{named}" at 0:10.000' in found["answer"]


@pytest.mark.parametrize("question", ["trout or soup, which sells better", "is the man eating the trout"])
def test_what_is_about_no_text_is_not_answered_from_words_that_happen_to_stand_there(question):
    assert ask(menu(), question)["found"] == "cannot_judge"


def test_nothing_is_looked_for_if_the_texts_are_not_known():
    there = menu(known=False)
    assert ask(there, "is the trout still alive")["found"] == "cannot_judge"
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
        ("When does the sentence appear under the picture?", ["sentence"]),
    ],
)
def test_the_questions_own_words(question, words):
    assert content_words(question.casefold()) == words


BOARD = (
    ("Course plan", (100, 40, 500, 100), 0, 1000),
    ("Lesson 4: weaving", (100, 150, 420, 180), 100, 500),
    ("Next lesson on 3 June", (100, 200, 450, 230), 200, 500),
    ("Yarn", (100, 260, 200, 290), 300, 500),
    ("250 g", (600, 260, 700, 290), 300, 500),
    ("Lesson 5: dyeing", (100, 150, 420, 180), 600, 1000),
    ("Tutor", (100, 260, 200, 290), 600, 1000),
    ("Ida Brook", (100, 300, 260, 330), 600, 1000),
    ("www.loom.example/plan", (100, 600, 500, 630), 700, 1000),
)


def board():
    return Film.steady(25, 40, events=[Event("text", what, a, b, box) for what, box, a, b in BOARD])


@pytest.mark.parametrize(
    ("question", "says", "span"),
    [
        ("how much yarn is needed", "Yarn 250 g", (12.0, 20.0)),
        ("which tutor is written on the slide", "Tutor Ida Brook", (24.0, 40.0)),
        ("when is the next lesson, does it say", "Next lesson on 3 June", (8.0, 20.0)),
        ("what is the title of the slide", "Course plan", (0.0, 40.0)),
        ("which web address is written there", "www.loom.example/plan", (28.0, 40.0)),
        ('What does the line with "Next lesson" say?', "Next lesson on 3 June", (8.0, 20.0)),
    ],
)
def test_the_words_of_a_question_lead_to_the_lines_that_answer_it(question, says, span):
    found = ask(board(), question)
    assert found["found"] == "yes"
    assert says in found["answer"]
    assert span in {(one["start_s"], one["end_s"]) for one in found["spans"]}


@pytest.mark.parametrize(
    "question",
    [
        "what is the title of lesson 6",  # its number stands nowhere
        "what does the third line on the slide say",
        "which text is written above the name of the tutor",
        "which lesson is not about weaving, by the slide",
        "what is the last lesson on the slide about",
        "what is the name of the school on the slide",
        "how many lessons are written on the plan",
        "what date is written beside the yarn",  # what is written there is no date
    ],
)
def test_what_the_texts_do_not_settle_is_not_answered(question):
    assert ask(board(), question)["found"] == "cannot_judge"


def test_until_when_is_answered_with_all_of_the_time_that_a_text_is_shown():
    found = ask(board(), 'Until when is "Next lesson" on screen?')
    assert found["spans"] == [{"start_s": 8.0, "end_s": 20.0}]
    assert "until 20.000 s" in found["answer"]
    gone = ask(board(), 'When does "Next lesson" disappear?')
    assert gone["spans"][0]["start_s"] == 20.0


def test_a_number_is_quoted_with_its_line():
    there = Film.steady(25, 40, events=[Event("text", "Order number 80417", 100, 500)])
    found = ask(there, "which number is written there")
    assert found["answer"].startswith('"80417" (in "Order number 80417", on screen from 0:04.000')
    assert ask(there, "What is the order number at 8 s?")["answer"] == "Order number 80417"
