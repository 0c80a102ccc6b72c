from itertools import pairwise

import pytest

from tests.agents.signals.film import Film, ask
from vidagent.agents.signals.language import wording

FPS = 25
CUTS_S = (6.0, 16.0, 20.0, 27.0)


def film(cuts_s=CUTS_S, seconds=60):
    return Film.steady(FPS, seconds, cuts=[round(t * FPS) for t in cuts_s])


def spans_of(found):
    return [(span["start_s"], span["end_s"]) for span in found["spans"]]


@pytest.mark.parametrize(
    ("question", "count"),
    [
        ("How many shots are there?", 5),
        ("How many cuts are there?", 4),
        ("How many scene changes are there?", 4),
        ("How many scenes does the video have?", 5),
        ("How many cuts are there between 10 s and 25 s?", 2),
        ("How many cuts are there in the first 16.1 seconds?", 2),
        ("How many cuts are there after 0:20?", 2),
    ],
)
def test_shots_and_cuts_are_counted(question, count):
    found = ask(film(), question)
    assert (found["found"], found["count"]) == ("yes", count)


@pytest.mark.parametrize(
    ("question", "spans"),
    [
        ("When is the first cut?", [(6.0, 6.04)]),
        ("When is the second cut?", [(16.0, 16.04)]),
        ("When is the last cut?", [(27.0, 27.04)]),
        ("When is the first cut after 10 s?", [(16.0, 16.04)]),
        ("When are the cuts?", [(t, t + 0.04) for t in CUTS_S]),
        ("List all cuts.", [(t, t + 0.04) for t in CUTS_S]),
        ("When does the first shot begin?", [(0.0, 0.04)]),
        ("When does the first shot end?", [(6.0, 6.04)]),
        ("When does the second shot begin?", [(6.0, 6.04)]),
        ("When is the third shot?", [(16.0, 20.0)]),
        ("When does the last shot begin?", [(27.0, 27.04)]),
        ("When does the last shot end?", [(60.0, 60.0)]),
        ("Is there a cut at 16 s?", [(16.0, 16.04)]),
    ],
)
def test_when(question, spans):
    found = ask(film(), question)
    assert (found["found"], found["count"]) == ("yes", None)
    assert spans_of(found) == [pytest.approx(span) for span in spans]
    assert found["claims"]


@pytest.mark.parametrize(
    "question", ["When is the ninth cut?", "When does the seventh shot begin?", "Is there a cut at 40 s?"]
)
def test_what_there_is_not(question):
    assert ask(film(), question)["found"] == "no"


@pytest.mark.parametrize(
    ("question", "count", "told"),
    [("How many shots are there?", 1, "1 shot:"), ("How many cuts?", 0, "0 cuts:")],
)
def test_one_shot(question, count, told):
    found = ask(film(()), question)
    assert (found["found"], found["count"]) == ("yes", count)
    assert found["answer"].startswith(told)


@pytest.mark.parametrize("question", ["Is there a cut?", "When is the first cut?"])
def test_no_cut_is_said_with_a_frame_looked_at(question):
    looked = film(())
    assert ask(looked, question)["found"] == "no"
    assert any(result.times_s for result in looked.results)


def test_every_cut_is_looked_at_with_its_neighbours():
    looked = film()
    found = ask(looked, "How many cuts are there?")
    looks = [result for result in looked.results if result.question == wording.ANY_CUT]
    assert len(looks) == 4
    for look, cut in zip(looks, CUTS_S, strict=True):
        assert {round(cut - 0.08, 3), round(cut - 0.04, 3), cut, round(cut + 0.04, 3)} <= set(look.times_s)
    assert [claim["text"] for claim in found["claims"]] == [wording.claim_cut(t) for t in CUTS_S]


def test_a_cut_that_the_frames_do_not_show_is_none():
    wrong = film()
    wrong.call("search", query="How many shots are there, and when are the cuts?", page=1)
    wrong.cuts = wrong.cuts[:2]
    assert ask(wrong, "How many cuts are there?")["count"] == 2


@pytest.mark.parametrize("cuts", [28, 60])
def test_up_to_sixty_cuts_are_all_looked_at(cuts):
    looked = film([2 * n + 1 for n in range(cuts)], seconds=130)
    search = looked._search
    extra = ", ".join(f"{2 * n + 1:.3f}" for n in range(cuts))
    looked._search = lambda **args: {
        **search(**args),
        "facts": [
            f"{cuts + 2} shots, {cuts + 1} cuts (exact to the frame)",
            f"cuts at (first frame of the new shot, seconds): {extra}, 126.000",
        ],
    }
    asked = ask(looked, "How many cuts are there?")
    assert asked["count"] == (cuts if cuts < 60 else None)
    assert sum(result.question == wording.ANY_CUT for result in looked.results) == (29 if cuts < 60 else 24)


