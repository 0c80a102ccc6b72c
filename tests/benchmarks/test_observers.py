"""The simulated observers: what they see is what the video shows, less the mistakes of their skill."""

from __future__ import annotations

import av
import pytest

from benchmarks.observers.__main__ import METHODS, Task, ask, rows
from benchmarks.observers.drawing import BrokenCodeError, draw, read_code
from benchmarks.observers.model import SKILLS
from benchmarks.observers.world import KINDS, make_world, mark, questions
from vidagent.evaluation.scoring import Prediction

LENGTH_S = 10.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worlds")
    world = make_world(LENGTH_S, 0)
    draw(world, folder / f"world-{LENGTH_S:g}-0.mp4")
    return folder


def test_each_frame_says_which_it_is(folder):
    with av.open(str(folder / "world-10-0.mp4")) as container:
        shown = [read_code(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert shown == list(range(100))


def test_a_broken_picture_is_known(folder):
    with av.open(str(folder / "world-10-0.mp4")) as container:
        rgb = next(container.decode(video=0)).to_ndarray(format="rgb24")
    rgb[:40, :80] = 128
    with pytest.raises(BrokenCodeError):
        read_code(rgb)


def test_a_world_has_a_question_of_each_kind():
    assert [question.kind for question in questions(make_world(60.0, 1))] == list(KINDS)


@pytest.mark.network
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["read", "absent"])
def test_a_perfect_observer_is_right(method, kind, folder):
    done = ask(Task("perfect", method, LENGTH_S, 0, kind), folder)
    assert (done.mark, done.wrong_labels, done.broken) == ("right", 0, 0)
    (row,) = rows([done])
    assert row["right"] == row["asked"] == 1
    assert (row["calls"] == 1) == (method == "uniform-32")


@pytest.mark.network
def test_one_that_sees_nothing_finds_nothing(folder, monkeypatch):
    blind = type(SKILLS["perfect"])("blind", forgets=1.0)
    monkeypatch.setitem(SKILLS, "blind", blind)
    assert ask(Task("blind", "uniform-32", LENGTH_S, 0, "when"), folder).mark == "abstained"


def test_a_not_found_of_what_is_there_is_no_answer_and_a_claim_of_what_is_not_is_wrong():
    world = make_world(LENGTH_S, 0)
    when, absent = (next(q for q in questions(world) if q.kind == kind) for kind in ("when", "absent"))
    there = world.thing(when.things[0]).spans
    assert mark(world, when, Prediction("not_found", "No.")) == "abstained"
    assert mark(world, when, Prediction("answered", "Here.", spans=there)) == "right"
    assert mark(world, absent, Prediction("answered", "Here.", spans=there)) == "wrong"
    assert mark(world, absent, Prediction("not_found", "No.")) == "right"
