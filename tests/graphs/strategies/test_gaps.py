"""Before a "no" is passed on, code looks where nobody looked, and the answer says how closely it was looked."""

from __future__ import annotations

import json

import pytest

from tests.graphs.scripts import Script, answer, clip_look, code_looks, observation
from tests.media.code import read_code
from tests.scripted_server import labelled_images, refusal, routes, says, step_of, texts, tool_results
from vidagent.api import replay_run
from vidagent.errors import ModelError
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.strategies.gaps import ADVICE, gaps, highest_confidence, longest_gap
from vidagent.images import jpeg
from vidagent.images.shown_frame import ShownFrame
from vidagent.tools.result import Look
from vidagent.types import Budget

NO = answer(found="no", answer="There is no ghost.", claims=[], spans=[], confidence=0.9)
AT_5 = {"text": "A ghost is seen.", "ledger": ["L2"], "time_s": 5.0}
YES = answer(answer="A ghost is seen.", claims=[AT_5], spans=[{"start_s": 4.8, "end_s": 5.2}])


class Haunted(Script):
    """An observer that sees a ghost while there is one, by the codes of the frames."""

    ghost: tuple[float, float] = (9.0, 9.0)

    def __call__(self, body):
        if step_of(body) != "look":
            return super().__call__(body)
        at = [(s, read_code(jpeg.decode(picture)).millis / 1000) for s, picture in labelled_images(body)]
        times = [s for s, real_s in at if self.ghost[0] <= real_s < self.ghost[1]]
        return says(
            observation(found=bool(times), times=times, what="A ghost." if times else "An empty room.")
        )


@pytest.fixture
def sparse(monkeypatch, tmp_path):
    """Let the model take so few frames that much lies between them: an overview has three over 8 s."""

    def write(more: str = "") -> None:
        (tmp_path / "sparse.toml").write_text(f"frames_per_call = 4\noverview_frames = 3\n{more}")
        monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "sparse.toml"))

    write()
    return write


def haunted(*turns, ghost=(9.0, 9.0), **more) -> Haunted:
    script = Haunted(*turns, **more)
    script.ghost = ghost
    return script


def looked(server) -> list[list[float]]:
    return [
        [time_s for time_s, _ in labelled_images(body)] for body in server.bodies if step_of(body) == "look"
    ]


pytestmark = [pytest.mark.network, pytest.mark.usefixtures("sparse")]


def test_looks_side_by_side_go_over_all_gaps_before_a_no_is_passed_on(ask):
    """No frame is further than a second from the next one then, and the planner has no turn of its own."""
    found, server = ask(haunted([NO]))
    assert server.steps == ["route", "plan", "look", "look", "verify"]
    assert sorted(looked(server)) == [[1.0, 2.0, 3.0], [4.96, 5.96, 6.96]]
    assert found.status == "not_found"
    assert found.answer.startswith("There is no ghost. Looked at ")
    assert found.answer.endswith(", at most 1.0 s apart, over all 0:08.000.")
    assert found.confidence == 0.8
    assert found.usage.steps == 1


def test_small_looks_go_over_all_gaps_too(ask, tmp_path):
    (tmp_path / "sparse.toml").write_text("frames_per_call = 2\noverview_frames = 3\n")
    _, server = ask(haunted([NO]))
    assert sorted(looked(server)) == [[1.0, 2.0], [3.0, 4.96], [5.96, 6.96]]


def test_what_is_seen_there_goes_back_to_the_planner(ask):
    found, server = ask(haunted([NO], [YES], ghost=(4.8, 5.2)))
    assert server.steps == ["route", "plan", "look", "look", "plan", "verify"]
    told = [json.loads(text) for text in tool_results(server.bodies[4])]
    assert told[0]["held"].startswith("before it is passed on, code looks where no frame was looked at yet")
    looks = code_looks(server.bodies[4])
    assert told[0]["looks"] == [look["id"] for look in looks] == ["L1", "L2"]
    assert [(look["found"], look["what"]) for look in looks] == [
        (False, "An empty room."),
        (True, "A ghost."),
    ]
    assert (found.status, found.answer) == ("answered", "A ghost is seen.")


def test_a_planner_that_insists_is_let_through(ask):
    found, server = ask(haunted([NO], ghost=(0.9, 1.5)), budget=Budget(frames=100))
    assert server.steps == ["route", "plan", "look", "look", "plan", "verify"]
    assert found.status == "not_found"


