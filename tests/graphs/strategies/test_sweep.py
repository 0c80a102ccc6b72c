"""Counting questions: code sweeps the range, what the looks saw is put together, and the planner is told."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from tests.graphs.scripts import answer, clip_look
from tests.media.code import read_code
from tests.scripted_server import (
    ScriptedServer,
    block_of,
    calls,
    grids,
    judges,
    labelled_images,
    must_call,
    routes,
    says,
    step_of,
    texts,
    tool_results,
)
from vidagent import api
from vidagent.graphs.evidence.occurrences import Occurrence
from vidagent.graphs.strategies.gaps import Gap, points
from vidagent.graphs.strategies.sweep import Count, packed, with_places
from vidagent.images import jpeg
from vidagent.tools.answer import Draft
from vidagent.types import Budget

pytestmark = pytest.mark.network

QUESTION = "How many red balls are shown?"
LEFT, RIGHT = [0, 300, 100, 400], [800, 300, 900, 400]
PAIR = [(5.2, 5.8, LEFT), (5.4, 6.2, RIGHT)]
BALLS = [(0.6, 1.0, LEFT), (1.4, 1.8, LEFT), (3.0, 4.4, RIGHT), *PAIR, (7.6, 9.0, LEFT)]
"""When and where a ball is shown: twice at one place, for long, two at once, and up to the end."""
ASK = "import sys, vidagent; vidagent.analyze_video(sys.argv[1], sys.argv[2], base_url=sys.argv[3], model='scripted')"
_STEP_S = 0.35
"""Time between two frames of a look of 24 over the clip."""
RUN = re.compile(r"(\d+) told apart")


@dataclass
class Counting:
    """A planner that takes the sweep's word, or looks once and counts what it was told; an observer of the balls.

    The observer knows the balls by the codes of the frames, and nothing of its other looks.
    """

    balls: list[tuple[float, float, list[int]]]
    insists: int | None = None
    boxes: bool = True
    start_s: float | None = None
    end_s: float | None = None
    found: str = "yes"
    numbered: bool = True
    spans: list[tuple[float, float]] | None = None
    route: dict[str, Any] = field(default_factory=dict)

    def __call__(self, body):
        step = step_of(body)
        if step == "route":
            return routes("count", thing="red ball", start_s=self.start_s, end_s=self.end_s, **self.route)
        if step == "look":
            return self._look(body)
        if step == "verify":
            return judges(body, lambda _: {"why": "so it is", "verdict": "supported", "confidence": 0.9})
        return self._plan(body)

    def _look(self, body):
        sightings = []
        for label_s, picture in labelled_images(body):
            at_s = read_code(jpeg.decode(picture)).millis / 1000
            sightings += [
                {"time_s": label_s, "text": None, "box": box if self.boxes else None}
                for start, end, box in self.balls
                if start <= at_s < end
            ]
        return says(
            json.dumps({"found": bool(sightings), "what": "red", "sightings": sightings, "confidence": 0.9})
        )

    def _plan(self, body):
        told, results = RUN.search(block_of(body, "ledger")), tool_results(body)
        alone = self.spans is None and not results and told is None
        if alone and must_call(body) is None:
            return calls(clip_look(0, 8, "Red balls?"))
        seen = [json.loads(result).get("sightings") or [] for result in results]
        first = next((one[0]["time_s"] for one in seen if one), self.start_s or 0.0)
        spans = [{"start_s": start, "end_s": end} for start, end in self.spans or []]
        number = int(told[1]) if told else len(seen[0]) if seen else len(spans)
        count = number if self.insists is None else self.insists
        at = (
            {"ledger": ["L0"], "time_s": self.spans[0][0]}
            if self.spans
            else {"ledger": ["L1"], "time_s": first}
        )
        claim = {"text": "A red ball is shown.", **at}
        words = f"There are {count} red balls." if self.numbered else "A red ball is shown."
        told = {"count": count} if self.numbered else {}
        return calls(answer(found=self.found, answer=words, claims=[claim], spans=spans, **told))


@pytest.fixture
def sweep(ask, monkeypatch, tmp_path):
    """Return the function that asks how many balls there are; unless it says so, the planner sees no overview."""

    def run(script, *without, refined=False, frames=24, sees=False, overview=9, **rest):
        parts = [*without, *([] if refined else ["boundaries"])]
        profile, left_out = (
            tmp_path / f"model_{frames}_{sees}_{overview}_{len(parts)}.toml",
            json.dumps(parts),
        )
        size = f"frames_per_call = {frames}\noverview_frames = {overview}\nplan_sees_overview = {str(sees).lower()}\n"
        profile.write_text(f"{size}without = {left_out}\n")
        monkeypatch.setenv("VIDAGENT_PROFILE", str(profile))
        return ask(script, QUESTION, **rest)

    return run


def plans(server):
    return [body for body in server.bodies if step_of(body) == "plan"]


def looks(server):
    """Return the times shown in each look, in the order of time."""
    shown = [[t for t, _ in labelled_images(body)] for body in server.bodies if step_of(body) == "look"]
    return sorted(shown)


def spans(found):
    return [(round(span.start_s, 2), round(span.end_s, 2)) for span in found.spans]


def test_a_sweep_counts_where_the_planner_alone_does_not(sweep):
    alone, server = sweep(Counting(BALLS), "shapes")
    assert server.steps == ["route", "plan", "look", "plan", "verify"]
    assert alone.count != 6
    found, server = sweep(Counting(BALLS))
    assert (found.status, found.count, len(found.spans)) == ("answered", 6, 6)
    assert server.steps == ["route", *["look"] * server.steps.count("look"), "plan", "verify"]
    assert server.steps.count("look") <= 4
    for (start_s, end_s), (first, last, _) in zip(spans(found), BALLS, strict=True):
        assert abs(start_s - first) <= _STEP_S
        assert abs(end_s - min(last, 8.0)) <= _STEP_S
    asked = {block_of(body, "looking_for") for body in server.bodies if step_of(body) == "look"}
    assert len(asked) == 1
    assert "red ball: give one sighting for each separate one in each frame, with its box" in asked.pop()


def test_what_lasts_several_steps_is_not_looked_at_closer(sweep):
    """One look of up to the profile's frames goes over all of it, and the answer says what it may have missed."""
    found, server = sweep(Counting([(0.9, 3.9, LEFT), (5.0, 7.9, LEFT)]), frames=32)
    [shown] = looks(server)
    assert len(shown) <= 32
    assert (found.count, len(found.spans)) == (2, 2)
    longest_s = max(after - before for before, after in pairwise(shown))
    assert longest_s < 0.3
    assert found.answer == "There are 2 red balls. Any shorter than 0.3 s could have been missed."


