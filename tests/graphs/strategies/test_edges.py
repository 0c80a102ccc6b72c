"""Places taken to the frame: a planner that is off, and an observer that reads the codes of the frames it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from tests.graphs.scripts import Script, answer, clip_look, observation
from tests.media.code import read_code
from tests.media.make import encode
from tests.media.truth import Truth, full_decode
from tests.scripted_server import (
    ScriptedServer,
    block_of,
    labelled_images,
    must_call,
    routes,
    says,
    step_of,
    texts,
)
from vidagent import api
from vidagent.errors import ModelError
from vidagent.images import jpeg
from vidagent.types import Budget
from vidagent.video.clock import format_time
from vidagent.video.index.video_index import Index

pytestmark = pytest.mark.network

SLOW = pytest.mark.slow

QUESTION = "When is the bar seen?"
CLOSER = "In which of these frames is this to be seen: the bar? "
Frames = list[tuple[float, bool]]


@dataclass
class Sees(Script):
    """Shows an event in frames given by their numbers; the planner looks and drafts as it is told.

    Args:
        events: First frame of each event, and the first one after it.
        looks: What the planner looks at.
        drafted: The places it drafts.
        kind: What the question is sorted as.
        errs: What the observer says when it is asked frame by frame; None if the truth.
        misses: Whether it errs in the planner's looks as well.
        thing: What the question is about, as it was sorted.
        times: Whether it asks for times, as it was sorted.
    """

    events: Sequence[tuple[int, int]]
    looks: Sequence[tuple[str, dict[str, Any]]]
    drafted: Sequence[tuple[float, float]]
    kind: str = "locate"
    errs: Callable[[Frames], str] | None = None
    misses: bool = False
    claims: list[dict[str, Any]] = field(default_factory=list)
    thing: str = "the bar"
    times: bool | None = None

    def __post_init__(self) -> None:
        """Write the planner's turns."""
        spans = [{"start_s": start_s, "end_s": end_s} for start_s, end_s in self.drafted]
        ids = [f"L{n}" for n, _ in enumerate(self.looks, 1)]
        claims = self.claims or [
            {"text": "The bar is seen.", "ledger": ids, "time_s": (start_s + end_s) / 2}
            for start_s, end_s in self.drafted
        ]
        draft = answer(answer="The bar is seen.", claims=claims, spans=spans)
        route = routes(self.kind, thing=self.thing, times=self.times)
        super().__init__(self.looks, [draft], route=route)

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request."""
        if step_of(body) != "look":
            return super().__call__(body)
        frames = [(t, self._shown(read_code(jpeg.decode(data)).number)) for t, data in labelled_images(body)]
        closer = "List a sighting for every frame" in block_of(body, "looking_for")
        if self.errs is not None and (closer or self.misses):
            return says(self.errs(frames))
        return says(told([t for t, shown in frames if shown]))

    def _shown(self, number: int) -> bool:
        return any(first <= number < after for first, after in self.events)


def told(times: Sequence[float]) -> str:
    return observation(found=bool(times), times=times)


def seen(truth: Truth, first: int, after: int) -> dict[str, float]:
    """Return the span of an event by a full decode of a clip, whose last frame lasts to its end."""
    start_s = truth.times_s[first] if first else 0.0
    return {
        "start_s": pytest.approx(start_s, abs=1e-6),
        "end_s": pytest.approx(truth.times_s[after], abs=1e-6),
    }


def closer_looks(server: ScriptedServer) -> list[list[float]]:
    """Return the frames shown in each look at an edge."""
    looks = [body for body in server.bodies if step_of(body) == "look"]
    return [
        [t for t, _ in labelled_images(body)]
        for body in looks
        if "List a sighting for every frame" in block_of(body, "looking_for")
    ]


@pytest.fixture(autouse=True)
def profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Leave all looks but those at edges to the planner; return the function that says more of the model."""

    def put(*lines: str, without: Sequence[str] = ("shapes",)) -> None:
        (tmp_path / "model.toml").write_text("\n".join([f"without = {json.dumps(without)}", *lines]))
        monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "model.toml"))

    put()
    return put


@pytest.fixture
def few_frames(profile: Callable[..., None]) -> None:
    """Let the model take few frames, so that one look is not enough."""
    profile("frames_per_call = 6", "overview_frames = 9")


