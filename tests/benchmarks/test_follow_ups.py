"""Follow-ups with the embedded model, over pixels: what they find, what they cost, and their replay."""

from __future__ import annotations

from pathlib import Path

import pytest

import vidagent
from tests.api.test_signals_run import encode, exactly, ground, spans_of, write
from vidagent import api
from vidagent.agents.signals.language.wording import CONNECT

FRAME_S = 0.04
FIRST = 'When does the text "GATE 7221" appear?'


def film():
    """Draw 150 s: a text at 2 s, two one after the other at 90 s, one more at 140 s, and a new scene at 95 s."""
    plain, scene = ground((320, 180)), ground((320, 180), (30, 120, 60))
    texts = {
        2250: ("GATE 7221", 2260),
        2275: ("FALCON 99", 2300),
        3500: ("ORCHID 15", 3510),
        50: ("BERTH 7", 60),
    }
    drawn = {
        number: write((plain if number < 2375 else scene).copy(), text, (20, 90), 1.2)
        for first, (text, end) in texts.items()
        for number in range(first, end)
    }
    for number in range(3750):
        yield drawn.get(number, plain if number < 2375 else scene)


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    return encode(tmp_path_factory.mktemp("film") / "film.mp4", film())


@pytest.fixture
def talk(video):
    """Return the function that asks in a session."""
    return lambda question: vidagent.analyze_video(video, question, model="signals", session="talk")


def test_follow_ups_go_on_from_what_was_seen(talk):
    first = talk(FIRST)
    assert spans_of(first) == exactly((90.0, 90.4))
    asked = [
        ("how long is it shown?", (90.0, 90.4), 'The text "GATE 7221" is shown for 0.400 s'),
        ("when does it disappear?", (90.4, 90.44), 'The text "GATE 7221" is shown until 90.400 s'),
        ("what does it say?", (90.2, 90.24), "GATE 7221"),
        ("and right after that?", None, '"FALCON 99"'),
    ]
    for question, span, words in asked:
        found = talk(question)
        assert found.status == "answered", (question, found.answer)
        assert words in found.answer
        assert span is None or spans_of(found)[0] == pytest.approx(span, abs=FRAME_S)
        assert found.usage.frames_sent <= 20  # the first question itself takes few: it confirms a known track
        assert found.coverage.seconds_seen >= first.coverage.seconds_seen
    longer = talk("how long is it shown?")
    assert 'The text "FALCON 99" is shown for 1.000 s' in longer.answer
    assert spans_of(longer) == exactly((91.0, 92.0))


def test_another_text_is_found_where_it_was_read(talk):
    first = talk(FIRST)
    other = talk('and "ORCHID 15"?')
    assert spans_of(other) == exactly((140.0, 140.4))
    assert other.usage.frames_sent <= first.usage.frames_sent
    assert other.usage.frames_decoded < first.usage.frames_decoded
    again = talk("is it there again later?")
    assert again.status == "not_found"


def test_nothing_after_it_is_told_plainly(talk):
    talk('When does the text "ORCHID 15" appear?')
    found = talk("and right after that?")
    assert (found.status, found.spans) == ("not_found", ())
    assert "no text is read and no new shot begins" in found.answer
    assert f"A vision-language model can: {CONNECT}" in found.answer


def test_a_follow_up_of_the_embedded_model_is_replayed(talk):
    talk(FIRST)
    for found in (talk("and right after that?"), talk("when does it disappear?")):
        again, differ = api.replay_run(found.run_id)
        assert (differ, again.to_dict()) == ([], found.to_dict())


def test_the_page_of_a_follow_up_says_what_was_understood_and_what_was_typed(video, talk, tmp_path):
    talk(FIRST)
    page = tmp_path / "page.html"
    vidagent.analyze_video(video, "how long is it shown?", model="signals", session="talk", report=page)
    html = page.read_text("utf-8")
    assert '<h1 dir="auto">How long is the text &quot;GATE 7221&quot; shown?</h1>' in html
    assert "asked as &quot;how long is it shown?&quot;" in html
