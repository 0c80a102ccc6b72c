"""The rules by which two frames come closer to an edge: with any observer they stay inside of what is known."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Iterator

import pytest

from vidagent.agents.prompting.replies import Observation
from vidagent.graphs.evidence.boundaries import (
    Edge,
    Reach,
    first_edges,
    frames_to_show,
    frames_wanted,
    narrowed,
    placed,
    read_frames,
    settle,
)
from vidagent.graphs.evidence.ledger import Entry
from vidagent.images.shown_frame import ShownFrame
from vidagent.tools.result import Look

Observer = Callable[[list[float]], dict[float, bool] | None]
MOST_LOOKS = 4


def entry(found: bool | None, shown: list[float], seen: list[float], tool: str = "clip") -> Entry:
    stills = tuple(ShownFrame(t, "0" * 64, (8, 8), (0, 0, 8, 8)) for t in shown)
    sightings = [{"time_s": t} for t in seen]
    said = Observation.model_validate({"found": found, "what": "", "sightings": sightings, "confidence": 1})
    return Entry("L1", Look(tool, "?", shown[0], shown[-1], stills), said)


def edge(**changed: object) -> Edge:
    kept = Edge(0, "end", 2.5, 2.0, 3.0, 8.0, (2.0, 3.0), looking="L2")
    return dataclasses.replace(kept, **changed)


# --- what a look says


@pytest.mark.parametrize(
    ("found", "seen", "tool", "frames"),
    [
        (True, [2.0], "clip", {1.0: False, 2.0: True, 3.0: False}),
        (True, [2.0004], "clip", {1.0: False, 2.0: True, 3.0: False}),
        (False, [], "clip", {1.0: False, 2.0: False, 3.0: False}),
        (True, [2.0], "crop", {2.0: True}),
        (False, [], "crop", {}),
        (None, [], "clip", None),
        (None, [2.0], "clip", None),
        (True, [], "clip", None),
        (True, [2.2], "clip", None),
        (False, [2.0], "clip", None),
    ],
)
def test_frames_of_a_look(found, seen, tool, frames):
    assert read_frames(entry(found, [1.0, 2.0, 3.0], seen, tool)) == frames


def test_a_look_that_showed_nothing_says_nothing():
    look = Look("search", "?", 0, 1, facts=("subtitle",))
    assert read_frames(Entry("L1", look, None)) is None


def test_a_frame_that_one_look_saw_it_in_shows_it():
    assert placed([{1.0: False, 2.0: True}, {1.0: True, 2.0: False, 3.0: False}]) == {
        1.0: True,
        2.0: True,
        3.0: False,
    }


# --- what is known at first


@pytest.mark.parametrize(
    ("span", "frames", "start", "end"),
    [
        ((2.0, 3.0), {1.0: False, 2.0: True, 3.0: True, 4.0: False}, (2.0, 1.0), (3.0, 4.0)),
        ((1.5, 3.5), {1.0: False, 2.0: True, 3.0: True, 4.0: False}, (2.0, 1.0), (3.0, 4.0)),
        ((1.0, 4.0), {1.0: False, 2.0: True, 3.0: True, 4.0: False}, (2.0, 1.0), (3.0, 4.0)),
        (
            (2.4, 3.0),
            {1.0: False, 2.0: True, 3.0: True, 4.0: False},
            (2.0, 1.0),
            (3.0, 4.0),
        ),  # seen before it
        ((2.0, 2.5), {1.0: False, 2.0: True, 3.0: True, 4.0: False}, (2.0, 1.0), (3.0, 4.0)),  # and behind it
        (
            (2.0, 4.0),
            {1.0: False, 2.0: True, 3.0: False, 4.0: False},
            (2.0, 1.0),
            (2.0, 4.0),
        ),  # 3 was passed over
        ((1.0, 2.0), {0.0: False, 1.5: False, 2.0: True, 3.0: False}, (2.0, 0.0), (2.0, 3.0)),
        ((2.0, 3.0), {2.0: True, 3.0: True}, (2.0, None), (3.0, None)),
        ((2.0, 3.0), {1.0: False, 4.0: False}, (2.6, 1.0), (2.6, 4.0)),  # the moment of a claim
        ((2.0, 3.0), {}, (2.6, None), (2.6, None)),
        ((2.0, 3.0), {0.2: False, 2.0: True, 7.9: False}, (2.0, None), (2.0, None)),  # out of reach
    ],
)
def test_what_earlier_looks_tell(span, frames, start, end):
    edges = first_edges(0, span, frames, 2.6, Reach(0.5, 7.0) if 7.9 in frames else Reach(0.0, 8.0))
    assert [(one.inside_s, one.outside_s) for one in edges] == [start, end]


# --- one look


@pytest.mark.parametrize(
    ("frames", "inside_s", "outside_s", "standing", "sure"),
    [
        ({2.0: True, 2.5: True, 3.0: False}, 2.5, 3.0, "open", True),
        ({2.0: True, 2.5: False, 3.0: False}, 2.0, 2.5, "open", True),
        ({2.0: True, 2.5: True, 3.0: True}, 3.0, None, "open", True),
        ({2.0: True, 2.2: False, 2.4: False, 2.6: True, 2.8: True, 3.0: False}, 2.0, 2.2, "open", False),
        ({2.0: True, 2.2: False, 2.4: True, 3.0: False}, 2.0, 2.2, "open", False),
        ({2.0: True, 2.2: False, 2.4: True, 2.6: False, 2.8: True, 3.0: False}, 2.0, 3.0, "doubtful", True),
        ({2.0: False, 2.5: False, 3.0: False}, 2.0, 3.0, "doubtful", True),
        ({2.0: False, 2.5: True, 3.0: False}, 2.0, 3.0, "doubtful", True),
        ({2.5: True, 3.0: False}, 2.0, 3.0, "doubtful", True),
        ({}, 2.0, 3.0, "doubtful", True),
        (None, 2.0, 3.0, "left", True),
    ],
)
@pytest.mark.parametrize("side", ["start", "end"])
def test_a_look_brings_the_two_closer(side, frames, inside_s, outside_s, standing, sure):
    before, turn = edge(), 1
    if side == "start":
        before, turn = edge(side="start", inside_s=-2.0, outside_s=-3.0, first=(-2.0, -3.0)), -1
    after = narrowed(before, None if frames is None else {turn * t: shown for t, shown in frames.items()})
    assert (after.inside_s, after.standing, after.sure) == (turn * inside_s, standing, sure)
    assert after.outside_s == (None if outside_s is None else turn * outside_s)
    assert (after.looking, after.looks) == (None, ("L2",))


def test_one_frame_of_many_is_an_error_where_all_were_shown():
    frames = {2.0: True, 2.04: False, 2.08: True, 2.12: True, 2.16: False}
    assert narrowed(edge(outside_s=2.16), frames, every=True).standing == "doubtful"
    assert narrowed(edge(outside_s=2.16), frames).standing == "open"
    frames[2.06] = False
    assert narrowed(edge(outside_s=2.16), frames, every=True).standing == "open"


def test_what_it_did_not_see_itself_it_may_not_take_back():
    assert narrowed(edge(heard=True), {2.0: True, 3.0: True}).standing == "doubtful"


def test_an_edge_is_kept_as_json():
    kept = edge(looks=("L2", "L5"), heard=True, standing="known")
    assert Edge.from_dict(json.loads(json.dumps(kept.to_dict()))) == kept


@pytest.mark.parametrize(
    ("gap", "most", "frames"), [(1, 3, 2), (2, 3, 3), (31, 32, 32), (32, 32, 7), (961, 32, 32), (25, 6, 6)]
)
def test_how_many_frames_a_look_takes(gap, most, frames):
    assert frames_wanted(gap, most) == frames


@pytest.mark.parametrize("most", [3, 4, 6, 8, 24, 32])
def test_no_frame_more_than_the_rounds_take(most):
    for gap in range(1, 3000, 7):
        frames, rounds, left = frames_wanted(gap, most), 0, gap
        assert 2 <= frames <= most
        while left > 1:
            left, rounds = -(-left // (frames - 1)), rounds + 1
        fewest, left = 0, gap
        while left > 1:
            left, fewest = -(-left // (most - 1)), fewest + 1
        assert rounds == fewest


# --- all the way, over drawn videos and observers


@dataclasses.dataclass(frozen=True)
class Case:
    """A video's frame times, the frames of an event, and what a planner knows and drafts of it."""

    times: list[float]
    event: tuple[int, int]
    span: tuple[float, float]
    looked: list[int]
    most: int

    @property
    def duration_s(self) -> float:
        return self.times[-1] + 0.04

    def shows(self, time_s: float) -> bool:
        return self.times[self.event[0]] <= time_s <= self.times[self.event[1] - 1]

    @property
    def truth(self) -> tuple[float, float]:
        first, after = self.event
        return (self.times[first] if first else 0.0), [*self.times, self.duration_s][after]