@pytest.mark.parametrize(("balls", "looked"), [([(1.6, 5.4, LEFT)], 0), ([(2.9, 3.2, LEFT)], 1)])
def test_a_draft_that_the_overview_bears_out_needs_no_sweep(sweep, balls, looked):
    """It does if each of its places lasts several times the second between two frames of the overview."""
    found, server = sweep(Counting(balls, spans=[one[:2] for one in balls]), sees=True)
    kinds = [step for step in server.steps if step != "look"]
    assert kinds == ["route", *["plan"] * (1 + looked), "verify"]
    assert (server.steps.count("look") > 0) == looked
    assert (found.count, len(found.spans)) == (1, 1)
    if looked:
        held = json.loads(tool_results(plans(server)[1])[0])["held"]
        assert held.startswith("before it is accepted, code looks over the whole range for every one")


def test_after_a_sweep_the_overview_comes_as_grids(sweep):
    """It is coarser than the sweep, whose looks the ledger holds."""
    found, server = sweep(Counting(BALLS), sees=True, overview=5)
    assert server.steps == ["route", *["look"] * server.steps.count("look"), "plan", "verify"]
    [plan] = plans(server)
    assert (labelled_images(plan), sum(len(times) for times, _ in grids(plan))) == ([], 5)
    assert found.count == 6


def test_a_count_within_one_picture_is_not_swept(sweep):
    _, server = sweep(Counting(PAIR, route={"within_picture": True}))
    assert server.steps == ["route", "plan", "look", "plan", "verify"]