def test_of_few_frames_half_go_where_the_index_says_something_changes(ask):
    _, server = ask(haunted([NO]), budget=Budget(frames=16))
    [[gap_s, hint_s]] = looked(server)
    assert gap_s == 2.0
    assert hint_s % 0.5 == 0  # the middle or the end of a busy second


def test_what_is_seen_well_enough_is_not_looked_at_again(ask, sparse):
    sparse("plan_sees_overview = true\n")
    fine = [clip_look(n, n + 2) for n in range(0, 8, 2)]
    found, server = ask(haunted(fine, [NO]))
    assert server.steps == ["route", "plan", *["look"] * 4, "plan", "verify"]
    assert found.answer.endswith(", at most 0.7 s apart, over all 0:08.000.")


def test_a_crop_shows_a_part_only(ask):
    crops = [("crop", {"time_s": n / 2, "grid": "2x2:1,1", "question": "A ghost?"}) for n in range(6)]
    _, server = ask(Script(crops, [NO], look=observation(found=False)))
    assert server.steps[-4:] == ["plan", "look", "look", "verify"]


def test_only_the_range_asked_about_is_looked_at(ask):
    asked = routes("whether", thing="ghost", start_s=0, end_s=3.9)
    found, server = ask(haunted([NO], route=asked))
    assert looked(server) == [[pytest.approx(n * 0.975, abs=0.05) for n in (1, 2, 3)]]
    assert found.answer.endswith(" frames, at most 1.0 s apart, between 0:00.000 and 0:03.900.")


@pytest.mark.parametrize(
    ("route", "draft", "looks"),
    [
        (routes("whether", thing="ghost"), {"found": "yes", "answer": "No, there is none."}, True),
        (routes("whether", thing="ghost"), {"found": "yes", "answer": "Nein."}, True),
        (routes("whether", thing="ghost"), {"found": "yes", "answer": "Noah is seen."}, False),
        (routes("locate", thing="ghost"), {"found": "yes", "answer": "No, at 2 s."}, False),
        (routes("speech", thing="ghost"), {"found": "no", "answer": "No."}, False),
        (routes("whole", thing="ghost"), {"found": "cannot_judge", "answer": "Too dark."}, False),
    ],
)
def test_which_drafts_deny(ask, route, draft, looks):
    draft = {"claims": [{"text": "It is seen.", "ledger": ["L0"], "time_s": 2.0}], "spans": [], **draft}
    _, server = ask(haunted([answer(**draft)], route=route))
    assert ("look" in server.steps) == looks


def test_a_draft_that_is_vetoed_after_those_looks_has_one_reply_and_what_they_saw_behind_it(ask):
    empty = {"text": "The room is empty.", "ledger": [], "time_s": 2.0}
    no = answer(found="no", answer="There is no ghost.", claims=[empty], spans=[])
    _, server = ask(haunted([no], verdicts=["unsupported", "supported"]))
    again = [body for body in server.bodies if step_of(body) == "plan"][1]
    calls = [call["id"] for message in again["messages"] for call in message.get("tool_calls") or []]
    assert [message["tool_call_id"] for message in again["messages"] if message["role"] == "tool"] == calls
    assert "not supported" in json.loads(tool_results(again)[0])["error"]
    assert [(look["id"], look["found"]) for look in code_looks(again)] == [("L1", False), ("L2", False)]


# --- what the planner is told of it


def told_so(server) -> list[bool]:
    """Return for each turn of the planner whether it is told that code looks for what is not there."""
    return [ADVICE in texts(body) for body in server.bodies if step_of(body) == "plan"]


@pytest.mark.parametrize(
    ("kind", "told"),
    [("locate", True), ("how_long", True), ("whether", True), ("read", False), ("count", False)],
)
def test_a_planner_need_not_search_for_one_thing_that_is_not_there(ask, kind, told):
    _, server = ask(haunted([NO], route=routes(kind, thing="ghost")))
    assert told_so(server)[0] == told


def test_it_is_not_told_so_once_code_has_looked(ask):
    _, server = ask(haunted([NO], [YES], route=routes("whether", thing="ghost"), ghost=(4.8, 5.2)))
    assert told_so(server) == [True, False]


def test_it_is_not_told_so_where_code_does_not_look(ask, sparse):
    sparse('without = ["shapes"]\n')
    _, server = ask(haunted([NO], route=routes("whether", thing="ghost")))
    assert told_so(server) == [False]


