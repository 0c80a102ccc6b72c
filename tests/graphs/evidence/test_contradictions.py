"""Two looks contradict each other where one saw the thing in a frame of which the other says that it is not there."""

from __future__ import annotations

import pytest

from vidagent.agents.prompting.replies import Observation, Sighting
from vidagent.graphs.evidence.contradictions import contradictions
from vidagent.graphs.evidence.ledger import Entry
from vidagent.images.shown_frame import ShownFrame
from vidagent.tools.result import Look

WHOLE = (0, 0, 10, 10)


def look(name, times, *, seen=(), question="Is a red ball there?"):
    stills = tuple(ShownFrame(t, f"{name}-{t}", (10, 10), WHOLE) for t in times)
    observation = Observation(found=bool(seen), sightings=[Sighting(time_s=t) for t in seen])
    shown = Look("frames", question, times[0], times[-1], stills, (len(times) - 1) / (times[-1] - times[0]))
    return Entry(name, shown, observation)


FIRST = look("L1", [0.0, 1.0, 2.0], seen=[2.0])


def test_the_frame_at_which_one_look_ends_and_the_next_begins_is_no_contradiction():
    """Both windows of a sweep share it, and each saw another half of what happens there."""
    assert contradictions([FIRST, look("L2", [2.0, 3.0, 4.0])]) == []
    assert contradictions([look("L1", [0.0, 1.0, 2.0]), look("L2", [2.0, 3.0, 4.0], seen=[2.0])]) == []


@pytest.mark.parametrize("times", [[1.0, 2.0, 3.0], [0.0, 1.0, 2.0]])
def test_a_frame_inside_of_both_is_one(times):
    [clash] = contradictions([FIRST, look("L2", times)])
    assert (clash.found, clash.missed, clash.start_s, clash.end_s) == ("L1", "L2", 2.0, 2.0)
    assert contradictions([FIRST, look("L2", times, question="Does a dog bark?")]) == []
