from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from vidagent.video.clock import Clock, clock_ranges, format_time, names, parse_time, slack_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("42", 42.0),
        ("42.480", 42.48),
        ("0:42.480", 42.48),
        ("1:02:03.25", 3723.25),
        (" 01:30 ", 90.0),
        ("90:00", 5400.0),
        (12, 12.0),
        (0.5, 0.5),
    ],
)
def test_times_are_read_in_every_form(text, seconds):
    assert parse_time(text) == pytest.approx(seconds, abs=1e-12)


@pytest.mark.parametrize(
    "text", ["", "1:60", "1:60:00", "1:2:3:4", "-3", "abc", "1h", "nan", "1e3", -1.0, float("inf")]
)
def test_other_forms_are_refused_and_the_legal_ones_named(text):
    with pytest.raises(ValueError, match=r"HH:MM:SS|at least 0") as caught:
        parse_time(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (42.48, "0:42.480"),
        (3723.25, "1:02:03.250"),
        (59.9996, "1:00.000"),
        (0, "0:00.000"),
        (-0.0001, "0:00.000"),
    ],
)
def test_times_are_written_for_people(seconds, text):
    assert format_time(seconds) == text


def test_written_times_read_back():
    for millis in range(0, 4_000_000, 7919):
        assert parse_time(format_time(millis / 1000)) == pytest.approx(millis / 1000, abs=1e-9)


@pytest.mark.parametrize(
    "clock",
    [
        Clock(Fraction(1, 90000), Fraction(126000, 90000)),
        Clock(Fraction(1, 30000), Fraction(0)),
        Clock(Fraction(1001, 30000), Fraction(-1024, 48000)),
        Clock(Fraction(1, 1000), Fraction(10_007, 1000)),
    ],
)
def test_a_frame_is_found_at_its_own_time_and_not_just_before(clock):
    apart = math.ceil(Fraction(1, 250) / clock.time_base)  # ticks from one frame to the next
    for pts in range(apart, 2_000_000 * apart, 104_729 * apart):
        t_s = clock.seconds(pts)
        for named_s in (t_s, round(t_s, 6), round(t_s, 3)):
            assert clock.ticks(named_s) // apart * apart == pts
            assert -(-clock.ticks_at_least(named_s) // apart) * apart == pts
        assert clock.ticks(t_s - 3e-6) == pts - 1


@pytest.mark.parametrize(
    "rate",
    [
        "24000/1001",
        "25",
        "30000/1001",
        "179/6",
        "25/3",
        "16",
        "60000/1001",
        "80",
        "120000/1001",
        "240",
        "480",
    ],
)
def test_every_printed_time_names_its_own_frame(rate):
    fps = Fraction(rate)
    clock = Clock(1 / fps, Fraction(0))
    for number in (*range(2000), *range(1_000_000, 1_000_500)):
        label_s = round(clock.seconds(number), 3)
        assert clock.ticks(label_s) == clock.ticks_at_least(label_s) == number
        assert names(label_s, clock.seconds(number))
        assert not names(label_s, clock.seconds(number + 1))


def test_a_time_with_more_decimals_is_exact_to_a_microsecond():
    assert slack_s(1.5) == slack_s(1.234) == pytest.approx(0.000501)
    assert slack_s(1.2344) == slack_s(1.23401) == pytest.approx(0.000001)
    assert not names(0.0333, 1001 / 30000)


def test_many_times_equal_single_ones_to_the_bit():
    clock = Clock(Fraction(1, 11456), Fraction(-1024, 44100))
    pts = np.arange(0, 3_000_000, 1237)
    assert clock.seconds_of(pts).tolist() == [clock.seconds(int(p)) for p in pts]


@pytest.mark.parametrize(
    ("ranges_s", "shown"),
    [
        ([(0.0, 12.0), (12.0, 65.9)], ["0:00-0:12", "0:12-1:05"]),
        ([(0.0, 0.483), (0.483, 0.9), (1.35, 1.383)], ["0:00.0-0:00.4", "0:00.4-0:00.9", "0:01.3"]),
        ([(0.0, 0.483), (0.483, 1.0), (1.0, 9.35)], ["0:00.0-0:00.4", "0:00.4-0:01.0", "0:01.0-0:09.3"]),
        ([(1.0, 1.04), (3.0, 4.0)], ["0:01", "0:03-0:04"]),
        ([(0.0, 60.0), (60.0, 3700.0)], ["0:00:00-0:01:00", "0:01:00-1:01:40"]),
    ],
)
def test_ranges_are_told_as_a_player_shows_them_with_tenths_where_they_are_short(ranges_s, shown):
    assert clock_ranges(ranges_s) == shown
