"""What several looks saw becomes occurrences: nothing twice, nothing that stood alone lost."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from vidagent.agents.prompting.replies import Observation, Sighting
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.evidence.occurrences import Frame, Mark, Occurrence, frames_of, merge
from vidagent.images.shown_frame import ShownFrame
from vidagent.tools.result import Look

LANES = [(0, 0, 100, 100), (300, 0, 400, 100), (600, 0, 700, 100)]
"""Places too far from each other for one thing to get from one to the next between two frames."""
SEEDS = range(200)


def look(name, times, marks, interval_s):
    """Return the frames of a look; `marks` says what is there at a time."""
    return [
        Frame(t, interval_s, frozenset({name}), tuple(Mark(name, *one) for one in marks(t))) for t in times
    ]


def grid(start_s, interval_s, count):
    return [round(start_s + place * interval_s, 3) for place in range(count)]


def shown(world):
    """Return what a perfect observer marks: the places of what is there at a time."""
    return lambda t: [(lane,) for start, end, lane in world if start <= t < end]


def places(occurrences):
    return [(one.start_s, one.end_s) for one in occurrences]


def drawn(rng, interval_s, length):
    """Draw a world in which what is at one place is gone for two frames at least before the next comes."""
    world = []
    for lane in LANES[: rng.randint(1, 3)]:
        at = rng.randrange(3)
        while at < length:
            lasts, pause = rng.randint(1, 6), rng.randint(2, 8)
            world.append((round(at * interval_s, 3), round((at + lasts) * interval_s, 3), lane))
            at += lasts + pause
    return world


def windows(rng, interval_s, length):
    """Cut a grid of frames into looks, each with up to three frames of the one before."""
    looks, first = [], 0
    while first < length:
        size = rng.randint(4, 12)
        looks.append((f"L{len(looks) + 1}", grid(first * interval_s, interval_s, min(size, length - first))))
        first += size - rng.randint(1, 3)
    return looks


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sweep_counts_each_once_whatever_the_windows(seed):
    rng = random.Random(seed)
    interval_s, length = rng.choice([0.04, 0.2, 1.0, 7.5]), rng.randint(10, 80)
    world = drawn(rng, interval_s, length)
    looks = [look(name, times, shown(world), interval_s) for name, times in windows(rng, interval_s, length)]
    found = merge(looks)
    last_s = length * interval_s
    wanted = sorted((start, min(end, last_s)) for start, end, _ in world)
    assert places(found) == [(pytest.approx(start), pytest.approx(end)) for start, end in wanted]

    rng.shuffle(looks)
    assert places(merge(looks)) == places(found)
    assert places(merge([*looks, *looks])) == places(found)
    assert all(len(set(one.entries)) == len(one.entries) for one in found)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_finer_look_is_believed_over_a_coarser_one(seed):
    """The coarse pass takes what it sees for one; the finer one over the same stretch tells it apart."""
    rng = random.Random(seed)
    world = drawn(rng, 0.1, 60)
    coarse = look("L1", grid(0, 1.0, 7), shown([(0.0, 10.0, LANES[0])]), 1.0)
    fine = look("L2", grid(0, 0.1, 61), shown(world), 0.1)
    assert places(merge([coarse, fine])) == places(merge([fine]))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_moves_stays_one(seed):
    """Up to half as far again as it is large, or as far as before, from one frame to the next."""
    rng = random.Random(seed)
    step, side = rng.randint(0, 60), 40
    boxes = [(place * step, 10, place * step + side, 10 + side) for place in range(12)]
    times = grid(0, 0.5, 12)
    moving = look("L1", times, lambda t: [(boxes[times.index(t)],)], 0.5)
    assert places(merge([moving])) == [(0.0, 6.0)]


def test_two_that_pass_each_other_are_two():
    left = [(20 * place, 0, 20 * place + 30, 30) for place in range(10)]
    right = [(190 - 20 * place, 40, 220 - 20 * place, 70) for place in range(10)]
    times = grid(0, 0.1, 10)
    both = look("L1", times, lambda t: [(left[times.index(t)],), (right[times.index(t)],)], 0.1)
    assert places(merge([both])) == [(0.0, 1.0), (0.0, 1.0)]


@pytest.mark.parametrize(("gap", "number"), [(1, 1), (2, 2)])
def test_one_frame_without_it_ends_it(gap, number):
    times = [t for place, t in enumerate(grid(0, 0.2, 10)) if place != 5 or gap == 1]
    seen = look("L1", grid(0, 0.2, 10), lambda t: [(LANES[0],)] if t in times else [], 0.2)
    assert len(merge([seen])) == number


@pytest.mark.parametrize(("apart_s", "number"), [(0.2, 1), (0.3, 1), (0.31, 2), (5.0, 2)])
def test_looks_that_do_not_touch_join_what_is_close_enough(apart_s, number):
    first = look("L1", grid(0, 0.2, 3), lambda _: [(LANES[0],)], 0.2)
    second = look("L2", grid(0.4 + apart_s, 0.2, 3), lambda _: [(LANES[0],)], 0.2)
    found = merge([first, second])
    assert len(found) == number
    assert found[0].entries == (("L1", "L2") if number == 1 else ("L1",))


def test_frames_that_last_long_are_neighbours_all_the_same():
    """A picture that stands still for two seconds is one frame, and the look shows what comes next."""
    seen = look("L1", [0.0, 0.1, 2.2, 2.3], lambda _: [(LANES[0],)], 0.1)
    assert places(merge([seen])) == [(0.0, pytest.approx(2.4))]


def test_without_boxes_those_of_one_frame_are_counted():
    number = {0.0: 1, 0.5: 2, 1.0: 2, 1.5: 0, 2.0: 1}
    seen = look("L1", list(number), lambda t: [(None,)] * number[t], 0.5)
    again = look("L2", list(number), lambda t: [(None,)] * number[t], 0.5)
    assert places(merge([seen])) == [(0.0, 1.5), (0.5, 1.5), (2.0, 2.5)]
    assert places(merge([seen, again])) == places(merge([seen]))


def test_another_text_at_the_same_place_is_another():
    reads = {0.0: "EXIT 1", 0.5: "EX1T 1", 1.0: "STOP NOW", 1.5: "STOP NOW"}
    seen = look("L1", list(reads), lambda t: [(LANES[0], reads[t])], 0.5)
    assert places(merge([seen])) == [(0.0, 1.0), (1.0, 2.0)]


@pytest.mark.parametrize("mark", [(LANES[0],), (None,)], ids=["with its box", "without a box"])
def test_a_cut_ends_what_is_there_and_another_begins(mark):
    seen = look("L1", grid(0, 0.5, 5), lambda _: [mark], 0.5)
    assert places(merge([seen], [1.2])) == [(0.0, 1.2), (1.5, 2.5)]
    assert places(merge([seen], [1.5])) == [(0.0, 1.5), (1.5, 2.5)]
    assert places(merge([seen], [2.8])) == [(0.0, 2.5)]


def test_a_text_that_reads_the_same_after_a_cut_is_one():
    seen = look("L1", grid(0, 0.5, 4), lambda _: [(LANES[0], "NEWS AT TEN")], 0.5)
    assert [one.start_s for one in merge([seen], [0.9])] == [0.0]
    assert places(merge([seen], [0.9]))[0][1] == 2.0


def test_nothing_seen_is_nothing():
    assert merge([]) == merge([[]]) == merge([look("L1", grid(0, 1, 5), lambda _: [], 1.0)]) == []


def entry(found, sightings, times=(0.0, 0.5, 1.0)):
    stills = tuple(
        ShownFrame(t, f"{place:064x}", (320, 180), (0, 0, 640, 360)) for place, t in enumerate(times)
    )
    seen = Look("resample", "balls?", times[0], times[-1] + 0.5, stills, 2.0)
    return Entry("L4", seen, Observation(found=found, what="", sightings=sightings, confidence=0.9))


def test_a_look_becomes_frames_with_boxes_in_pixels():
    seen = [Sighting(time_s=0.5, text="A", box=(0, 0, 500, 500)), Sighting(time_s=0.7), Sighting(time_s=0.5)]
    frames = frames_of(entry(True, seen))
    assert [frame.time_s for frame in frames] == [0.0, 0.5, 1.0]
    assert [len(frame.marks) for frame in frames] == [0, 2, 0]  # no frame was shown at 0.7 s
    assert frames[1].marks == (Mark("L4", (0, 0, 320, 180), "A"), Mark("L4"))
    assert all(after.interval_s == before.interval_s == 0.5 for before, after in pairwise(frames))


def test_a_look_that_denies_or_cannot_judge():
    seen = [Sighting(time_s=0.5)]
    assert not any(frame.marks for frame in frames_of(entry(False, seen)))
    assert frames_of(entry(None, [])) == []
    assert merge([frames_of(entry(None, seen))]) == [Occurrence(0.5, 1.0, ("L4",))]
