"""Looks shot by shot: each shot once, alike ones together, described from cut to cut."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import numpy as np
import pytest

from tests.graphs.scripts import Script, answer
from tests.scripted_server import block_of, labelled_images, routes, says, step_of, texts
from vidagent import Budget
from vidagent.agents.prompting.replies import Scene
from vidagent.graphs.nodes import survey
from vidagent.graphs.strategies.shots import in_looks, joined, shots_of, spread, told, with_moments
from vidagent.video.index.moments import Moment
from vidagent.video.index.scan import Scan
from vidagent.video.index.video_index import Index

CUTS_S = (2.0, 3.0, 5.0)
PART = {"start_s": 2.0, "end_s": 5.0, "text": "A bar moves."}
TOLD = answer(answer="A bar.", claims=[], spans=[], parts=[PART])
WHOLE = routes("whole", in_parts=True)


class Describing(Script):
    """A script that describes each frame of a look as a scene of its own."""

    def __call__(self, body):
        if step_of(body) == "describe":
            scenes = [{"start_s": t, "end_s": t, "what": f"Frame {t:.1f}."} for t, _ in labelled_images(body)]
            return says(json.dumps({"scenes": scenes}))
        return super().__call__(body)


@pytest.fixture
def cut(monkeypatch, few_frames):
    """Let the clip have cuts."""
    monkeypatch.setattr(Index, "scan", lambda self: Scan((), CUTS_S, (), exact=True))
    monkeypatch.setattr(Index, "scanned", lambda self: True)


def described(server):
    return [body for body in server.bodies if step_of(body) == "describe"]


@pytest.mark.network
@pytest.mark.usefixtures("cut")
def test_every_shot_is_described_once_before_the_planner_speaks(ask, monkeypatch, tmp_path):
    (tmp_path / "few.toml").write_text("frames_per_call = 4\noverview_frames = 3\n")
    found, server = ask(Describing([TOLD], route=WHOLE), "Summarise this video.")
    assert server.steps.index("describe") < server.steps.index("plan")
    times = sorted(t for body in described(server) for t, _ in labelled_images(body))
    assert all(any(a <= t < b for t in times) for a, b in pairwise([0, *CUTS_S, 8]))
    assert all(len(labelled_images(body)) <= 4 for body in described(server))
    assert "Summarise this video." in texts(described(server)[0])
    plan = next(body for body in server.bodies if step_of(body) == "plan")
    ledger = block_of(plan, "ledger")
    assert "described" in ledger
    assert "2.000-3.000 s: Frame" in ledger
    assert [(part.start_s, part.end_s) for part in found.parts] == [(2, 5)]


@pytest.mark.network
@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("route", [routes("whole"), routes("count", in_parts=True)])
def test_other_questions_are_not_looked_at_shot_by_shot(ask, route):
    _, server = ask(Describing([TOLD], route=route))
    assert not [step for step in server.steps[: server.steps.index("plan")] if step == "describe"]


@pytest.mark.network
def test_a_video_is_scanned_for_them_also_where_the_survey_does_not(ask, few_frames, monkeypatch):
    monkeypatch.setattr(survey, "SCAN_AT_ONCE_S", 0.0)
    scans = []
    scan = Index.scan
    monkeypatch.setattr(Index, "scan", lambda self: scans.append(1) or scan(self))
    ask(Describing([TOLD], route=WHOLE))
    assert scans


@pytest.mark.network
@pytest.mark.usefixtures("cut")
def test_what_the_overview_shows_is_not_looked_at_again(ask):
    _, server = ask(Describing([TOLD], route=WHOLE))  # nine frames of eight seconds
    assert "describe" not in server.steps


@pytest.mark.network
@pytest.mark.usefixtures("cut")
def test_moments_between_the_frames_of_the_overview_are_looked_at(ask, monkeypatch):
    moments = (Moment(1.0, 4.5, (0, 0, 9, 9)), Moment(1.0, 0.0, (0, 0, 9, 9)))
    monkeypatch.setattr(Index, "scan", lambda self: Scan(moments, CUTS_S, (), exact=True))
    _, server = ask(Describing([TOLD], route=WHOLE))
    [body] = described(server)
    assert [t for t, _ in labelled_images(body)] == [4.48]


@pytest.mark.network
@pytest.mark.usefixtures("cut")
def test_looks_keep_to_a_share_of_the_budget(ask, tmp_path):
    (tmp_path / "few.toml").write_text("frames_per_call = 4\noverview_frames = 3\n")
    _, server = ask(Describing([TOLD], route=WHOLE), budget=Budget(model_calls=8))
    assert len(described(server)) <= 2


@pytest.mark.network
def test_bounds_of_parts_are_the_cuts_that_they_mean(ask, cut):
    near = {**PART, "start_s": 2.2, "end_s": 4.8}
    found, _ = ask(Describing([answer(answer="A bar.", claims=[], spans=[], parts=[near])], route=WHOLE))
    assert [(part.start_s, part.end_s) for part in found.parts] == [(2, 5)]


# --- the rules


def test_alike_shots_are_joined_also_where_they_take_turns():
    shots = shots_of([1, 2, 3, 4, 5, 6, 7], 0, 8)
    grey = [10, 90, 10, 90, 200, 200, 10, 90]
    pictures = [np.full((2, 2, 3), level, np.float32) for level in grey]
    assert joined(shots, pictures, 3) == [(0, 4), (4, 6), (6, 8)]
    assert len(joined(shots, [], 3)) == 3


def test_each_shot_has_a_frame_and_long_ones_have_more():
    times = spread([(0, 1), (1, 2), (2, 12)], 8, 0.04)
    assert [len(one) for one in times] == [1, 1, 5]
    assert all(2 < t < 12 for t in times[2])
    assert spread([(0, 0.04)], 9, 0.04) == [[0.02]]


def test_moments_are_added_where_no_frame_is_near():
    assert with_moments([(0, 4), (4, 9)], [[2.0], [6.5]], [2.1, 5.0, 8.0]) == [[2.0], [5.0, 6.5, 8.0]]


@pytest.mark.parametrize("number", [1, 7, 48, 97, 200])
def test_looks_hold_every_frame_once_in_order(number):
    times = [[float(place), place + 0.5] for place in range(number)]
    looks = list(in_looks(times, 8, 48))
    assert [t for look in looks for t in look] == [t for one in times for t in one]
    assert max(map(len, looks)) <= 48
    assert len(looks) <= max(1, -(-2 * number // 40))


def test_a_scene_lasts_from_cut_to_cut_and_shares_a_shot_at_its_frames():
    scenes = [
        Scene(start_s=0.5, end_s=1.5, what="a"),
        Scene(start_s=2.5, end_s=3.5, what="b"),
        Scene(start_s=4.0, end_s=4.5, what="c"),
    ]
    seen = told(scenes, [0.5, 1.5, 2.5, 3.5, 4.0, 4.5], CUTS_S, 8.0, 0.04)
    assert seen.what.splitlines() == [
        "0.000-2.000 s: a",
        "2.000-4.000 s (last seen at 3.500): b",
        "4.000-5.000 s: c",
    ]


def test_a_shot_that_two_looks_share_ends_in_each_at_its_frames():
    first = told([Scene(start_s=0.5, end_s=3.5, what="a")], [0.5, 1.5, 2.5, 3.5], [], 8.0, 0.04)
    rest = told([Scene(start_s=4.5, end_s=7.5, what="b")], [4.5, 5.5, 6.5, 7.5], [], 8.0, 0.04)
    assert [look.what for look in (first, rest)] == ["0.000-3.500 s: a", "4.500-8.000 s: b"]


def test_the_only_frame_of_a_shot_stands_for_all_of_it():
    seen = told([Scene(start_s=3.0, end_s=3.0, what="a")], [3.0], [2.0, 6.0], 8.0, 0.04)
    assert seen.what == "2.000-6.000 s (last seen at 3.000): a"


def test_each_of_two_looks_at_a_shot_tells_only_the_frames_it_saw_and_no_empty_range():
    cuts_s, shown_s, rest_s = [951.212, 985.346], [955.0, 965.0, 975.079], [980.0]
    first = told(
        [Scene(start_s=955.0, end_s=965.0, what="a"), Scene(start_s=975.079, end_s=975.079, what="b")],
        shown_s,
        cuts_s,
        1000.0,
        0.04,
        rest_s,
    )
    rest = told([Scene(start_s=980.0, end_s=980.0, what="c")], rest_s, cuts_s, 1000.0, 0.04, shown_s)
    assert first.what.splitlines() == [
        "951.212-975.079 s (last seen at 965.000): a",
        "975.079-975.119 s: b",
    ]
    assert rest.what == "980.000-985.346 s (last seen at 980.000): c"


@pytest.mark.network
@pytest.mark.usefixtures("few_frames")
def test_looks_that_share_a_shot_do_not_overlap(ask, monkeypatch, tmp_path):
    (tmp_path / "few.toml").write_text("frames_per_call = 3\noverview_frames = 3\n")
    monkeypatch.setattr(Index, "scan", lambda self: Scan((), (), (), exact=True))
    monkeypatch.setattr(Index, "scanned", lambda self: True)
    _, server = ask(Describing([TOLD], route=WHOLE))
    assert len(described(server)) > 1
    ledger = block_of(next(body for body in server.bodies if step_of(body) == "plan"), "ledger")
    ranges = [(float(a), float(b)) for a, b in re.findall(r"(\d+\.\d{3})-(\d+\.\d{3}) s: Frame", ledger)]
    assert all(start_s < end_s for start_s, end_s in ranges)
    assert all(before[1] <= after[0] + 0.04 for before, after in pairwise(sorted(ranges)))


@pytest.mark.network
@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize(("frames", "shown"), [(4, 0), (1, 3)])
def test_the_planner_sees_the_overview_only_if_the_looks_are_no_finer(ask, tmp_path, frames, shown):
    (tmp_path / "few.toml").write_text(f"frames_per_call = {frames}\noverview_frames = 3\n")
    found, server = ask(Describing([TOLD], route=WHOLE), budget=Budget(model_calls=20 if shown == 0 else 6))
    plan = next(body for body in server.bodies if step_of(body) == "plan")
    assert len(labelled_images(plan)) == shown
    assert ("L0 overview" in (block_of(plan, "ledger") or "")) == bool(shown)
    times = {t for body in server.bodies for t, _ in labelled_images(body)}
    assert found.coverage.seconds_seen <= len(times) + 1e-6