def test_looks_are_cut_where_nothing_happens():
    groups = [[0.0, 1.0, 2.0], [3.0, 4.0], [5.0, 6.0, 7.0]]
    assert packed(groups, 6) == [[0.0, 1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0]]
    assert packed([[0.0, 1.0, 2.0, 3.0]], 3) == [
        [0.0, 1.0, 2.0],
        [2.0, 3.0],
    ]  # too long for one: they share a frame
    assert packed([[0.0, 1.0], [1.0, 2.0]], 3) == [[0.0, 1.0, 2.0]]


def test_frames_go_into_the_widest_gaps_first():
    wide = [Gap(0.0, 12.0), Gap(20.0, 24.0)]
    assert points(wide, 2) == [4.0, 8.0]
    assert points(wide, 3) == [4.0, 8.0, 22.0] or points(wide, 3) == [3.0, 6.0, 9.0]
    assert len(points(wide, 100)) == 11 + 3  # nothing finer than a second


def test_places_of_the_planner_are_kept():
    """Where a place of its own holds an instance, that stays; the others get the sweep's."""
    seen = tuple(Occurrence(t, t + 0.5, ("L1",)) for t in (1.0, 3.0, 5.0))
    count = Count(seen, ("L1",), 0.5)
    draft = {"found": "yes", "answer": "Three.", "count": 3}

    def places(*given):
        spans = [{"start_s": start, "end_s": end} for start, end in given]
        kept = with_places(Draft.model_validate({**draft, "spans": spans}), count)
        return [(place.start_s, place.end_s) for place in kept.spans]

    assert places() == [(1.0, 1.5), (3.0, 3.5), (5.0, 5.5)]
    assert places((0.0, 8.0)) == [(0.0, 8.0)]
    assert places((2.9, 3.4)) == [(1.0, 1.5), (2.9, 3.4), (5.0, 5.5)]


@pytest.mark.parametrize("boxes", [True, False])
def test_two_at_once_are_two(sweep, boxes):
    found, server = sweep(Counting(PAIR, boxes=boxes))
    assert found.count == 2
    ledger = block_of(plans(server)[0], "ledger").splitlines()
    assert [line.split(". ", 1)[0].strip() for line in ledger[-2:]] == ["1", "2"]
    (first, second) = spans(found)
    assert (
        first[0] <= second[0] < min(first[1], second[1])
    )  # without boxes, which of them ends first is not known


def test_only_the_range_asked_about_is_swept(sweep):
    found, server = sweep(Counting(BALLS, start_s=2.0, end_s=5.0))
    times = [t for look in looks(server) for t in look]
    assert (min(times), max(times)) == (2.0, pytest.approx(5.0, abs=0.05))
    assert found.count == 1


def test_what_is_not_there_is_counted_as_none(sweep):
    found, server = sweep(Counting([], found="no"))
    assert (found.status, found.count, found.spans) == ("not_found", None, ())
    assert "0 told apart" in block_of(plans(server)[0], "ledger")
    assert len(plans(server)) == 1


def test_a_draft_that_counts_otherwise_is_sent_back_once(sweep):
    found, server = sweep(Counting(BALLS, insists=2))
    assert [step for step in server.steps if step != "look"] == ["route", "plan", "plan", "verify"]
    [told] = [json.loads(text) for text in tool_results(plans(server)[1]) if "told_apart" in text]
    assert told["error"].startswith("the answer says 2, and the sweep told 6 apart")
    assert len(told["told_apart"]) == 6
    assert told["told_apart"][0].startswith("  1. 0.6")
    assert (found.status, found.count, found.spans) == ("answered", 2, ())


@pytest.mark.parametrize("options", [None, ["two", "five"]])
def test_a_draft_without_a_number_is_sent_back_unless_it_chooses(sweep, options):
    """An option is a number in words, which only the planner can read."""
    script = Counting(BALLS, numbered=False)
    found, server = sweep(script, options=options)
    assert len(plans(server)) == 2
    assert ("the answer says no number" in texts(plans(server)[-1])) == (options is None)
    assert ("give `choice`" in texts(plans(server)[-1])) == (options is not None)
    assert (found.status, found.count) == ("answered", None)


