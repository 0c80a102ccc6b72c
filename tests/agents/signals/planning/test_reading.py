import pytest

from tests.agents.signals.film import Event, Film, ask
from vidagent.agents.signals.language import wording
from vidagent.agents.signals.language.intent import understand
from vidagent.agents.signals.planning.reading import option_named, sub_question

FPS = 25


def film(*events, seconds=60, moments_s=()):
    return Film.steady(FPS, seconds, events=events, moments_s=moments_s)


def text(what, first, end, box_px=(100, 100, 300, 140)):
    return Event("text", what, first, end, box_px)


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("What is written at 3 s?", wording.ANY_TEXT),
        ("Which file is selected?", wording.HIGHLIGHTED),
        ("What is written on the green button?", wording.on_background("green")),
        ("What does the sign on the grey wall say?", wording.on_background("grey")),
    ],
)
def test_what_the_frames_are_asked(question, asked):
    assert sub_question(understand(question)) == asked


def test_options_are_matched_letter_for_letter():
    options = ["a hammock", "Open!", "open it"]
    assert option_named("OPEN", options) == 1
    assert option_named("open  it", options) == 2
    assert option_named("opens", options) is None
    assert option_named("...", options) is None


def test_a_text_at_a_time_is_read_in_the_one_frame_shown_then():
    there = film(text("GATE 7", 500, 510), text("GATE 8", 510, 600))
    found = ask(there, "What is written at 20.39 s?")
    assert (found["found"], found["answer"]) == ("yes", "GATE 7")
    assert found["spans"] == [{"start_s": 20.36, "end_s": 20.4}]
    assert there.frames_sent == 1


@pytest.mark.parametrize(
    ("place", "grid"),
    [("upper left corner", "3x3:1,1"), ("bottom right", "3x3:3,3"), ("corner", "2x2"), ("small text", "2x2")],
)
def test_a_corner_is_read_by_crop(place, grid):
    there = film(text("BERTH 14", 0, 1500))
    found = ask(there, f"What is written in the {place} at 8 s?")
    assert found["answer"] == "BERTH 14"
    assert [(result.tool, result.args["grid"]) for result in there.results] == [("crop", grid)]


@pytest.mark.parametrize(
    "question",
    [
        "How many words are on the screen at 5 s?",
        "How many letters does the title have?",
    ],
)
def test_what_asks_more_than_the_words_is_not_judged_and_costs_no_look(question):
    there = film(text("GO", 0, 500))
    assert ask(there, question)["found"] == "cannot_judge"
    assert there.results == []


def test_when_a_text_is_shown_that_the_question_only_describes():
    there = film(
        text("Harbour Morning", 50, 400, (300, 80, 900, 150)), text("page 3", 50, 400, (10, 680, 80, 700))
    )
    found = ask(there, "When is the title shown?")
    assert (found["found"], found["spans"]) == ("yes", [{"start_s": 2.0, "end_s": 16.0}])
    assert '"Harbour Morning"' in found["answer"]


def test_nothing_written():
    found = ask(film(text("GO", 0, 100)), "What is written at 30 s?")
    assert found["found"] == "no"


def test_several_texts_are_all_named_and_not_sure():
    found = ask(film(text("GO", 0, 500), text("STOP", 700, 1500)), "What does the sign say?")
    assert found["found"] == "yes"
    assert "GO; STOP" in found["answer"]
    assert found["confidence"] < 0.5


def test_one_text_is_read_wherever_it_is():
    hidden = film(text("GATE 7 OPEN", 937, 947))
    found = ask(hidden, "What does the sign say?")
    assert found["answer"].startswith('"GATE 7 OPEN" (on screen from 0:37.480 to 0:37.880')
    assert hidden.frames_sent <= 2


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is the title?", "Harbour Morning"),
        ("What is the web address?", "www.example.org/tea"),
        ("Which number is next to the total?", "42"),
        ("What is written at the bottom of the screen?", "page 3 of 12"),
        ("What is the page number?", "3"),
        ("What is written in the upper right corner of the screen?", "BERTH 14"),
    ],
)
def test_form_place_size_and_the_words_beside_it_choose_a_text(question, answer):
    there = film(
        text("Harbour Morning", 50, 400, (300, 80, 900, 150)),
        text("www.example.org/tea", 500, 700, (300, 300, 600, 330)),
        text("Total 42", 800, 900, (300, 400, 500, 430)),
        text("page 3 of 12", 1000, 1200, (500, 650, 620, 670)),
        text("BERTH 14", 1300, 1400, (1100, 20, 1250, 45)),
    )
    found = ask(there, question)
    assert found["found"] == "yes"
    assert answer in found["answer"]
    assert found["spans"]


def test_only_the_range_asked_about_is_read():
    signs = (text("GO", 0, 500), text("STOP", 700, 1500))
    assert '"STOP"' in ask(film(*signs), "What does the sign say after 40 s?")["answer"]
    assert '"GO"' in ask(film(*signs), "What does the sign say between 2 s and 10 s?")["answer"]
    assert '"STOP"' in ask(film(*signs), "What does the sign say near the end?")["answer"]
    found = ask(film(*signs), "What does the sign say between 22 s and 26 s?")
    assert found["found"] == "no"


def test_options():
    sign = film(text("Ladder", 0, 1500))
    found = ask(sign, "What is written on the sign?", ["hammock", "ladder"])
    assert found["choice"] == 1
    both = film(text("ladder", 0, 700), text("hammock", 700, 1500))
    assert ask(both, "What is written on the sign?", ["hammock", "ladder"])["found"] == "cannot_judge"
    assert ask(film(text("rope", 0, 9)), "What is written?", ["a", "b"])["found"] != "yes"


def test_a_sentence_that_comes_up_is_looked_for_by_its_first_words():
    menu = text("Upload New Headshot", 0, 1500, (10, 10, 300, 40))
    words = text("Your captivating smile lights up", 500, 1500, (10, 300, 500, 340))
    there = film(menu, words)
    found = ask(there, "When does the sentence appear under the picture?")
    assert (found["found"], found["spans"]) == ("yes", [{"start_s": 20.0, "end_s": 60.0}])


def test_of_two_sentences_neither_is_meant():
    one = text("Your captivating smile lights up", 500, 1500, (10, 300, 500, 340))
    two = text("See the lighthouse behind you", 900, 1500, (10, 200, 500, 240))
    assert ask(film(one, two), "When does the sentence appear?")["found"] == "cannot_judge"


def test_a_look_at_another_time_does_not_tell_what_is_written_at_this_one():
    film = Film.steady(25.0, 60, events=[Event("text", "BRIDGE 8486", 0, 250)])
    film.call("resample", start_s=9.0, end_s=12.0, fps=2.5, question=wording.ANY_TEXT)
    found = ask(film, "What is written at 11.000 s?")
    assert (found["found"], found["answer"]) == ("no", "No such text was read at 11.000 s")
    again = ask(film, "What is written at 9.000 s?")
    assert (again["answer"], again["spans"][0]["start_s"]) == ("BRIDGE 8486", 9.0)
    assert film.frames_sent == 8 + 1
