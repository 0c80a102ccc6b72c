"""The frames on which a claim is checked follow from what it says."""

from __future__ import annotations

import pytest

from vidagent.agents.prompting.replies import Observation, Sighting
from vidagent.graphs.evidence.claim_frames import claim_frames, with_labels
from vidagent.graphs.evidence.ledger import Entry
from vidagent.images.shown_frame import ShownFrame
from vidagent.tools.answer import Claim, Draft, Place
from vidagent.tools.result import Look

MOST = 32


def entry(name, times, *, found=None, seen=(), crop=False):
    stills = tuple(
        ShownFrame(t, f"{name}-{t}", (10, 10), (0, 0, 5, 5) if crop else (0, 0, 10, 10), crop) for t in times
    )
    observation = None
    if found is not None:
        observation = Observation(found=found, sightings=[Sighting(time_s=t) for t in seen])
    rate = None if crop or len(times) < 2 else (len(times) - 1) / (times[-1] - times[0])
    tool = "crop" if crop else "clip"
    return Entry(name, Look(tool, "Is it there?", times[0], times[-1], stills, rate), observation)


def grid(start_s, step_s, count):
    return [round(start_s + place * step_s, 3) for place in range(count)]


COARSE = entry("L0", grid(0, 2, 31))
FINE = entry("L1", grid(0, 0.2, 21), found=True, seen=grid(0.6, 0.2, 6))


def times(claim, entries=(COARSE, FINE), most=MOST, **draft):
    given = {"found": "yes", "answer": "x", **draft}
    return [still.time_s for still in claim_frames(entries, claim, Draft(**given), most)]


def test_a_moment_is_its_frame_and_the_neighbours_in_the_finest_look():
    chosen = times(Claim(text="It falls.", ledger=["L1"], time_s=1.0))
    assert chosen[0] == 1.0
    assert sorted(chosen) == [0.8, 1.0, 1.2]


@pytest.mark.parametrize(
    "claim",
    [
        Claim(text="From 0.6 s to 1.8 s it is there.", ledger=["L1"], time_s=0.6),
        Claim(text="Es ist von 0.600 bis 1.800 da.", ledger=["L1"]),
        Claim(text="It is there.", ledger=["L1"], time_s=0.6, end_s=1.8),
        Claim(text="It is there from 0:00.600 to 0:01.800.", ledger=["L1"], time_s=0.6),
    ],
)
def test_a_stretch_is_both_edges_a_frame_outside_each_and_some_between(claim):
    chosen = times(claim)
    assert chosen[:4] == [0.6, 1.8, 0.4, 2.0]
    assert any(0.9 <= t <= 1.5 for t in chosen[4:])


def test_an_order_is_the_frames_of_both_events():
    chosen = times(
        Claim(text="A cup falls at 0.8 s, before the bell at 40 s.", ledger=["L0", "L1"], time_s=0.8)
    )
    assert set(chosen[:2]) == {0.8, 40.0}


def test_a_claim_about_all_of_it_is_frames_spread_over_its_looks():
    chosen = times(Claim(text="Both feet stay on the floor.", ledger=["L0"]))
    assert (min(chosen), max(chosen)) == (0, 60)
    assert max(chosen[:5]) - min(chosen[:5]) > 30
    assert 20 <= len(chosen) <= MOST


def test_a_no_is_frames_spread_over_all_that_was_looked_at_and_few_of_a_short_video():
    nothing = entry("L2", grid(0, 0.2, 41), found=False)
    assert len(times(Claim(text="No cat is seen."), (nothing,), found="no")) == 6
    chosen = times(Claim(text="No cat is seen."), found="no")
    assert (min(chosen), max(chosen)) == (0, 60)


def test_a_number_is_a_frame_from_the_middle_of_each_occurrence_and_from_between_them():
    spans = [Place(start_s=s, end_s=s + 4) for s in (4, 20, 50)]
    claim = Claim(text="It is there 3 times.", ledger=["L0"], time_s=6.0)
    assert sorted(times(claim, count=3, spans=spans)) == [6, 14, 22, 36, 52]
    many = [Place(start_s=s, end_s=s + 1) for s in range(2, 2 + 4 * (MOST // 2 + 1), 4)]
    assert all(int(s) % 4 == 2 for s in times(claim, count=3, spans=many))
    one = Claim(text="It is there.", ledger=["L0"], time_s=22.0)
    assert sorted(times(one, count=3, spans=spans)) == [20, 22, 24]


@pytest.mark.parametrize("text", ["It is seen at 3.000 s.", "It is seen at 3 s.", "It is seen at 0:03."])
def test_a_time_with_the_digits_of_the_count_is_no_number(text):
    spans = [Place(start_s=s, end_s=s + 4) for s in (2, 20, 50)]
    claim = Claim(text=text, ledger=["L1"], time_s=3.0)
    assert times(claim, count=3, spans=spans)[0] == 3.0


def test_a_claim_without_a_time_rests_on_what_its_looks_saw():
    assert set(times(Claim(text="It is red.", ledger=["L1"]))) <= set(grid(0.6, 0.2, 6))


def test_a_crop_of_the_frame_comes_along():
    crop = entry("L3", [1.0], found=True, seen=[1.0], crop=True)
    stills = claim_frames(
        (FINE, crop), Claim(text="It says GO.", time_s=1.0), Draft(found="yes", answer="x"), MOST
    )
    assert [still.cropped for still in stills[:2]] == [False, True]


def test_a_time_that_nobody_looked_at_has_no_frames():
    assert times(Claim(text="It is there.", ledger=["L1"], time_s=30.0), (FINE,)) == []


def test_a_look_that_shows_the_time_far_better_than_the_one_named_is_used():
    assert (
        times(Claim(text="It is there.", ledger=["L1"], time_s=4.9), (FINE, entry("L2", grid(4.7, 0.2, 3))))[
            0
        ]
        == 4.9
    )


def test_a_time_that_is_a_frame_of_another_look_is_judged_on_that_frame():
    brief = entry("L2", [33.3], found=True, seen=[33.3])
    assert (
        times(Claim(text="It is there at 33.300 s.", ledger=["L0"], time_s=33.3), (COARSE, brief))[0] == 33.3
    )


def test_times_are_written_as_the_labels_of_the_frames_that_stand_for_them():
    claim = Claim(text='From 0.61 s to 1.8 s the sign says "at 1.2 s" 3 times.', ledger=["L1"], time_s=0.6)
    stills = claim_frames((FINE,), claim, Draft(found="yes", answer="x"), MOST)
    told = with_labels(claim.text, stills, (FINE,))
    assert told == 'From 0.600 s to 1.800 s the sign says "at 1.2 s" 3 times.'
    assert with_labels("It lasts 90 s.", stills, (FINE,)) == "It lasts 90 s."