@pytest.fixture
def whole_overview(profile: Callable[..., None]) -> None:
    """Show the planner an overview of nine frames, and let a look have sixty."""
    profile("frames_per_call = 60", "overview_frames = 9")


@pytest.fixture
def ntsc(tmp_path: Path) -> Path:
    """Return a clip of 30000/1001 frames a second."""
    path = tmp_path / "ntsc.mp4"
    encode(path, [ceil(n * 1001 / 30) for n in range(240)], unit=Fraction(1001, 30000))
    return path


# --- exact


@pytest.mark.parametrize("name", ["h264", "vfr_mp4", "start_10_mp4", "start_100_ts", "edit_list", "mpegts"])
def test_a_place_that_is_off_is_taken_to_the_frame(ask, clip, name):
    path = clip(name).path
    truth = full_decode(path)
    start_s, end_s = truth.times_s[31], truth.times_s[58]
    drafted = [(start_s - 0.31, end_s + 0.17)]
    first = truth.codes[0].number
    found, server = ask(
        Sees([(31 + first, 58 + first)], [clip_look(0, end_s + 3)], drafted), QUESTION, path=path
    )
    assert (found.status, found.to_dict()["spans"]) == ("answered", [seen(truth, 31, 58)])
    assert (
        found.answer
        == f"The bar is seen. ({format_time(found.spans[0].start_s)} to {format_time(found.spans[0].end_s)})"
    )
    assert len(closer_looks(server)) <= 2


def test_at_the_rate_of_television(ask, ntsc):
    truth = full_decode(ntsc)
    assert truth.times_s[30] == pytest.approx(1.001)
    found, _ = ask(Sees([(50, 131)], [clip_look(0, 8)], [(1.5, 4.6)]), QUESTION, path=ntsc)
    assert found.to_dict()["spans"] == [seen(truth, 50, 131)]


@pytest.mark.usefixtures("few_frames")
def test_rounds_go_on_until_the_frames_are_neighbours(ask, clip):
    found, server = ask(Sees([(61, 112)], [clip_look(0, 8)], [(3.0, 4.0)]), QUESTION)
    assert found.to_dict()["spans"] == [seen(full_decode(clip("h264").path), 61, 112)]
    looks = closer_looks(server)
    assert len(looks) == 6
    assert all(len(times) <= 6 for times in looks)
    assert (
        max(max(looks[0]) - min(looks[0]), 0.3)
        > max(looks[2]) - min(looks[2])
        > max(looks[4]) - min(looks[4])
    )


@pytest.mark.usefixtures("few_frames")
@pytest.mark.parametrize(
    ("event", "drafted", "span"),
    [
        ((0, 60), (0.4, 2.0), (0.0, 2.4)),
        ((0, 60), (0.0, 2.0), (0.0, 2.4)),
        ((140, 200), (5.9, 6.9), (5.6, 8.0)),
        ((140, 200), (5.9, 8.0), (5.6, 8.0)),
        ((199, 200), (7.9, 8.0), (7.96, 8.0)),
        ((0, 1), (0.0, 0.1), (0.0, 0.04)),
    ],
)
def test_an_event_at_the_beginning_or_the_end_of_the_video(ask, event, drafted, span):
    found, _ = ask(Sees([event], [clip_look(0, 8)], [drafted]), QUESTION)
    assert [(item.start_s, item.end_s) for item in found.spans] == [pytest.approx(span)]
    assert "known to" not in found.answer


@pytest.mark.usefixtures("few_frames")
def test_a_first_look_inside_of_the_event_is_widened(ask):
    found, _ = ask(Sees([(0, 150)], [clip_look(2, 4)], [(2.0, 4.0)]), QUESTION)
    assert [(item.start_s, item.end_s) for item in found.spans] == [(0.0, 6.0)]


@pytest.mark.usefixtures("few_frames")
@pytest.mark.parametrize("drafted", [(3.2, 3.2), (3.0, 3.4), (1.6, 4.8)])
def test_a_brief_event_between_two_frames_far_apart(ask, drafted):
    script = Sees(
        [(77, 82)], [clip_look(0, 8)], [drafted]
    )  # of 0, 1.6, 3.2, 4.76, ... only that at 3.2 shows it
    found, _ = ask(script, QUESTION)
    assert [(item.start_s, item.end_s) for item in found.spans] == [(3.08, 3.28)]


