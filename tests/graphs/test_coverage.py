"""Coverage: what was really shown as pictures, whatever the looks were said to be about."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from tests.graphs.scripts import Script, answer, clip_look
from tests.scripted_server import labelled_images
from vidagent.graphs.evidence.ledger import Entry, coverage
from vidagent.images.shown_frame import ShownFrame
from vidagent.tools.result import Look

SEEDS = range(60)


def entry(*times_s: float, start_s: float = 0.0, end_s: float = 100.0) -> Entry:
    stills = tuple(ShownFrame(time_s, "0" * 64, (8, 8), (0, 0, 8, 8)) for time_s in times_s)
    return Entry("L1", Look("clip", "?", start_s, end_s, stills), None)


def drawn(seed: int) -> tuple[float, list[Entry]]:
    """Draw a duration and looks over it, some sparse, some dense, some over the ends and some of one frame."""
    rng = random.Random(seed)
    duration_s = rng.choice([0.04, 0.9, 7.3, 60.0, 36_000.0])
    looks = []
    for _ in range(rng.randint(0, 12)):
        start = rng.uniform(0, duration_s)
        step = rng.choice([0.0, 0.001, 0.04, 0.5, 1.0, 3.0, 400.0])
        times = [start + step * place for place in range(rng.randint(0, 40))]
        looks.append(entry(*[time_s for time_s in times if time_s <= duration_s], end_s=duration_s))
    return duration_s, looks


@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_within_the_video_and_its_parts_add_up(seed):
    duration_s, looks = drawn(seed)
    seen = coverage(looks, duration_s)
    assert 0 <= seen.seconds_seen <= duration_s + 1e-9
    assert 0 <= seen.fraction <= 1
    assert seen.fraction == pytest.approx(seen.seconds_seen / duration_s)
    assert seen.seconds_seen == pytest.approx(sum(span.length_s for span in seen.spans))
    assert all(0 <= span.start_s <= span.end_s <= duration_s for span in seen.spans)
    assert all(before.end_s < after.start_s for before, after in pairwise(seen.spans))


@pytest.mark.parametrize("seed", SEEDS)
def test_it_never_falls_as_looks_are_added_and_their_order_does_not_matter(seed):
    duration_s, looks = drawn(seed)
    seen = [coverage(looks[:count], duration_s).seconds_seen for count in range(len(looks) + 1)]
    assert all(before <= after + 1e-9 for before, after in pairwise(seen))
    assert coverage(looks[::-1], duration_s).spans == coverage(looks, duration_s).spans
    assert coverage([*looks, *looks], duration_s).spans == coverage(looks, duration_s).spans


@pytest.mark.parametrize("seed", SEEDS)
def test_a_frame_speaks_for_a_second_at_most_and_for_its_own_time(seed):
    duration_s, looks = drawn(seed)
    seen = coverage(looks, duration_s)
    times = [still.time_s for look in looks for still in look.look.stills]
    assert seen.seconds_seen <= len(set(times)) + 1e-9
    assert all(any(span.start_s <= t <= span.end_s for span in seen.spans) for t in times)


def test_overlapping_looks_count_once():
    one, other = entry(*range(11)), entry(*range(5, 16))
    assert coverage([one], 60).seconds_seen == pytest.approx(10.5)
    assert coverage([one, other], 60).seconds_seen == pytest.approx(15.5)
    assert len(coverage([one, other], 60).spans) == 1


def test_a_sparse_overview_counts_what_its_frames_show_and_not_what_it_spans():
    overview = entry(*[20.0 * place for place in range(32)], end_s=7200.0)
    seen = coverage([overview], 7200.0)
    assert seen.seconds_seen == pytest.approx(31.5)  # the first frame has nothing before it
    assert len(seen.spans) == 32


def test_a_look_without_pictures_shows_nothing():
    assert coverage([entry()], 60).spans == ()
    assert coverage([], 60).fraction == 0
    assert coverage([entry(0.0)], 0.0).fraction == 0


@pytest.mark.network
def test_an_answer_tells_what_was_shown_and_not_what_was_claimed(ask, monkeypatch, tmp_path):
    (tmp_path / "blind.toml").write_text("plan_sees_overview = false\nframes_per_call = 3\n")
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "blind.toml"))
    claimed = answer(answer="All of it was looked at.", spans=[{"start_s": 0, "end_s": 8}])
    found, server = ask(Script([clip_look(0, 8), ("search", {"query": "cuts"})], [claimed]))
    shown = {time_s for body in server.bodies for time_s, _ in labelled_images(body)}
    assert len(shown) == 3
    assert found.coverage.seconds_seen == pytest.approx(2.0, abs=0.05)  # two of them at the ends
    assert found.coverage.fraction == pytest.approx(0.25, abs=0.01)