def cases(count: int) -> Iterator[Case]:
    rng = random.Random(3)
    for _ in range(count):
        times, time_s = [], 0.0
        for _ in range(rng.randint(40, 1500)):
            times.append(round(time_s, 6))
            time_s += rng.choice([0.04, 0.04, 0.04, 1001 / 30000, rng.choice([0.01, 0.4, 2.5])])
        first = rng.choice([0, rng.randrange(len(times) - 1), rng.randrange(len(times) - 1)])
        after = rng.choice([len(times), rng.randint(first + 1, len(times))])
        seen = rng.randint(first, after - 1)
        looked = sorted({seen, *(rng.randrange(len(times)) for _ in range(rng.randint(0, 20)))})
        off = [rng.uniform(-2, 2), rng.uniform(-2, 2)]
        start_s = min(max(times[first] + off[0], 0.0), times[seen])
        end_s = max(min(times[after - 1] + off[1], times[-1]), times[seen])
        yield Case(times, (first, after), (start_s, end_s), looked, rng.choice([3, 4, 6, 12, 32]))


def refine(case: Case, observer: Observer, looks: int) -> tuple[Edge, Edge]:
    """Look at the edges of a case until nothing more is to be learnt."""
    frames = {case.times[n]: case.shows(case.times[n]) for n in case.looked}
    moment_s = next(t for t, shown in frames.items() if shown)
    edges = first_edges(0, case.span, frames, moment_s, Reach(0.0, case.duration_s))
    edges = tuple(dataclasses.replace(one, sure=all(e.outside_s is not None for e in edges)) for one in edges)
    for _ in range(looks + 1):
        edges = tuple(closer(case, one, observer, looks) for one in edges)
    return edges