def test_places_go_side_by_side(ask):
    events = [(20, 34), (70, 95), (150, 171)]
    drafted = [(0.7, 1.5), (2.9, 3.7), (6.1, 6.8)]
    script = Sees(events, [clip_look(0, 8)], drafted, kind="count", times=True)
    found, server = ask(script, "How often, and when?")
    assert [(item.start_s, item.end_s) for item in found.spans] == [(0.8, 1.36), (2.8, 3.8), (6.0, 6.84)]
    looks = closer_looks(server)
    assert len(looks) == 3  # two with the gaps of all six edges, and one with what they left open
    assert all(len(times) <= 32 for times in looks)


@pytest.mark.usefixtures("few_frames")
def test_of_two_occurrences_the_one_that_was_seen_counts(ask):
    script = Sees([(42, 50), (55, 83)], [clip_look(0, 8)], [(3.2, 3.4)])
    found, _ = ask(script, QUESTION)
    assert [(item.start_s, item.end_s) for item in found.spans] == [(2.2, 3.32)]


def test_places_do_not_run_into_each_other(ask):
    script = Sees([(25, 100)], [clip_look(0, 8)], [(1.0, 2.0), (2.5, 4.0)])
    found, _ = ask(script, QUESTION)
    (one, other) = [(item.start_s, item.end_s) for item in found.spans]
    assert one == (1.0, 2.5)
    assert other == (2.5, 4.0)


def test_claims_stay_as_they_were_drafted(ask):
    found, _ = ask(Sees([(31, 58)], [clip_look(0, 4)], [(1.1, 2.4)]), QUESTION)
    assert [(item.claim, item.time_s) for item in found.evidence] == [("The bar is seen.", 1.8)]


# --- when


def exact_looks() -> list[tuple[str, dict[str, Any]]]:
    return [("resample", {"start_s": 1, "end_s": 2, "fps": 25, "question": "When is the bar seen?"})]


def test_an_edge_that_is_known_costs_nothing(ask):
    found, server = ask(Sees([(31, 42)], exact_looks(), [(1.24, 1.68)]), QUESTION)
    assert closer_looks(server) == []
    assert [(item.start_s, item.end_s) for item in found.spans] == [(1.24, 1.68)]


def steps(start_s: float, end_s: float, fps: float) -> tuple[str, dict[str, Any]]:
    return "resample", {"start_s": start_s, "end_s": end_s, "fps": fps, "question": "When is the bar seen?"}


def test_gaps_that_fit_together_in_one_look_take_no_second_one(ask):
    """Of 5 and 25 frame steps: half of a look each would leave the wider one open."""
    found, server = ask(Sees([(31, 110)], [steps(1, 2, 5), steps(2, 7, 1)], [(1.4, 5.0)]), QUESTION)
    assert [(item.start_s, item.end_s) for item in found.spans] == [(1.24, 4.4)]
    assert len(closer_looks(server)) == 1


@pytest.mark.parametrize(("cuts_s", "looks"), [([], 2), ([2.48, 4.48], 1)])
def test_an_edge_at_a_known_cut_takes_no_second_look(ask, monkeypatch, cuts_s, looks):
    monkeypatch.setattr(Index, "known_cuts", lambda _: cuts_s)
    found, server = ask(Sees([(62, 112)], [steps(0, 8, 0.25)], [(2.0, 5.0)]), QUESTION)
    assert [(item.start_s, item.end_s) for item in found.spans] == [(2.48, 4.48)]
    assert len(closer_looks(server)) == looks


