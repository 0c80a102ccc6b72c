import pytest

from tests.agents.signals.film import Event, Film, ask
from vidagent.agents.signals.language import wording
from vidagent.agents.signals.language.intent import understand
from vidagent.agents.signals.planning.earlier_looks import Line
from vidagent.agents.signals.planning.reading import option_named, running, sub_question, voted

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


@pytest.mark.parametrize(
    ("line", "runs"),
    [
        ("Your captivating smile lights up", True),
        ("the sea, the sun, the wind.", True),
        ("HARBOUR MORNING", False),
        ("report 1.pdf 12 KB today", False),
        ("", False),
    ],
)
def test_running_words(line, runs):
    assert running(line) is runs


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


def test_nothing_written():
    found = ask(film(text("GO", 0, 100)), "What is written at 30 s?")
    assert found["found"] == "no"


def test_different_texts_are_no_answer_and_are_told():
    found = ask(film(text("GO", 0, 500), text("STOP", 700, 1500)), "What does the sign say?")
    assert found["found"] == "cannot_judge"
    assert '"GO", "STOP"' in found["answer"]


def test_one_text_is_read_wherever_it_is():
    hidden = film(text("GATE 7 OPEN", 937, 947), moments_s=[5.0, 37.6])
    assert ask(hidden, "What does the sign say?")["answer"] == "GATE 7 OPEN"
    assert [result.tool for result in hidden.results] == ["overview", "search"]


def test_only_the_range_asked_about_is_read():
    signs = (text("GO", 0, 500), text("STOP", 700, 1500))
    assert ask(film(*signs), "What does the sign say after 40 s?")["answer"] == "STOP"
    assert ask(film(*signs), "What does the sign say between 2 s and 10 s?")["answer"] == "GO"
    assert ask(film(*signs), "What does the sign say near the end?")["answer"] == "STOP"
    found = ask(film(*signs, moments_s=[1.0, 50.0]), "What does the sign say between 22 s and 26 s?")
    assert found["found"] == "no"


def test_options():
    sign = film(text("Ladder", 0, 1500))
    found = ask(sign, "What is written on the sign?", ["hammock", "ladder"])
    assert (found["choice"], found["answer"]) == (1, "ladder")
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


@pytest.mark.parametrize(
    "question",
    [
        "How many words are on the screen at 5 s?",
        "What is the last word shown?",
        "Does the title say the price?",
    ],
)
def test_what_no_rule_fits_costs_no_look(question):
    there = film(text("GO", 0, 500))
    assert ask(there, question)["found"] == "cannot_judge"
    assert there.frames_sent == 0


def test_a_look_at_another_time_does_not_tell_what_is_written_at_this_one():
    film = Film.steady(25.0, 60, events=[Event("text", "BRIDGE 8486", 0, 250)])
    film.call("resample", start_s=9.0, end_s=12.0, fps=2.5, question=wording.ANY_TEXT)
    found = ask(film, "What is written at 11.000 s?")
    assert (found["found"], found["answer"]) == ("no", "No such text was read at 11.000 s")
    again = ask(film, "What is written at 9.000 s?")
    assert (again["answer"], again["spans"][0]["start_s"]) == ("BRIDGE 8486", 9.0)
    assert film.frames_sent == 8 + 1


def line(what, time_s, entry="L1", box_px=(10, 10, 90, 26)):
    return Line(time_s, what, box_px, entry)


@pytest.mark.parametrize(
    ("read", "others", "right"),
    [
        ("HAMNER 4076", ["HAMMER 4076", "HAMMER4076", "HAMMER 4076"], "HAMMER 4076"),
        ("HAMMER 4076", ["HAMNER 4076", "HAMMER 4076"], "HAMMER 4076"),
        ("HAMMER 4076", ["HAMNER 4076"], "HAMMER 4076"),
        ("CLOCK 12:03", ["CLOCK 12:04"] * 4, "CLOCK 12:03"),
        ("GATE 17", ["GATE I7"] * 4, "GATE 17"),
        ("typed wor", ["typed word"] * 4, "typed wor"),
        ("OPEN", ["SHUT"] * 4, "OPEN"),
    ],
)
def test_neighbouring_frames_vote_about_letters_and_not_about_digits_or_other_texts(read, others, right):
    lines = [line(read, 3.0), *(line(text, 3.2 + n / 5, f"L{n + 2}") for n, text in enumerate(others))]
    found = voted(lines[0], lines)
    assert found.text == right
    assert found in lines


def test_a_line_elsewhere_and_a_large_one_have_no_vote():
    small, large = line("HAMNER 4076", 3.0), line("HAMNER 4076", 3.0, box_px=(10, 10, 200, 60))
    moved = [line("HAMMER 4076", 3.2, "L2", (10, 60, 90, 76))] * 3
    assert voted(small, [small, *moved]) is small
    assert voted(large, [large] + [line("HAMMER 4076", 3.2, "L2", (10, 10, 200, 60))] * 3) is large


def test_a_small_text_in_a_corner_is_read_in_five_frames():
    corner = film(text("HAMMER 4076", 0, 1500, (8, 8, 100, 24)))
    found = ask(corner, "What does the small text in the upper left corner say at 12 s?")
    assert found["answer"] == "HAMMER 4076"
    assert [(result.tool, result.args["time_s"]) for result in corner.results] == [
        ("crop", time_s) for time_s in (12.0, 11.6, 11.8, 12.2, 12.4)
    ]
    changed = film(text("BERTH 14", 0, 300, (8, 8, 100, 24)), text("GATE 7", 300, 1500, (8, 8, 100, 24)))
    found = ask(changed, "What does the small text in the upper left corner say at 12 s?")
    assert found["answer"] == "GATE 7"
