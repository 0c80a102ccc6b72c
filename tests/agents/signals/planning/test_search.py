import pytest

from tests.agents.signals.film import Event, Film, ask

FPS = 25


def film(*events, seconds=60, cuts=(), moments_s=(), fps=FPS):
    return Film.steady(fps, seconds, events=events, cuts=cuts, moments_s=moments_s)


def text(what, first, end, **rest):
    return Event("text", what, first, end, **rest)


def spans_of(found):
    return [(span["start_s"], span["end_s"]) for span in found["spans"]]


def test_a_text_is_found_between_the_frames_of_the_overview_by_the_index():
    found = ask(film(text("GO", 937, 947), moments_s=(3.0, 37.6, 50.0)), 'When is "GO" shown?')
    assert found["found"] == "yes"
    assert found["answer"] == 'The text "GO" is shown from 37.480 s to 37.880 s.'
    assert spans_of(found) == [(37.48, 37.88)]
    assert found["claims"][0]["text"] == 'The text "GO" is shown at 37.480 s.'
    assert found["claims"][0]["time_s"] == 37.48
    assert found["claims"][0]["ledger"]


def test_what_is_nowhere_is_said_not_to_be_found():
    nowhere = film(text("GO", 100, 500), moments_s=[n * 1.1 for n in range(50)])
    found = ask(nowhere, 'Does "STOP" appear?')
    assert (found["found"], found["claims"], found["spans"]) == ("no", [], [])
    assert 'the text "STOP" is shown' in found["answer"]
    seen = {t for result in nowhere.results for t in result.times_s}
    assert f"{len(seen)} frames" in found["answer"]
    assert found["confidence"] > 0.5
    assert sum(result.tool == "search" for result in nowhere.results) == 2, (
        "the texts, and moments: a text may last less than a track"
    )


def test_when_not_all_was_read_neither_a_no_nor_a_count_is_sure():
    part = {"seconds": 600, "moments_s": [n * 11.0 for n in range(50)]}
    nowhere = Film.steady(FPS, events=[text("GO", 100, 500)], read=40.0, **part)
    found = ask(nowhere, 'Does "STOP" appear?')
    assert (found["found"], found["confidence"]) == ("no", 0.5)
    assert sum(result.tool == "search" for result in nowhere.results) > 1, "moments are looked at"
    counted = ask(
        Film.steady(FPS, events=[text("GO", 100, 500)], read=40.0, **part), 'How often is "GO" shown?'
    )
    assert counted["confidence"] <= 0.5
    assert "Only 40% of what may be text was read." in counted["answer"]


def test_when_names_every_showing():
    found = ask(film(text("GO", 100, 200), text("GO", 900, 1000)), 'When is "GO" shown?')
    assert spans_of(found) == [(4.0, 8.0), (36.0, 40.0)]
    assert "is shown 2 times: 4.000 s to 8.000 s; 36.000 s to 40.000 s." in found["answer"]


@pytest.mark.parametrize("kind", ["colour", "code"])
def test_what_frames_far_apart_do_not_show_may_be_between_them(kind):
    question = {"colour": "Is the screen ever red?", "code": "How many QR codes are shown?"}[kind]
    assert ask(film(seconds=600), question)["confidence"] <= 0.5
    assert ask(film(seconds=20), question)["confidence"] > 0.5


def test_until_when():
    found = ask(film(text("GO", 500, 900)), 'When does "GO" disappear?')
    assert found["answer"] == 'The text "GO" is shown until 36.000 s; it began at 20.000 s.'
    assert spans_of(found) == [(36.0, 36.04)]


def test_how_long_adds_all_showings_up():
    events = (text("GO", 250, 500), text("GO", 750, 1000))
    found = ask(film(*events), 'How long is "GO" shown?')
    assert "for 20.000 s, from 10.000 s to 20.000 s and from 30.000 s to 40.000 s" in found["answer"]
    assert len(spans_of(found)) == 2
    first = ask(film(*events), 'How long is "GO" shown the first time?')
    assert spans_of(first) == [(10.0, 20.0)]


