"""The frames on which a part is checked."""

from __future__ import annotations

import pytest

from vidagent.graphs.evidence.parts import (
    frames_each,
    most_telling,
    on_screen_at,
    proof_times,
    with_named_ends,
)
from vidagent.images.shown_frame import ShownFrame
from vidagent.tools.answer import Part

PART = Part(start_s=10.0, end_s=38.0, text="A ball is seen.")


@pytest.mark.parametrize(
    ("looked_s", "number", "times"),
    [
        ([], 3, [10.3, 23.98, 37.66]),
        ([10.0], 2, [10.0, 37.66]),  # the one frame that showed it
        ([9.0, 10.0, 20.0, 38.0], 3, [10.0, 20.0, 37.66]),
        ([10.0, 11.0, 12.0, 13.0, 25.0, 37.0], 3, [10.0, 25.0, 37.0]),  # spread, whatever lies close together
    ],
)
def test_frames_that_were_looked_at_are_among_those_of_its_check(looked_s, number, times):
    assert proof_times(PART, number, 0.04, looked_s) == pytest.approx(times)


def test_the_frames_that_a_part_names_come_first():
    part = PART.model_copy(update={"frames_s": [12.0, 13.0, 50.0]})
    assert proof_times(part, 3, 0.04, [10.0, 24.0, 37.0]) == pytest.approx([12.0, 13.0, 37.0])


@pytest.mark.parametrize(
    ("number", "times"),
    [(2, [12.0, 30.0]), (3, [12.0, 20.0, 30.0]), (4, [12.0, 13.0, 20.0, 30.0])],
)
def test_named_frames_leave_others_no_room_and_too_many_are_spread(number, times):
    part = PART.model_copy(update={"frames_s": [30.0, 12.0, 20.0, 13.0]})
    assert proof_times(part, number, 0.04, [10.0, 24.0, 37.0]) == pytest.approx(times)


def test_the_others_are_far_from_the_frames_that_a_part_names():
    part = PART.model_copy(update={"frames_s": [12.0, 13.0, 14.0, 15.0]})
    looked_s = [10.0, 26.5, 32.0, 37.5]
    assert proof_times(part, 6, 0.04, looked_s) == pytest.approx([12.0, 13.0, 14.0, 15.0, 26.5, 37.5])


def still(time_s):
    return ShownFrame(time_s, str(time_s), (640, 360), (0, 0, 640, 360))


def test_a_label_stands_for_its_frame_also_where_it_is_rounded_down():
    stills = [still(t) for t in (655.7414, 661.8744, 668.0083, 674.1414)]
    assert on_screen_at(stills, [655.741, 661.874, 674.141], 1 / 30) == [stills[0], stills[1], stills[3]]
    assert on_screen_at(stills, [600.0], 1 / 30) == []
    assert on_screen_at([], [600.0], 1 / 30) == []


def test_a_part_that_names_the_frame_at_its_end_shows_it_unless_another_begins_there():
    last = Part(start_s=12.4, end_s=12.8, text="x", frames_s=[12.4, 12.8])
    [longer] = with_named_ends([last], 13.0, 0.4)
    assert longer.end_s == pytest.approx(13.0)
    assert proof_times(longer, 3, 0.4, [12.4, 12.8])[0] == pytest.approx(12.4)
    assert 12.8 in proof_times(longer, 3, 0.4, [12.4, 12.8])
    follows = Part(start_s=12.8, end_s=13.0, text="y")
    assert with_named_ends([last, follows], 13.0, 0.4) == [last, follows]


def test_a_part_of_one_frame_has_one():
    assert proof_times(Part(start_s=1.0, end_s=1.04, text="x"), 4, 0.04) == [1.0]


def test_many_parts_have_few_frames_each():
    assert [frames_each(number, 48) for number in (1, 24, 47, 200)] == [6, 6, 6, 2]


@pytest.mark.parametrize(
    ("named", "first"), [([], 3.0), ([2.0], 2.0), ([1.0, 4.0], 4.0), ([1.0, 2.0, 5.0], 2.0)]
)
def test_the_frame_that_stands_for_a_part_is_the_middle_one_of_those_it_names(named, first):
    stills = [ShownFrame(float(second), "0" * 64, (8, 8), (0, 0, 8, 8)) for second in range(1, 6)]
    told = most_telling(Part(start_s=1, end_s=6, text="It moves.", frames_s=named), stills)
    assert told[0].time_s == first
    assert sorted(still.time_s for still in told) == [1, 2, 3, 4, 5]
