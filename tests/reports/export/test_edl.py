"""Edit lists: timecodes against counting them one by one, and the list to the letter."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest

from tests.serve.answers import ANSWER, INFO
from vidagent.reports.export.edl import edit_list, timecode
from vidagent.types import Answer, Span

NTSC, NTSC_60, FILM = Fraction(30000, 1001), Fraction(60000, 1001), Fraction(24000, 1001)


def asked(fps: Fraction, *spans: Span, **changed: object) -> list[str]:
    info = dataclasses.replace(INFO, fps=fps, path="/films/talk one.mp4")
    answer: Answer = dataclasses.replace(ANSWER, video=info, spans=spans, **changed)
    return edit_list(answer, "When is it?").split("\r\n")


@pytest.mark.parametrize(
    ("frame", "rate", "text"),
    [
        (1799, NTSC, "00:00:59;29"),
        (1800, NTSC, "00:01:00;02"),
        (17981, NTSC, "00:09:59;29"),
        (17982, NTSC, "00:10:00;00"),
        (107892, NTSC, "01:00:00;00"),
        (3599, NTSC_60, "00:00:59;59"),
        (3600, NTSC_60, "00:01:00;04"),
        (35964, NTSC_60, "00:10:00;00"),
        (1440, FILM, "00:01:00:00"),
        (25 * 3600 * 24 + 1, Fraction(25), "00:00:00:01"),
    ],
)
def test_known_timecodes(frame, rate, text):
    assert timecode(frame, rate) == text


@pytest.mark.parametrize(("rate", "base", "left_out"), [(NTSC, 30, 2), (NTSC_60, 60, 4)])
def test_drop_frame_counts_as_a_counter_that_skips(rate, base, left_out):
    frame = 0
    for minute in range(21):
        for second in range(60):
            for number in range(base):
                if minute % 10 and not second and number < left_out:
                    continue
                assert timecode(frame, rate) == f"00:{minute:02d}:{second:02d};{number:02d}"
                frame += 1


def test_drop_frame_keeps_up_with_the_clock():
    hour_s = 3600.0
    assert timecode(round(hour_s * NTSC), NTSC) == "01:00:00;00"
    assert timecode(round(hour_s * FILM), FILM) == "00:59:56:10"


def test_the_list_to_the_letter():
    frame_s = 1001 / 30000
    spans = (Span(1800 * frame_s, 1812 * frame_s), Span(2.0, 2.0))
    assert asked(NTSC, *spans, answer="Seen\ntwice.") == [
        "TITLE: When is it?",
        "FCM: DROP FRAME",
        "",
        "001  AX       V     C        00:00:02;00 00:00:02;01 00:00:00;00 00:00:00;01",
        "* FROM CLIP NAME: talk one.mp4",
        "* COMMENT: Seen twice.",
        "002  AX       V     C        00:01:00;02 00:01:00;14 00:00:00;01 00:00:00;13",
        "* FROM CLIP NAME: talk one.mp4",
        "* COMMENT: Seen twice.",
        "",
    ]


@pytest.mark.parametrize(
    ("fps", "code", "out"),
    [
        (Fraction(25), "NON-DROP FRAME", "00:00:37:10"),
        (Fraction(2500, 100) + Fraction(1, 1000), "NON-DROP FRAME", "00:00:37:10"),
        (Fraction(2997, 100), "DROP FRAME", "00:00:37;11"),
        (Fraction(30), "NON-DROP FRAME", "00:00:37:12"),
        (Fraction(120), "NON-DROP FRAME", "00:00:37:24"),
        (Fraction(120000, 1001), "DROP FRAME", "00:00:37;22"),
        (Fraction(5), "NON-DROP FRAME", "00:00:37:02"),
    ],
)
def test_the_rate_decides_the_timecodes(fps, code, out):
    lines = asked(fps, Span(12.0, 37.4))
    assert lines[1] == f"FCM: {code}"
    assert lines[3].split()[5] == out


def test_an_answer_without_a_place_has_no_events():
    assert asked(Fraction(25)) == ["TITLE: When is it?", "FCM: NON-DROP FRAME", "", ""]
