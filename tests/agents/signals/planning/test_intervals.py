import random

import pytest

from tests.agents.signals.film import Event, Film
from vidagent.agents.signals.language import wording
from vidagent.agents.signals.planning.earlier_looks import Past, Result
from vidagent.agents.signals.planning.intervals import edges_to_look_at, runs_of

RATES = [24000 / 1001, 25.0, 30000 / 1001, 60.0]
SHOWN = wording.is_shown("A")


def narrow(film, question=SHOWN, by="frame"):
    """Look until every edge of every run is sharp, as the planner does."""
    asked = set()
    while True:
        runs = runs_of(film.results, in_pairs=by != "frame")
        windows = [w for run in runs for w in edges_to_look_at(run, film.results, film.past, by)]
        new = [window for window in dict.fromkeys(windows) if window not in asked]
        if not new:
            return runs
        for window in new:
            asked.add(window)
            if window.fps is None:
                film.call("clip", start_s=window.start_s, end_s=window.end_s, question=question)
            else:
                film.call(
                    "resample", start_s=window.start_s, end_s=window.end_s, fps=window.fps, question=question
                )
        assert len(asked) < 40


def look(times_s, hits, *, start_s=0.0, end_s=10.0, every_frame=False):
    told = {
        "id": "L1",
        "start_s": start_s,
        "end_s": end_s,
        "every_frame": every_frame,
        "frame_times_s": times_s,
        "sightings": [{"time_s": t} for t in hits],
    }
    return Result("clip", "?", {}, told)


def test_looks_are_joined_by_time():
    runs = runs_of([look([0, 4, 8], [4]), look([3, 5, 6], [5])])
    assert [(r.first_s, r.last_s, r.before_s, r.after_s) for r in runs] == [(4, 5, 3, 6)]


def test_a_frame_seen_in_one_look_and_missed_in_another_is_seen():
    (run,) = runs_of([look([1, 2, 3], [2]), look([2], [])])
    assert (run.first_s, run.last_s) == (2, 2)


def test_a_gap_shorter_than_a_flicker_splits_nothing():
    times = [1.0, 1.04, 1.08, 1.12, 2.0]
    assert len(runs_of([look(times, [1.0, 1.04, 1.12])])) == 2
    assert len(runs_of([look(times, [1.0, 1.04, 1.12])], 0.25)) == 1


def test_only_sightings_with_the_text_count():
    result = look([1, 2], [])
    result.told["sightings"] = [{"time_s": 1, "text": "a"}, {"time_s": 2, "text": "b"}]
    assert [run.first_s for run in runs_of([result], text="b")] == [2]


def test_in_pairs_the_first_picture_tells_nothing_and_the_shorter_step_is_right():
    coarse, fine = look([0.0, 4.0, 8.0], [4.0, 8.0]), look([7.0, 7.5, 8.0], [7.5])
    assert [(r.first_s, r.last_s) for r in runs_of([coarse], in_pairs=True)] == [(4.0, 8.0)]
    (run,) = runs_of([coarse, fine], in_pairs=True)
    assert (run.first_s, run.last_s, run.before_s, run.after_s) == (4.0, 7.5, None, 8.0)


def test_nothing_is_looked_at_twice():
    past = Past((), (), 10.0, 0.04)
    result = look([0.0, 5.0], [5.0], start_s=0.0, end_s=10.0, every_frame=True)
    (run,) = runs_of([result])
    assert edges_to_look_at(run, [result], past) == []


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("seconds", [20, 600])
def test_both_edges_are_exact_to_the_frame(fps, seconds):
    rng = random.Random(round(fps) + seconds)
    last = round(seconds * fps)
    for first, length in [
        (0, 40),
        (last - 30, 30),
        (rng.randrange(50, last // 2), round(fps * seconds / 12)),
    ]:
        event = Event("text", "A", first, first + length)
        film = Film.steady(fps, seconds, events=[event])
        film.call("overview", question=SHOWN)
        film.call(
            "resample", start_s=film.times_s[first], end_s=film.times_s[first] + 1, fps=1, question=SHOWN
        )
        (run,) = narrow(film)
        start_s, end_s = film.span(event)
        assert run.first_s == pytest.approx(start_s, abs=6e-4)
        end = film.duration_s if run.after_s is None else run.after_s
        assert end == pytest.approx(end_s, abs=6e-4)
        assert film.frames_sent - 48 <= 60


@pytest.mark.parametrize("fps", RATES)
def test_an_event_of_one_frame(fps):
    film = Film.steady(fps, 60, events=[event := Event("text", "A", 777, 778)])
    film.call("overview", question=SHOWN)
    film.call("crop", time_s=film.times_s[777], grid="1x1", question=SHOWN)
    (run,) = narrow(film)
    assert run.first_s == run.last_s == pytest.approx(film.span(event)[0], abs=6e-4)
    assert run.after_s == pytest.approx(film.span(event)[1], abs=6e-4)
    assert film.frames_sent <= 48 + 40


@pytest.mark.parametrize("number", [0, 299])
def test_the_first_and_the_last_frame(number):
    film = Film.steady(25, 12, events=[Event("text", "A", number, number + 1)])
    film.call("overview", question=SHOWN)
    (run,) = narrow(film)
    assert run.first_s == run.last_s == pytest.approx(film.times_s[number])
    assert (run.before_s is None) == (number == 0)
    assert (run.after_s is None) == (number == 299)


@pytest.mark.parametrize("seed", range(30))
def test_uneven_frame_times(seed):
    rng = random.Random(seed)
    times, now = [], 0.0
    for _ in range(900):
        times.append(round(now, 6))
        now += rng.choice([0.017, 0.033, 0.04, 0.066, 0.1, 0.4])
    first = rng.randrange(0, 800)
    event = Event("text", "A", first, first + rng.randrange(1, 100))
    film = Film(times, 0.0815, events=[event])
    film.call("overview", question=SHOWN)
    film.call("crop", time_s=times[first + (event.end - first) // 2], grid="1x1", question=SHOWN)
    (run,) = narrow(film)
    assert run.first_s == pytest.approx(times[first], abs=6e-4)
    if event.end < len(times):
        assert run.after_s == pytest.approx(times[event.end], abs=6e-4)
    assert film.frames_sent <= 48 + 100


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize(("first", "end"), [(1, 90), (400, 401), (500, 777), (1000, 1440)])
def test_movement_is_exact_to_the_frame(fps, first, end):
    film = Film.steady(fps, 1440 / fps, events=[Event("motion", "", first, end)])
    film.call("overview", question=wording.ANY_MOTION)
    (run,) = narrow(film, wording.ANY_MOTION, "step")
    assert run.first_s == pytest.approx(film.times_s[first], abs=6e-4)
    assert run.last_s == pytest.approx(film.times_s[end - 1], abs=6e-4)
    assert film.frames_sent <= 200


def test_a_cut_is_no_movement():
    film = Film.steady(25, 60, events=[Event("motion", "", 900, 950)], cuts=[300, 610, 611])
    film.call("overview", question=wording.ANY_MOTION)
    (run,) = narrow(film, wording.ANY_MOTION, "step")
    assert (run.first_s, run.last_s) == pytest.approx((36.0, 37.96))