def test_of_more_cuts_a_sample_over_the_whole_video_is_looked_at_and_that_is_said():
    many = film([2 * n + 1 for n in range(113)], seconds=240)
    found = ask(many, "How many cuts are there?")
    assert (found["count"], found["confidence"]) == (113, 0.8)
    assert "113 cuts, as the index" in found["answer"]
    assert "24 of the cuts, spread over all of them, were looked at" in found["answer"]
    times = [claim["time_s"] for claim in found["claims"]]
    assert (len(times), times[0], times[-1]) == (24, 1.0, 225.0)
    assert max(after - before for before, after in pairwise(times)) <= 10


def test_a_sample_with_a_cut_that_is_none_is_no_ground_for_a_count():
    many = film([2 * n + 1 for n in range(113)], seconds=240)
    many.call("search", query="How many shots are there, and when are the cuts?", page=1)
    many.cuts = [cut for cut in many.cuts if not 70 * FPS < cut < 90 * FPS]
    found = ask(many, "How many cuts are there?")
    assert (found["found"], found["count"]) == ("cannot_judge", None)
    assert "113 cuts" in found["answer"]


def test_the_last_cut_of_many_takes_one_look():
    many = film([2 * n + 1 for n in range(113)], seconds=240)
    assert spans_of(ask(many, "When is the last cut?")) == [(225.0, pytest.approx(225.04))]
    assert many.frames_sent <= 6
    fewer = film([6.0, 16.0, 20.0])
    fewer.call("search", query="How many shots are there, and when are the cuts?", page=1)
    fewer.cuts = fewer.cuts[:2]
    assert spans_of(ask(fewer, "When is the last cut?")) == [(16.0, pytest.approx(16.04))]


def test_a_second_step_beside_a_cut_is_not_counted():
    twice = film((6.0, 16.0))
    twice.call("search", query="How many shots are there, and when are the cuts?", page=1)
    twice.cuts = [150, 152, 400]
    assert ask(twice, "How many cuts are there?")["count"] == 2


def test_more_cuts_than_are_listed_are_counted_but_not_told_apart():
    def many():
        crowded = film([2 * n + 1 for n in range(28)])
        told = crowded.call("search", query="How many shots are there, and when are the cuts?", page=1).told
        told["facts"] = [
            "231 shots, 230 cuts (exact to the frame)",
            "cuts at (first frame of the new shot, seconds): "
            + ", ".join(f"{2 * n + 1:.3f}" for n in range(28)),
        ]
        return crowded

    counted = ask(many(), "How many shots are there?")
    assert counted["count"] == 231
    assert "231 shots, as the index" in counted["answer"]
    assert "spread over those that are listed" in counted["answer"]
    assert ask(many(), "How many cuts are there between 0 s and 50 s?")["count"] == 25
    assert ask(many(), "How many cuts are there after 50 s?")["found"] == "cannot_judge"
    assert ask(many(), "When is the last cut?")["found"] == "cannot_judge"


def test_the_index_of_a_long_video_is_looked_at_more_widely():
    rough = film([6.0])
    told = rough.call("search", query="How many shots are there, and when are the cuts?", page=1).told
    told["facts"] = ["2 shots, 1 cuts (exact to a few frames)", "cuts at (first frame, seconds): 6.240"]
    assert spans_of(ask(rough, "When is the first cut?")) == [(6.0, 6.04)]


def test_a_cut_with_a_number_is_found_among_hundreds_with_few_frames():
    many = film([4.0 * n for n in range(1, 400)], seconds=1600)
    found = ask(many, "When is the third cut?")
    assert spans_of(found) == [(12.0, pytest.approx(12.04))]
    assert many.frames_sent <= 6 * 6
    later = film([4.0 * n for n in range(1, 400)], seconds=1600)
    assert spans_of(ask(later, "When is the tenth cut?")) == [(40.0, pytest.approx(40.04))]


def test_a_cut_that_the_index_knows_and_no_frame_shows_is_not_counted():
    some = film((6.0, 16.0, 20.0))
    search = some._search
    extra = "cuts at (first frame of the new shot, seconds): 3.000, 6.000, 16.000, 20.000"
    some._search = lambda **args: {**search(**args), "facts": ["4 shots, 4 cuts (exact to the frame)", extra]}
    assert spans_of(ask(some, "When is the second cut?")) == [(16.0, pytest.approx(16.04))]