@dataclass
class Watches(Sees):
    """A planner that drafts the place from the overview's own frames, by the codes in them, and cites it."""

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request."""
        if step_of(body) == "plan":
            frames = [(t, read_code(jpeg.decode(data)).number) for t, data in labelled_images(body)]
            times, shown = [t for t, _ in frames], [t for t, number in frames if self._shown(number)]
            end_s = times[times.index(shown[-1]) + 1]
            claim = {"text": "The bar is seen.", "ledger": ["L0"], "time_s": shown[0]}
            spans = [{"start_s": shown[0], "end_s": end_s}]
            self.turns = [[answer(answer="The bar is seen.", claims=[claim], spans=spans)]]
        return super().__call__(body)


@pytest.mark.usefixtures("whole_overview")
def test_frames_of_the_overview_bound_the_search_for_edges(ask):
    """One look at what lies between its frames is enough: 9 frames over 8 s leave gaps of a second."""
    found, server = ask(Watches([(61, 112)], [], []), QUESTION)
    assert server.steps == ["route", "plan", "verify", "look"]
    (times,) = closer_looks(server)
    assert (min(times), max(times)) == (2.0, 4.96)
    assert not [t for t in times if 3.0 < t < 4.0]
    assert [(item.start_s, item.end_s) for item in found.spans] == [(2.44, 4.48)]


@pytest.mark.usefixtures("whole_overview")
@pytest.mark.parametrize("verdict", ["partial", "supported"])
def test_they_bound_it_only_if_the_check_supports_what_the_planner_saw(ask, verdict):
    script = Watches([(61, 112)], [], [])
    script.verdicts = [verdict]
    _, server = ask(script, QUESTION)
    first = closer_looks(server)[0]
    assert (first[-1] > 5.0) == (verdict == "partial")


def test_a_last_frame_taken_for_the_end_is_set_right_without_a_look(ask):
    found, server = ask(Sees([(31, 42)], exact_looks(), [(1.24, 1.64)]), QUESTION)
    assert closer_looks(server) == []
    assert [(item.start_s, item.end_s) for item in found.spans] == [(1.24, 1.68)]


def test_an_edge_inside_of_what_was_seen_stays_where_the_planner_had_both_its_frames(ask):
    """What is asked for may be the end of a movement, every frame of which an observer lists."""
    found, server = ask(Sees([(26, 46)], exact_looks(), [(1.24, 1.68)]), QUESTION)
    assert closer_looks(server) == []
    assert [(item.start_s, item.end_s) for item in found.spans] == [(1.24, 1.68)]


@pytest.mark.parametrize("kind", ["locate", "how_long", "count", "order", "whether"])
@pytest.mark.parametrize("times", [True, False, None])
def test_edges_are_sought_where_times_are_asked_for(ask, kind, times):
    """Where the route does not tell, a count, an order or a yes needs none."""
    script = Sees([(31, 58)], [clip_look(0, 4)], [(1.1, 2.4)], kind=kind, times=times)
    found, server = ask(script, QUESTION)
    wanted = kind in {"locate", "how_long"} if times is None else times
    assert len(closer_looks(server)) == wanted
    assert "known to" not in found.answer


@pytest.mark.parametrize("kind", ["whole", "at_time", "read", "speech", "choice"])
def test_kinds_without(ask, kind):
    found, server = ask(Sees([(31, 58)], [clip_look(0, 4)], [(1.1, 2.4)], kind=kind), QUESTION)
    assert closer_looks(server) == []
    assert [(item.start_s, item.end_s) for item in found.spans] == [(1.1, 2.4)]


@pytest.mark.parametrize("part", ["boundaries", "route"])
def test_a_profile_may_leave_it_out(ask, profile, part):
    profile(without=["shapes", part])
    _, server = ask(Sees([(31, 58)], [clip_look(0, 4)], [(1.1, 2.4)]), QUESTION)
    assert len(closer_looks(server)) == (0 if part == "boundaries" else 1)


def test_all_of_the_video_has_no_edges(ask):
    _, server = ask(Sees([(0, 200)], [clip_look(0, 4)], [(0.0, 8.0)]), QUESTION)
    assert closer_looks(server) == []


def test_what_is_spoken_is_left_as_it_was(ask, clip):
    looks = [("search", {"query": "good morning"})]
    script = Sees([], looks, [(1.0, 2.5)], claims=[{"text": "He says it.", "ledger": ["L1"], "time_s": 1.5}])
    found, server = ask(script, "When does he say good morning?", path=clip("subtitled_mp4").path)
    assert found.status == "answered"
    assert closer_looks(server) == []


def test_a_draft_that_is_refused_is_not_looked_at_again(ask):
    script = Sees([(31, 58)], [clip_look(0, 4)], [(1.1, 2.4)])
    script.verdicts = ["unsupported"]
    found, server = ask(script, QUESTION)
    assert (found.status, closer_looks(server)) == ("not_found", [])


def test_a_place_without_a_claim_is_looked_at_with_the_question_it_was_seen_with(ask):
    claim = {"text": "The bar is seen twice.", "ledger": ["L1"], "time_s": None}
    script = Sees(
        [(31, 58), (90, 120)],
        [clip_look(0, 8, "Where is the bar?")],
        [(1.1, 2.4), (3.5, 4.5)],
        claims=[claim],
        thing="",
    )
    found, server = ask(script, QUESTION)
    asked = {block_of(body, "looking_for") for body in server.bodies if step_of(body) == "look"}
    assert {words.partition(" List")[0] for words in asked} == {"Where is the bar?"}
    assert [(item.start_s, item.end_s) for item in found.spans] == [(1.24, 2.32), (3.6, 4.8)]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("The bar appears from 1.2 to 3.4 s.", "The bar appears"),
        ("At 75.2 s the bar moves, until 76.000 s.", "the bar moves"),
        ("Between 0:12 and 0:15 s, 3 bars are seen", "3 bars are seen"),
        ("A bar of 20 px is at the left.", "A bar of 20 px is at the left"),
    ],
)
def test_an_observer_is_not_told_when(ask, text, asked):
    claim = {"text": text, "ledger": ["L1"], "time_s": 1.76}
    script = Sees([(31, 58)], [clip_look(0, 4)], [(1.1, 2.4)], claims=[claim], thing="")
    _, server = ask(script, QUESTION)
    questions = [block_of(body, "looking_for") for body in server.bodies if step_of(body) == "look"]
    assert questions[-1].startswith(f"In which of these frames is this to be seen: {asked}? ")


def test_looks_are_entered_like_those_of_the_planner(ask):
    events = []
    _, server = ask(Sees([(31, 58)], [clip_look(0, 4)], [(1.1, 2.4)]), QUESTION, on_event=events.append)
    assert [event.data["id"] for event in events if event.kind == "look"] == ["L1", "L2"]
    assert [event.data["id"] for event in events if event.kind == "observation"] == ["L1", "L2"]
    assert any("finding the edges of 1 place" in event.text for event in events)
    assert block_of(server.bodies[-1], "looking_for").startswith(CLOSER)


# --- an observer that errs


def alternating(frames: Frames) -> str:
    return told([t for t, _ in frames[::2]])


def everywhere(frames: Frames) -> str:
    return told([t for t, _ in frames])


def nowhere(frames: Frames) -> str:
    return told([])


def unable(frames: Frames) -> str:
    return observation(found=None, what="Too blurred to tell.")


def first_only(frames: Frames) -> str:
    return told([frames[0][0]])


def last_only(frames: Frames) -> str:
    return told([frames[-1][0]])


def opposite(frames: Frames) -> str:
    return told([t for t, shown in frames if not shown])


def without_frames(frames: Frames) -> str:
    return observation(found=True, times=[])


def elsewhere(frames: Frames) -> str:
    return observation(found=True, times=[777.0])


def babbling(frames: Frames) -> str:
    return "I see a bar, a bar, a bar"


ERRS = [
    alternating,
    everywhere,
    nowhere,
    unable,
    first_only,
    last_only,
    opposite,
    without_frames,
    elsewhere,
    babbling,
]


def off(found, event: tuple[float, float]) -> float:
    (span,) = found.spans
    return max(abs(span.start_s - event[0]), abs(span.end_s - event[1]))


@pytest.mark.parametrize("errs", ERRS)
@pytest.mark.parametrize(
    ("drafted", "frames"),
    [((1.3, 2.2), 6), pytest.param((1.0, 2.6), 6, marks=SLOW), pytest.param((1.24, 2.32), 32, marks=SLOW)],
)
def test_an_observer_that_errs_makes_nothing_worse(ask, profile, errs, drafted, frames):
    profile(f"frames_per_call = {frames}", "overview_frames = 9")
    script = Sees([(31, 58)], [clip_look(0, 8)], [drafted], errs=errs)
    found, _ = ask(script, QUESTION)
    truth = (1.24, 2.32)
    assert found.status == "answered"
    assert off(found, truth) <= max(abs(a - b) for a, b in zip(drafted, truth, strict=True)) + 1e-9


@pytest.mark.parametrize("errs", [everywhere, nowhere, unable, without_frames])
def test_an_observer_that_errs_from_the_beginning_on_moves_nothing(ask, errs):
    script = Sees([(31, 58)], [clip_look(1, 3)], [(1.3, 2.2)], errs=errs, misses=True)
    found, _ = ask(script, QUESTION)
    assert [(item.start_s, item.end_s) for item in found.spans] == [(1.3, 2.2)]


@pytest.mark.parametrize("errs", [nowhere, unable])
def test_how_exact_it_is_is_said_where_looks_did_not_help(ask, errs):
    found, _ = ask(Sees([(31, 58)], [clip_look(0, 8)], [(1.3, 2.2)], errs=errs), QUESTION)
    assert ") Start known to within 0." in found.answer
    assert ", end known to within 0." in found.answer


# --- budgets, resuming, replaying


@pytest.mark.usefixtures("few_frames")
@pytest.mark.parametrize(
    ("budget", "looks", "words"),
    [
        (Budget(frames=18), 0, "Start known to within 1.4 s, end known to within 0.8 s."),
        (Budget(frames=33), 1, "Start known to within 1.4 s, end known to within 0.52 s."),
        (Budget(frames=60), 2, "Start known to within 0.56 s, end known to within 0.52 s."),
        (Budget(model_calls=10), 1, "Start known to within 0.56 s, end known to within 0.8 s."),
        (Budget(model_calls=14), 3, "Start known to within 0.12 s, end known to within 0.52 s."),
        (Budget(prompt_tokens=13_000), 6, ""),
        (Budget(completion_tokens=5_000), 0, "Start known to within 1.4 s, end known to within 0.8 s."),
        (Budget(frames=500, model_calls=60), 6, ""),
    ],
)
def test_a_third_of_what_is_left_is_spent_at_most(ask, budget, looks, words):
    script = Sees([(61, 112)], [clip_look(0, 8)], [(3.0, 4.0)])
    found, server = ask(script, QUESTION, budget=budget)
    assert (found.status, found.budget.ended_by) == ("answered", None)
    assert len(closer_looks(server)) == looks
    assert words in found.answer
    assert ("known" in found.answer) is bool(words)
    (start_s, end_s) = (found.spans[0].start_s, found.spans[0].end_s)
    assert abs(start_s - 2.44) <= 0.56
    assert abs(end_s - 4.48) <= 0.49


@pytest.mark.usefixtures("few_frames")
def test_a_run_goes_on_in_the_middle(ask):
    def script(fail_at: int | None = None) -> Callable[[dict[str, Any]], Any]:
        truth, asked = Sees([(61, 112)], [clip_look(0, 8)], [(3.0, 4.0)]), []

        def reply(body):
            if step_of(body) == "look":
                asked.append(body)
                if len(asked) == fail_at:
                    return {"error": "gone"}
            return truth(body)

        return reply

    whole, all_of_it = ask(script(), QUESTION)
    with pytest.raises(ModelError):
        ask(script(fail_at=5), QUESTION)  # the first of the planner, two, and one of the next two
    run_id = api.list_runs()[0].run_id
    found, rest = ask(script(), QUESTION, resume=run_id)
    assert set(rest.steps) == {"look"}
    assert closer_looks(rest)[-2:] == closer_looks(all_of_it)[-2:]
    assert not any(times in closer_looks(all_of_it)[:2] for times in closer_looks(rest))
    assert found.run_id == run_id
    assert (found.spans, found.answer) == (whole.spans, whole.answer)


@pytest.mark.usefixtures("few_frames")
@pytest.mark.parametrize("errs", [None, nowhere, unable])
def test_a_replay_gives_the_same_answer(ask, errs):
    found, _ = ask(Sees([(61, 112)], [clip_look(0, 8)], [(3.0, 4.0)], errs=errs), QUESTION)
    again, differs = api.replay_run(found.run_id)
    assert differs == []
    assert again.spans == found.spans


def test_words_come_with_how_exact_they_are(ask):
    events = []
    script = Sees([(31, 58)], [clip_look(0, 8)], [(1.3, 2.2)], errs=nowhere)
    found, _ = ask(script, QUESTION, on_event=events.append, stream=True)
    assert "".join(event.text for event in events if event.kind == "token") == found.answer


def test_a_last_turn_may_be_refined_too(ask):
    script = Sees([(31, 58)], [clip_look(0, 4)], [(1.1, 2.4)])
    found, server = ask(script, QUESTION, budget=Budget(steps=2))
    assert must_call([body for body in server.bodies if step_of(body) == "plan"][-1]) == "answer"
    assert [(item.start_s, item.end_s) for item in found.spans] == [(1.24, 2.32)]
    assert "Start" not in texts(server.bodies[-1])
    assert json.loads(json.dumps(found.to_dict()))["spans"]