def test_order_and_count():
    events = [text("GO", first, first + 100) for first in (100, 500, 900)]
    assert spans_of(ask(film(*events), 'When is "GO" shown for the first time?')) == [(4.0, 8.0)]
    assert spans_of(ask(film(*events), 'When is "GO" shown for the last time?')) == [(36.0, 40.0)]
    assert len(spans_of(ask(film(*events), 'When is "GO" shown each time?'))) == 3
    counted = ask(film(*events), 'How many times is "GO" shown?')
    assert (counted["count"], len(counted["spans"])) == (3, 3)
    assert "as far as was seen" in counted["answer"]


def test_all_showings_are_counted_and_a_few_of_them_looked_at():
    events = [text("GO", first, first + 40) for first in range(20, 1500, 100)]
    there = film(*events)
    found = ask(there, 'How many times is "GO" shown?')
    assert found["count"] == len(events) == len(found["spans"])
    assert there.frames_sent <= 24


def test_a_text_that_differs_in_one_letter_is_named_and_no_hit():
    there = film(text("Committee", 100, 500))
    found = ask(there, 'When does the label "Committed" appear?')
    assert found["found"] == "no"
    assert 'The nearest text that was read differs: "Committee" at 4.000 s' in found["answer"]


def test_a_text_that_stands_outside_of_the_time_asked_about_is_told_and_differs_in_nothing():
    found = ask(film(text("GATE 7", 100, 500)), 'When does the text "GATE 7" appear after 25 s?')
    assert found["found"] == "no"
    assert "It was read at 4.000 s, outside of the time asked about" in found["answer"]
    assert "differs" not in found["answer"]


def test_a_name_without_quotation_marks_is_looked_for_as_a_text():
    there = film(text("Launching Applications", 100, 500))
    assert spans_of(ask(there, "When does Launching Applications appear?")) == [(4.0, 20.0)]
    other = ask(there, "When does Switching Tasks appear?")
    assert (other["found"], other["confidence"]) == ("cannot_judge", 0.0)


@pytest.mark.parametrize(
    ("question", "spans"),
    [
        ('When is "GO" shown between 30 and 50 seconds?', [(36.0, 40.0)]),
        ('When is "GO" shown after 6 s?', [(6.0, 8.0), (36.0, 40.0)]),
        ('When is "GO" shown before 0:10?', [(4.0, 8.0)]),
        ('When is "GO" shown near the end?', [(36.0, 40.0)]),
        ('Is "GO" shown at 38.3 s?', [(38.3, 38.34)]),
    ],
)
def test_only_the_range_asked_about_counts(question, spans):
    found = ask(film(text("GO", 100, 200), text("GO", 900, 1000)), question)
    assert spans_of(found) == [pytest.approx(span) for span in spans]


@pytest.mark.parametrize("question", ['Is "GO" shown at 20 s?', 'When is "GO" shown between 10 s and 30 s?'])
def test_what_is_shown_elsewhere_is_not_shown_there(question):
    found = ask(film(text("GO", 100, 200), text("GO", 900, 1000), moments_s=[4.0, 36.0]), question)
    assert (found["found"], found["spans"]) == ("no", [])


def test_an_instant_is_one_frame_and_not_the_next_one():
    there = film(text("GO", 500, 600))
    assert ask(there, 'Is "GO" shown at 19.99 s?')["found"] == "no"
    assert ask(film(text("GO", 500, 600)), 'Is "GO" shown at 23.99 s?')["found"] == "yes"
    assert there.frames_sent == 1


def test_a_time_after_the_end_is_told():
    found = ask(film(text("GO", 100, 1500)), 'Is "GO" shown at 75 s?')
    assert found["found"] == "no"
    assert "ends at 60.000 s" in found["answer"]


def test_where():
    found = ask(film(text("GO", 100, 1000, box_px=(1100, 20, 1250, 60))), 'Where is the text "GO"?')
    assert "is shown (upper right)" in found["answer"]


def test_a_text_misread_for_a_moment_is_shown_once():
    found = ask(film(text("GO", 500, 700), text("GO", 703, 900)), 'When is "GO" shown?')
    assert spans_of(found) == [(20.0, 36.0)]