def closer(case: Case, one: Edge, observer: Observer, looks: int) -> Edge:
    low_s, high_s = sorted((one.inside_s, one.beyond_s))
    between = [t for t in case.times if low_s <= t <= high_s]
    gap = len(between) - 1
    if one.standing != "open" or gap == 0 or (gap == 1 and one.outside_s is not None and one.sure):
        return dataclasses.replace(one, standing="known" if one.standing == "open" else one.standing)
    if len(one.looks) == looks:
        return dataclasses.replace(one, standing="left")
    count = frames_wanted(gap, case.most)
    chosen = sorted({between[round(n * gap / (count - 1))] for n in range(count)})
    look = dataclasses.replace(one, looking=f"L{len(one.looks)}")
    return narrowed(look, observer(chosen), every=len(chosen) == len(between))


def off(place: tuple[float, float], truth: tuple[float, float]) -> list[float]:
    return [abs(a - b) for a, b in zip(place, truth, strict=True)]


def test_a_sure_observer_takes_every_edge_to_the_frame():
    for case in cases(400):
        edges = refine(case, lambda times, case=case: {t: case.shows(t) for t in times}, looks=14)
        known = settle(*edges)
        if not any(one.heard for one in edges) and any(one.looks for one in edges):  # it has never said no
            for one, at_s in zip(edges, (known.start_s, known.end_s), strict=True):
                assert not one.looks or at_s == one.drafted_s
            continue
        assert {one.standing for one in edges} == {"known"}, case
        assert (known.start_s, known.end_s) == case.truth, case
        assert (known.start_within_s, known.end_within_s) == (0.0, 0.0)


def test_with_few_looks_the_truth_is_as_near_as_is_told():
    for case in cases(400):
        edges = refine(case, lambda times, case=case: {t: case.shows(t) for t in times}, looks=1)
        known = settle(*edges)
        far = off((known.start_s, known.end_s), case.truth)
        for distance, within_s, drafted in zip(
            far, (known.start_within_s, known.end_within_s), off(case.span, case.truth), strict=True
        ):
            assert within_s is None or distance <= within_s + 1e-9, case
            assert distance <= drafted + 1e-9, case


def test_whatever_an_observer_says_a_place_stays_within_its_reach():
    rng = random.Random(5)

    def says_anything(times: list[float]) -> dict[float, bool] | None:
        if rng.random() < 0.1:
            return None
        share = rng.choice([0.0, 0.1, 0.5, 0.9, 1.0])
        return {t: rng.random() < share for t in times}

    for case in cases(400):
        known = settle(*refine(case, says_anything, looks=MOST_LOOKS))
        assert 0.0 <= known.start_s <= known.end_s <= case.duration_s
        assert all(
            within_s is None or within_s >= 0 for within_s in (known.start_within_s, known.end_within_s)
        )
        seen_s = next(case.times[n] for n in case.looked if case.shows(case.times[n]))
        assert known.start_s <= max(seen_s, case.span[0])


@pytest.mark.parametrize("shown", [True, False, None])
def test_an_observer_with_one_word_moves_nothing_but_what_earlier_looks_saw(shown):
    def observer(times: list[float]) -> dict[float, bool] | None:
        return None if shown is None else dict.fromkeys(times, shown)

    for case in cases(400):
        known = settle(*refine(case, observer, looks=MOST_LOOKS))
        far, drafted = off((known.start_s, known.end_s), case.truth), off(case.span, case.truth)
        assert all(one <= other + 1e-9 for one, other in zip(far, drafted, strict=True)), case


@pytest.mark.parametrize("mark_s", [40.0, 39.6])
def test_a_mark_at_the_far_side_of_a_gap_shows_the_frame_before_it(mark_s):
    known = [float(n) for n in range(41)]
    assert frames_to_show(known, 6, [mark_s]) == [0, 10, 20, 30, 39, 40]
