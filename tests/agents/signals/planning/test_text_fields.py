import pytest

from vidagent.agents.signals.planning.earlier_looks import Line
from vidagent.agents.signals.planning.text_fields import choose, rule_for


def line(text, time_s=1.0, box_px=(10, 10, 200, 30)):
    return Line(time_s, text, box_px, "L1")


def answer(question, *lines):
    reading = choose(question, lines)
    return None if reading is None else reading.answer


@pytest.mark.parametrize(
    ("question", "texts", "expected"),
    [
        ("which file is selected?", ["after_serialize.png"], "after_serialize.png"),
        ("what is the file name?", ["Open  report(2).final.pdf  12 KB"], "report(2).final.pdf"),
        ("what time does the clock show?", ["Sat 20:00", "20:00"], "20:00"),
        ("which url is shown?", ["see https://example.org/tea?x=1 now"], "https://example.org/tea?x=1"),
        ("which web address is shown?", ["visit docs.python.org/3/ today"], "docs.python.org/3/"),
        ("what is written?", ["HARBOUR MORNING"], "HARBOUR MORNING"),
        ("what does the sign say?", ["EXIT", "EXIT"], "EXIT"),
    ],
)
def test_the_text_asked_for(question, texts, expected):
    assert answer(question, *(line(text, n) for n, text in enumerate(texts))) == expected


@pytest.mark.parametrize(
    ("question", "texts"),
    [
        ("which file is selected?", ["one.png", "two.png"]),
        ("which file is selected?", ["one.png", "one.png", "two.png"]),
        ("which file is selected?", ["no file here"]),
        ("what time does the clock show?", ["20:00", "20:01"]),
        ("which url is shown?", ["a.example.org", "b.example.org"]),
        ("what does the sign say?", ["EXIT", "ENTRANCE"]),
        ("what is written?", []),
        ("what word is typed?", ["help"]),
        ("what does the text mention behind you?", ["There is a tower. Look behind you."]),
    ],
)
def test_doubt_is_no_answer(question, texts):
    assert answer(question, *(line(text, n) for n, text in enumerate(texts))) is None


def test_a_misreading_is_outvoted():
    lines = [line("20:00", n) for n in range(6)] + [line("28:88", 7), line("20.00", 8)]
    assert answer("what time does the clock show?", *lines) == "20:00"


def test_a_question_without_a_rule():
    assert rule_for("how warm is it?") is None
    assert choose("how warm is it?", [line("20 degrees")]) is None


def test_a_typed_text_is_the_one_that_grows():
    grown = [line(text, t) for t, text in enumerate(["h", "he", "hel", "help"])]
    other = [line("Search", t, (300, 300, 400, 330)) for t in range(4)]
    assert answer("which word is typed?", *grown, *other) == "help"


def test_what_was_typed_stays_whole_when_it_is_deleted():
    texts = ["h", "he", "help", "he", "h"]
    assert answer("which word is typed?", *(line(text, t) for t, text in enumerate(texts))) == "help"


def test_two_texts_that_grow_are_no_answer():
    one = [line(text, t) for t, text in enumerate(["h", "he", "hel", "help"])]
    two = [line(text, t, (300, 300, 400, 330)) for t, text in enumerate(["m", "me", "men", "menu"])]
    assert answer("which word is typed?", *one, *two) is None


def test_a_text_that_moves_does_not_grow():
    lines = [line("he", 0, (10, 10, 40, 30)), line("help", 1, (500, 300, 560, 320))]
    assert answer("which word is typed?", *lines) is None


def test_the_noun_before_the_place_is_mentioned():
    lines = [
        line("Your captivating smile lights up", 1.0, (10, 10, 300, 30)),
        line("the lighthouse behind you.", 1.0, (10, 40, 300, 60)),
        line("The sea is calm.", 1.0, (10, 70, 300, 90)),
    ]
    assert answer("which building behind the person does the compliment mention?", *lines) == "the lighthouse"


def test_sentences_that_disagree_mention_nothing():
    lines = [line("See the lighthouse behind you.", 1.0), line("See the tower behind you.", 2.0)]
    assert answer("which building behind the person does the text mention?", *lines) is None


def test_a_text_that_comes_bit_by_bit_is_one():
    first = [line("Open a new browser.", t, (10, 10, 300, 30)) for t in (1.0, 2.0)]
    both = [line("Open a new browser.", 3.0, (10, 10, 300, 30)), line("Chrome fast.", 3.0, (10, 40, 200, 60))]
    assert answer("what is written?", *first, *both) == "Open a new browser. Chrome fast."


def test_the_same_frame_looked_at_twice_is_read_once():
    again = [line("EXIT", 1.0), line("EXIT", 1.0, (11, 10, 200, 30))]
    assert answer("what is written?", *again) == "EXIT"


def test_slight_misreadings_are_the_same_text():
    texts = ["Upload New Headshot"] * 3 + ["Upload Ne Headshot", "Upload ew Headshot"]
    lines = [line(text, t) for t, text in enumerate(texts)]
    assert answer("what is written on the button?", *lines) == "Upload New Headshot"


def test_one_stray_frame_in_many_is_let_pass_and_more_are_not():
    steady = [line("EXIT 12", t) for t in range(30)]
    assert answer("what is written?", *steady, line("vinvnr", 40)) == "EXIT 12"
    strays = [line("vinvnr", 40 + t) for t in range(8)]
    assert answer("what is written?", *steady, *strays) is None
    assert answer("what is written on the green sign?", *steady, *strays) == "EXIT 12"


def test_a_page_full_of_text_is_not_recited():
    page = [line(f"line {n} of a page", 1.0, (10, 30 * n, 300, 30 * n + 20)) for n in range(9)]
    assert answer("what is written?", *page) is None


def test_lines_are_read_in_order():
    lines = [
        line("right", 1.0, (200, 12, 300, 32)),
        line("below", 1.0, (10, 50, 100, 70)),
        line("left", 1.0, (10, 10, 100, 30)),
    ]
    assert answer("what is written?", *lines) == "left right below"