def test_a_no_in_spite_of_the_sweep_is_sent_back(sweep):
    _, server = sweep(Counting(PAIR, found="no"))
    assert len(plans(server)) == 2
    assert "the answer says 0, and the sweep told 2 apart" in texts(plans(server)[1])


@pytest.mark.parametrize(
    ("budget", "most"),
    [(Budget(frames=30), 13), (Budget(model_calls=10), 2), (Budget(prompt_tokens=30_000), 54)],
)
def test_a_sweep_takes_half_of_a_budget_at_most(sweep, budget, most):
    found, server = sweep(Counting(BALLS), budget=budget)
    first = looks(server)[:1] if budget.frames else looks(server)
    unit = len(first) if budget.model_calls else len(first[0])
    assert 0 < unit <= most
    assert found.usage.model_calls == len(server.bodies) <= (budget.model_calls or 99)
    assert found.usage.frames_sent <= (budget.frames or 999)
    assert found.status in {"answered", "partial"}
    assert "frame every" in block_of(plans(server)[0], "ledger")


@pytest.mark.parametrize("budget", [Budget(frames=8), Budget(model_calls=6), Budget(completion_tokens=3500)])
def test_a_budget_too_small_for_a_sweep_leaves_the_planner_alone(sweep, budget):
    found, server = sweep(Counting(BALLS), budget=budget)
    assert "told apart" not in texts(plans(server)[0])
    assert len(looks(server)) <= 1
    assert found.usage.model_calls <= 8


def test_other_kinds_are_not_swept(sweep):
    script = Counting(BALLS)
    _, server = sweep(lambda body: routes("locate") if step_of(body) == "route" else script(body))
    assert server.steps[:3] == ["route", "plan", "look"]


def test_a_sweep_is_replayed(sweep, monkeypatch):
    found, _ = sweep(Counting(BALLS))
    monkeypatch.setattr(socket.socket, "connect", None)
    again, differ = api.replay_run(found.run_id)
    assert (differ, again.count, again.spans) == ([], found.count, found.spans)


def test_a_run_killed_amid_its_sweep_makes_no_look_twice(sweep, clip):
    whole, server = sweep(Counting(BALLS), frames=8)
    total = server.steps.count("look")
    done, killed = [], threading.Event()

    def until_killed(body):
        if step_of(body) == "look":
            done.append(labelled_images(body)[0][0])
            if len(done) == 2:
                killed.wait(30)
        return Counting(BALLS)(body)

    with ScriptedServer(until_killed) as server:
        command = [sys.executable, "-c", ASK, str(clip("h264").path), QUESTION, server.url]
        with subprocess.Popen(command) as process:
            while len(done) < 2:
                assert process.poll() is None
                time.sleep(0.05)
            time.sleep(1)  # until what the other looks saw is kept
            process.kill()
        killed.set()
    [run_id] = [run.run_id for run in api.list_runs() if run.metadata["status"] == "running"]
    found, server = sweep(Counting(BALLS), frames=8, resume=run_id)
    again = [look[0] for look in looks(server)]
    assert 0 < len(again) < total
    assert len({*done, *again}) == total
    assert len(again) + len(done) - total <= 2  # those under way when it was killed
    assert (found.count, found.spans, found.status) == (whole.count, whole.spans, "answered")


@pytest.mark.parametrize("times", [True, False])
def test_the_places_of_a_sweep_are_taken_to_the_frame_where_times_are_asked_for(sweep, times):
    """But not where two overlap."""
    found, server = sweep(Counting(BALLS, route={"times": times}), refined=True)
    assert (found.status, found.count) == ("answered", 6)
    if not times:
        assert server.steps[-1] == "verify"
        assert "known to" not in found.answer
        return
    first, second, third, pair_1, pair_2, last = spans(found)
    assert [first, second, third, last] == [(0.6, 1.0), (1.4, 1.8), (3.0, 4.4), (7.6, 8.0)]
    for (start_s, end_s), (first_s, last_s, _) in zip((pair_1, pair_2), PAIR, strict=True):
        assert abs(start_s - first_s) <= _STEP_S
        assert abs(end_s - last_s) <= _STEP_S
    assert server.steps.count("look") <= 4 + 4
