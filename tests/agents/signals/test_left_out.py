"""The planner with some tools left out: it goes another way with those it has, or says that it cannot judge."""

import pytest

from tests.agents.signals.film import Event, Film, ask

EVERY = frozenset(["overview", "search", "clip", "resample", "crop", "answer"])
QUESTION = 'When is the text "GATE 7" shown?'
FIRST, END = 4000, 4060
"""Frames of the event: 2.4 s, long enough to be met by four clips of 24 frames in 200 s."""


def film_without(*tools, first=FIRST, end=END):
    film = Film.steady(25.0, 200, events=[Event("text", "GATE 7", first, end)], moments_s=[(first + 5) / 25])
    film.tools = EVERY - set(tools)
    return film


def used(film):
    return {result.tool for result in film.results}


@pytest.mark.parametrize("tools", [["resample"], ["clip"], ["overview"], ["crop"], ["overview", "resample"]])
def test_another_tool_stands_in_and_the_time_is_exact_all_the_same(tools):
    film = film_without(*tools)
    found = ask(film, QUESTION)
    (span,) = found["spans"]
    assert (span["start_s"], span["end_s"]) == (160.0, 162.4)
    assert not used(film) & set(tools)


def test_without_search_the_video_is_looked_at_in_parts():
    film = film_without("search")
    found = ask(film, QUESTION)
    assert (found["spans"][0]["start_s"], found["spans"][0]["end_s"]) == (160.0, 162.4)
    short = film_without("search", end=FIRST + 3)
    assert ask(short, QUESTION)["found"] == "no"
    parts = [(r.told["start_s"], r.told["end_s"]) for r in short.results if r.tool == "clip"]
    assert parts == [(0, 50), (50, 100), (100, 150), (150, 200)]


def test_without_closer_looks_the_time_is_as_coarse_as_the_frames():
    film = film_without("clip", "resample")
    found = ask(film, QUESTION)
    assert found["found"] == "yes"
    (span,) = found["spans"]
    assert span["start_s"] <= 162.4
    assert span["end_s"] > 162.5
    assert used(film) <= {"overview", "search"}


def test_cuts_without_search_or_closer_looks_cannot_be_judged():
    for tools in (["search"], ["clip", "resample"]):
        assert ask(film_without(*tools), "How many cuts are there?")["found"] == "cannot_judge"


def test_small_text_without_crop_is_read_in_the_whole_frame():
    film = film_without("crop")
    ask(film, "What does the small text in the upper left corner say at 161 s?")
    assert [result.tool for result in film.results] == ["clip"]