def test_in_a_long_video_it_searches_first(ask, monkeypatch):
    """Without a scan, which its search makes, code knows little of where something short may be."""
    monkeypatch.setattr("vidagent.graphs.strategies.gaps.SCAN_AT_ONCE_S", 0.0)
    search = ("search", {"query": "ghost", "question": "Is there a ghost?"})
    _, server = ask(haunted([search], [NO], route=routes("whether", thing="ghost")))
    assert told_so(server) == [False, True]


# --- budgets


@pytest.mark.parametrize("frames", [12, 30, 60])
def test_it_takes_at_most_a_quarter_of_the_frames(ask, frames):
    found, server = ask(haunted([NO]), budget=Budget(frames=frames))
    left = frames - 3
    assert sum(map(len, looked(server))) <= left / 4
    assert found.usage.frames_sent <= frames
    assert found.budget.ended_by is None


def test_requests_are_left_to_answer_with(ask):
    _, server = ask(haunted([NO]), budget=Budget(model_calls=8))
    assert server.steps == ["route", "plan", "verify"]


def test_without_shapes_the_planner_is_taken_at_its_word(ask, sparse):
    sparse('without = ["shapes"]\n')
    found, server = ask(haunted([NO]))
    assert server.steps == ["route", "plan", "verify"]
    assert found.answer.endswith(", at most 4.0 s apart, over all 0:08.000.")


def test_a_no_that_chooses_an_option_says_its_coverage_too(ask):
    no = answer(found="no", answer="There is none.", claims=[], spans=[], choice=1, confidence=0.9)
    found, server = ask(haunted([no]), options=["a ghost", "none"])
    assert (found.status, found.choice, server.steps.count("look")) == ("answered", 1, 2)
    assert found.answer.endswith(", at most 1.0 s apart, over all 0:08.000.")


# --- records


def test_such_a_run_is_replayed_and_resumed_as_it_was(ask):
    for script in (haunted([NO]), haunted([NO], [YES], ghost=(4.8, 5.2))):
        found, _ = ask(script)
        again, differences = replay_run(found.run_id)
        assert (again.to_dict(), differences) == (found.to_dict(), [])
        kept, server = ask(script, resume=found.run_id)
        assert (kept.answer, server.bodies) == (found.answer, [])


def test_a_run_that_fails_amid_those_looks_goes_on_with_them(ask):
    def gone(body):
        return refusal(401, "gone") if step_of(body) == "look" else script(body)

    script = haunted([NO])
    with pytest.raises(ModelError):
        ask(gone)
    found, server = ask(haunted([NO]), resume="last")
    assert server.steps == ["look", "look", "verify"]
    assert found.answer.endswith(", at most 1.0 s apart, over all 0:08.000.")


# --- how it is measured


def seen_at(*times_s: float) -> Entry:
    stills = tuple(ShownFrame(time_s, "0" * 64, (8, 8), (0, 0, 8, 8)) for time_s in times_s)
    return Entry("L1", Look("clip", "?", 0, 100, stills), None)


def test_gaps_lie_between_frames_and_to_both_ends():
    assert [(gap.start_s, gap.end_s) for gap in gaps([seen_at(10, 30, 95)], 5, 90)] == [
        (5, 10),
        (10, 30),
        (30, 90),
    ]
    assert longest_gap([seen_at(10, 30, 95)], 0, 100) == 65
    assert longest_gap([], 0, 100) == 100


@pytest.mark.parametrize(
    ("times_s", "sure"),
    [
        ((), 0.0),
        (range(0, 101, 5), 1.0),  # no moment of 6.5 s fits between
        ((0, 50, 100), 1 - 2 * 43.5 / 100),
        ((0, 100), 1 - 93.5 / 100),
    ],
)
def test_a_no_is_as_sure_as_a_moment_would_have_been_seen(times_s, sure):
    assert highest_confidence([seen_at(*times_s)], 0, 100) == pytest.approx(sure)


def test_the_answer_is_no_surer_than_that(ask, monkeypatch):
    monkeypatch.setattr("vidagent.graphs.strategies.gaps.MOMENT_S", 1.0)
    found, _ = ask(haunted([NO]), budget=Budget(frames=10))
    assert found.confidence == pytest.approx(
        1 - (7.96 - 2 * 1.0) / 8
    )  # one frame more, so two gaps of a second are not missed
