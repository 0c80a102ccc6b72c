"""The frames on which a part is checked."""

from __future__ import annotations

import pytest

from vidagent.graphs.evidence.parts import frames_each, proof_times
from vidagent.tools.answer import Part

PART = Part(start_s=10.0, end_s=38.0, text="A ball is seen.")


@pytest.mark.parametrize(
    ("looked_s", "number", "times"),
    [
        ([], 3, [10.3, 23.98, 37.66]),
        ([10.0], 2, [10.0, 37.66]),  # the one frame that showed it
        ([9.0, 10.0, 20.0, 38.0], 3, [10.0, 20.0, 37.66]),
        ([10.0, 11.0, 12.0, 13.0, 30.0], 3, [10.0, 12.0, 30.0]),
    ],
)
def test_frames_that_were_looked_at_are_among_those_of_its_check(looked_s, number, times):
    assert proof_times(PART, number, 0.04, looked_s) == pytest.approx(times)


def test_a_part_of_one_frame_has_one():
    assert proof_times(Part(start_s=1.0, end_s=1.04, text="x"), 4, 0.04) == [1.0]


def test_many_parts_have_few_frames_each():
    assert [frames_each(number, 48) for number in (1, 24, 47, 200)] == [6, 6, 3, 2]