def test_a_whole_text_video():
    found = ask(film(text("GO", 0, 1500)), 'When is "GO" shown?')
    assert spans_of(found) == [(0.0, 60.0)]


def test_yes():
    assert ask(film(text("GO", 100, 1500)), 'Does "GO" appear?')["answer"].startswith('Yes: the text "GO"')


def test_colour():
    found = ask(film(Event("colour", "red", 400, 500)), "When is the screen red?")
    assert found["answer"] == "The screen is filled with red from 16.000 s to 20.000 s."


def test_a_still_picture_begins_with_its_first_frame():
    moving = (Event("motion", "", 1, 400), Event("motion", "", 501, 1500))
    found = ask(film(*moving, cuts=[400]), "When is the picture still?")
    assert spans_of(found) == [(16.0, 20.04)]


def test_the_longest_still_time_is_meant():
    moving = (Event("motion", "", 1, 300), Event("motion", "", 401, 700), Event("motion", "", 1201, 1500))
    found = ask(film(*moving), "When does nothing move?")
    (span,) = spans_of(found)
    assert span == pytest.approx((699 / 25, 1201 / 25))


def test_movement():
    found = ask(film(Event("motion", "", 180, 360), cuts=[100, 600]), "When does something move?")
    assert spans_of(found) == [(7.2, 14.4)]
    still = ask(film(cuts=[100, 600]), "Does anything move?")
    assert still["found"] == "no"


def test_no_movement_at_an_instant():
    assert ask(film(Event("motion", "", 180, 360)), "Does anything move at 20 s?")["found"] == "no"
    assert ask(film(Event("motion", "", 180, 360)), "Does anything move at 10 s?")["found"] == "yes"


def test_codes_are_told_apart():
    codes = (Event("code", "one", 250, 500), Event("code", "two", 750, 1000))
    found = ask(film(*codes), "What does the QR code say?")
    assert spans_of(found) == [(10.0, 20.0)]
    assert found["answer"].startswith('The code "one" is shown')
    assert 'Other codes were seen, too: "two".' in found["answer"]
    last = ask(film(*codes), "What does the last QR code say?")
    assert spans_of(last) == [(30.0, 40.0)]
    quoted = ask(film(*codes), 'When is the code with the content "two" shown?')
    assert spans_of(quoted) == [(30.0, 40.0)]
    assert ask(film(*codes), 'When is the QR code "three" shown?')["found"] == "no"


def test_codes_are_counted_by_what_they_say():
    side_by_side = (
        Event("code", "one", 250, 500),
        Event("code", "two", 250, 500),
        Event("code", "one", 900, 990),
    )
    found = ask(film(*side_by_side), "How many QR codes are shown?")
    assert found["count"] == 2
    times = ask(film(*side_by_side), "How many times is a QR code shown?")
    assert times["count"] == 2
    assert ask(film(), "How many QR codes are shown?")["found"] == "no"


def read_before(shown, what):
    """Let a look of another question have told what else it read."""
    page = shown.call("search", query='Is the text "OTHER 1" shown?', page=1)
    page.told["what"] = what
    return shown.frames_sent


def test_a_text_read_when_another_was_looked_for_is_found_at_once():
    event = text("GATE 7221", 150000, 150010)
    shown = film(event, seconds=7200, moments_s=[100.0, 6000.2])
    before = read_before(
        shown,
        'Not in any of the 2 frames checked. Other text: "FALCON 9" at 100.000 s, "GATE 7221" at 6000.200 s.',
    )
    found = ask(shown, 'When does the text "GATE 7221" appear?')
    assert spans_of(found) == [pytest.approx(shown.span(event))]
    assert shown.frames_sent - before <= 40


def test_a_text_that_was_misread_then_is_looked_for_all_the_same():
    event = text("GATE 7221", 150000, 150010)
    shown = film(event, seconds=7200, moments_s=[100.0, 6000.2])
    read_before(shown, 'Not in any of the 2 frames checked. Other text: "GATE 7221" at 100.000 s.')
    found = ask(shown, 'When does the text "GATE 7221" appear?')
    assert spans_of(found) == [pytest.approx(shown.span(event))]
