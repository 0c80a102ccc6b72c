import pytest

from vidagent.agents.signals.language.follow_ups import restated

LAST = (
    'asked: When does the text "ORCHID 7421" appear?\n'
    'answer (answered): The text "ORCHID 7421" is shown from 60.000 s to 60.400 s.\n'
    "seen at 60.000-60.400 s"
)
AFTER = "What text is shown right after 60.400 s?"
BEFORE = "What text is shown right before 60.000 s?"
LONG = 'How long is the text "ORCHID 7421" shown?'
GONE = 'When does the text "ORCHID 7421" disappear?'
AGAIN = 'When does the text "ORCHID 7421" appear after 60.400 s?'
READ = "What is written at 60.200 s?"


@pytest.mark.parametrize(
    ("question", "meant"),
    [
        ("And right after that?", AFTER),
        ("and then?", AFTER),
        ("What comes next?", AFTER),
        ("what happens after that?", AFTER),
        ("and before that?", BEFORE),
        ("What was shown just before it?", BEFORE),
        ("what does it say?", READ),
        ("What is written there?", READ),
        ("How long is it shown?", LONG),
        ("and for how long?", LONG),
        ("When does it disappear?", GONE),
        ("until when?", GONE),
        ("Is it there again later?", AGAIN),
        ("when does it come back?", AGAIN),
        ("was it there earlier?", 'When does the text "ORCHID 7421" appear before 60.000 s?'),
        ("Where is it?", 'Where is the text "ORCHID 7421" shown?'),
        ("how often is it shown?", 'How many times is the text "ORCHID 7421" shown?'),
        ("Is it still there at 1:02?", 'Is the text "ORCHID 7421" still there at 1:02?'),
        ('and "FALCON 1234"?', 'When does the text "FALCON 1234" appear?'),
        ("What about the text “FALCON 1234”?", 'When does the text "FALCON 1234" appear?'),
    ],
)
def test_what_a_followup_leaves_out_is_put_in(question, meant):
    assert restated(question, LAST) == meant
    assert restated(meant, LAST) == meant


@pytest.mark.parametrize(
    "question",
    [
        "How long is the video?",
        "When does the match end?",
        "How many cuts are there?",
        "Where does the ball go after that?",
        "How long does the man speak?",
        "Who is that?",
        'Where is the text "FALCON 1234" shown?',
        "What colour is it?",
    ],
)
def test_other_questions_stay_as_they_are(question):
    assert restated(question, LAST) == question


def test_a_first_question_stays_as_it_is():
    assert restated("And right after that?", "") == "And right after that?"


def test_an_answer_without_a_time_has_nothing_after_it():
    absent = 'asked: When does the text "X 1" appear?\nanswer (not_found): Not found.'
    assert restated("and right after that?", absent) == "and right after that?"
    assert restated("how long is it shown?", absent) == 'How long is the text "X 1" shown?'


def test_what_the_last_turn_does_not_name_an_earlier_one_may():
    later = "asked: What text is shown right after 60.400 s?\nanswer (not_found): No text is read."
    assert restated("when does it disappear?", f"{LAST}\n\n{later}") == GONE


def test_a_shot_that_came_after_is_no_text():
    shot = (
        "asked: What text is shown right after 60.400 s?\nanswer (answered): Right after that no text is read; "
        "a new shot begins at 61.000 s.\nseen at 61.000-61.040 s"
    )
    assert restated("when does it disappear?", shot) == "when does it disappear?"
    assert restated("when does it disappear?", f"{LAST}\n\n{shot}") == GONE
    assert restated("and then?", shot) == "What text is shown right after 61.040 s?"


def test_after_its_end_it_is_still_where_it_was():
    end = f"asked: {GONE}\nanswer (answered): It is shown until 60.400 s.\nseen at 60.400-60.440 s"
    assert restated("what does it say?", f"{LAST}\n\n{end}") == READ
    assert restated("and then?", f"{LAST}\n\n{end}") == AFTER


def test_after_a_reading_of_one_frame_it_lasts_as_long_as_before():
    read = f"asked: {READ}\nanswer (answered): ORCHID 7421\nseen at 60.200-60.240 s"
    assert restated("and right after that?", f"{LAST}\n\n{read}") == AFTER
    assert restated("and before that?", f"{LAST}\n\n{read}") == BEFORE


def test_again_is_after_the_thing_and_not_after_what_was_asked_since():
    before = (
        "asked: What text is shown right before 60.000 s?\nanswer (answered): Right before that no text is read; "
        "a new shot begins at 58.000 s.\nseen at 58.000-58.040 s"
    )
    assert restated("is it there again later?", f"{LAST}\n\n{before}") == AGAIN


def test_a_text_that_was_read_can_be_asked_about():
    read = "asked: What is written at 12.000 s?\nanswer (answered): GATE 7\nseen at 12.000-12.040 s"
    assert restated("how long is it shown?", read) == 'How long is the text "GATE 7" shown?'
    beside = (
        "asked: What text is shown right after 60.400 s?\n"
        'answer (answered): Right after that the text "GATE 7" is read, at 61.600 s.\nseen at 61.600-61.640 s'
    )
    assert restated("when does it appear?", f"{LAST}\n\n{beside}") == 'When does the text "GATE 7" appear?'
    assert restated('and "FALCON 1"?', f"{LAST}\n\n{beside}") == 'When does the text "FALCON 1" appear?'


def test_a_code_stays_a_code():
    code = 'asked: When does the QR code "VID1" appear?\nanswer (answered): It is.\nseen at 2.000-3.000 s'
    assert restated("how long is it shown?", code) == 'How long is the QR code "VID1" shown?'
    assert restated('and "VID2"?', code) == 'When does the QR code "VID2" appear?'


def test_the_part_asked_about_stays():
    part = 'asked: When does the text "X 1" appear after 60.400 s?\nanswer (answered): It is.\nseen at 90.000-91.000 s'
    assert restated("how long is it shown?", part) == 'How long is the text "X 1" shown after 60.400 s?'
