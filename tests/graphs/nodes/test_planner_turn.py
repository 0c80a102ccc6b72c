"""What a planner or an observer does wrong is told to it, and the run goes on."""

from __future__ import annotations

import json
import re

import pytest

from tests.graphs.scripts import Script, answer, clip_look, observation
from tests.scripted_server import (
    calls,
    completion,
    labelled_images,
    routes,
    says,
    step_of,
    texts,
    tool_results,
)

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("few_frames")]

LOOK = clip_look(1, 3)
LOOKED = re.compile(r" Looked at \d+ frames, at most 1\.0 s apart, over all 0:08\.000\.$")
SEEN = observation(times=[2.0], what="A red bar.")


def errors(server) -> list[str]:
    """Return the errors among the tool results that the planner saw last."""
    results = tool_results([body for body in server.bodies if step_of(body) == "plan"][-1])
    told = [json.loads(result) for result in results]
    return [result["error"] for result in told if "error" in result]


# --- looks


@pytest.mark.parametrize(
    "again",
    [
        LOOK,
        ("clip", {"start_s": "0:01", "end_s": 3.0, "question": "what  HAPPENS?"}),
        ("clip", {"question": "What happens?", "end_s": "3", "start_s": 1.0002}),
    ],
)
def test_a_repeated_look_is_refused_with_what_is_known(ask, again):
    found, server = ask(Script([LOOK], [again], [answer()], look=SEEN))
    assert server.steps.count("look") == 1
    [error] = errors(server)
    assert error.startswith("this repeats L1; known already: ")
    assert "A red bar." in error
    assert "frame_times_s" in error
    assert found.status == "answered"


def test_the_same_look_twice_in_a_turn_is_done_once(ask):
    twice = ("clip", {**LOOK[1], "start_s": "0:01"})
    found, server = ask(Script([LOOK, twice], [answer()]))
    assert server.steps.count("look") == 1
    assert errors(server) == ["this repeats L1; known already: its result stands above"]
    assert found.status == "answered"


@pytest.mark.parametrize(
    "other",
    [
        clip_look(1, 3, "Where is the bar?"),
        clip_look(1, 3.1),
        ("resample", {"start_s": 1, "end_s": 3, "fps": 5, "question": "What happens?"}),
    ],
)
def test_another_look_is_not_refused(ask, other):
    _, server = ask(Script([LOOK], [other], [answer()]))
    assert server.steps.count("look") == 2
    assert errors(server) == []


def test_notes_of_a_look_are_for_the_planner_and_not_for_the_observer(ask):
    """An observer can neither turn pages nor ask for another range."""
    _, server = ask(Script([clip_look(6, 99)], [answer()], look=SEEN))
    look, plan = (next(b for b in reversed(server.bodies) if step_of(b) == step) for step in ("look", "plan"))
    assert json.loads(tool_results(plan)[-1])["notes"] == ["end clamped to the end of the video, 8.000 s"]
    assert "clamped" not in texts(look)


@pytest.mark.parametrize(
    ("bad", "says_what"),
    [
        (clip_look(5, 2), "end_s must be greater than start_s; got 5 to 2"),
        (clip_look(50, 60), "the video ends at 8.000 s; got a start of 50"),
        (("clip", {"start_s": 1}), "end_s: Field required"),
        (
            ("resample", {"start_s": 1, "end_s": 2, "fps": 0, "question": "?"}),
            "fps: Input should be greater than 0",
        ),
        (
            ("crop", {"time_s": 1, "box": [0, 0, 1920, 1080], "question": "?"}),
            "each from 0 to 1000",
        ),
        (("crop", {"time_s": 1, "grid": "9x9", "question": "?"}), "a grid may have up to 12 cells"),
        (("search", {"query": "?", "page": 99}), "page: Input should be less than or equal to 16"),
    ],
)
def test_malformed_arguments_are_told_with_what_is_legal(ask, bad, says_what):
    found, server = ask(
        Script([bad, LOOK], [answer(claims=[{"text": "Seen.", "ledger": ["L2"], "time_s": 2}])])
    )
    [error] = errors(server)
    assert says_what in error
    assert server.steps.count("look") == 1
    assert found.status == "answered"


def test_an_answer_beside_looks_waits_for_them(ask):
    found, server = ask(Script([LOOK, answer()], [answer()]))
    assert errors(server) == ["read the looks asked for in the same turn first, then answer"]
    assert server.steps == ["route", "plan", "look", "plan", "verify"]
    assert found.status == "answered"


def test_of_two_answers_the_first_counts(ask):
    found, server = ask(Script([LOOK], [answer(), answer(count=7)]))
    assert server.steps.count("verify") == 1
    assert found.count is None


def test_more_looks_than_a_turn_may_have_are_put_off(ask):
    many = [clip_look(n, n + 1) for n in range(8)]
    found, server = ask(Script(many, [answer()]))
    assert server.steps.count("look") == 6
    assert errors(server) == ["at most 6 looks in this turn; ask for this one again"] * 2
    assert found.status == "answered"


def test_an_unknown_tool_is_asked_again(ask):
    found, server = ask(Script([("zoom", {"time_s": 1})], [LOOK], [answer()]))
    assert server.steps == ["route", "plan", "plan", "look", "plan", "verify"]
    assert "there is no tool 'zoom'" in texts(server.bodies[2])
    assert found.status == "answered"


def test_an_unknown_tool_beside_a_known_one_is_left_out(ask):
    found, server = ask(Script([("zoom", {"time_s": 1}), LOOK], [answer()]))
    assert server.steps == ["route", "plan", "look", "plan", "verify"]
    assert found.status == "answered"


def test_equal_ids_are_told_apart(ask):
    script = Script([LOOK, clip_look(4, 5)], [answer()])

    def same_ids(body):
        reply = script(body)
        for call in reply["choices"][0]["message"].get("tool_calls", []):
            call["id"] = "call_0"
        return reply

    found, server = ask(same_ids)
    last = [body for body in server.bodies if step_of(body) == "plan"][-1]
    asked = [call["id"] for m in last["messages"] for call in m.get("tool_calls") or []]
    replied = [m["tool_call_id"] for m in last["messages"] if m["role"] == "tool"]
    assert sorted(asked) == sorted(replied)
    assert len(set(asked)) == 2
    assert found.status == "answered"


def test_an_observer_that_makes_no_sense_does_not_end_the_run(ask):
    script = Script(
        [LOOK, clip_look(4, 5)], [answer(claims=[{"text": "Seen.", "ledger": ["L2"], "time_s": 4.5}])]
    )

    def mute_at_first(body):
        if step_of(body) == "look" and labelled_images(body)[0][0] < 3:
            return says(None)
        return script(body)

    found, server = ask(mute_at_first)
    [error] = errors(server)
    assert "gave no usable reply in 3 attempts" in error
    assert found.status == "answered"
    assert [item.time_s for item in found.evidence] == [4.4]


def test_an_empty_thought_is_asked_again(ask):
    script = Script([LOOK], [answer()])
    replies = iter([routes(), completion({"role": "assistant", "content": "<think>hm"}), calls(LOOK)])
    found, server = ask(lambda body: next(replies, None) or script(body))
    assert server.steps[:3] == ["route", "plan", "plan"]
    assert found.status == "answered"


# --- drafts


def claim(text: str, ledger: list[str], time_s: float | None = 2.0):
    return {"text": text, "ledger": ledger, "time_s": time_s}


def test_a_yes_without_anything_to_check_is_sent_back(ask):
    found, server = ask(Script([LOOK], [answer(claims=[], spans=[])], [answer()]))
    assert found.status == "answered"
    assert errors(server) == ["an answer with found=yes needs at least one claim with its time_s, or parts"]


def test_claims_that_point_nowhere_are_sent_back(ask):
    wrong = answer(claims=[claim("A bar.", ["L9", "L1"]), claim("Another.", ["overview"])])
    found, server = ask(Script([LOOK], [wrong], [answer()]))
    assert errors(server) == ["no ledger entry is called L9, overview; there are: L0, L1"]
    assert server.steps.count("verify") == 1
    assert found.status == "answered"


def test_a_planner_that_never_learns_is_taken_at_its_times(ask):
    wrong = answer(claims=[claim("A bar.", ["L9"])])
    found, server = ask(Script([LOOK], [wrong]))
    assert len(errors(server)) == 2
    assert found.status == "answered"
    assert [item.time_s for item in found.evidence] == [2.0]


@pytest.mark.parametrize("name", ["l1", "1", "[L1]", "L01"])
def test_ids_are_read_leniently(ask, name):
    found, server = ask(Script([LOOK], [answer(claims=[claim("A bar.", [name])])]))
    assert server.steps.count("plan") == 2
    assert found.status == "answered"


def test_the_overview_that_the_planner_saw_is_evidence_enough(ask):
    found, server = ask(Script([answer(claims=[claim("A bar.", ["L0"], 2.1)])]))
    assert server.steps == ["route", "plan", "verify"]
    assert [item.time_s for item in found.evidence] == [2.0]
    assert found.coverage.fraction > 0.9


def test_a_claim_without_any_look_is_vetoed(ask, monkeypatch, tmp_path):
    (tmp_path / "blind.toml").write_text("plan_sees_overview = false\n")
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "blind.toml"))
    found, server = ask(Script([answer(claims=[claim("A bar.", [])])]))
    assert server.steps == ["route", *["plan"] * 3]
    assert (found.status, found.evidence, found.spans) == ("not_found", (), ())


def test_a_veto_sends_the_planner_back(ask):
    other = answer(claims=[claim("It is seen.", ["L2"], 5.0)])
    script = Script([LOOK], [answer()], [clip_look(4, 6)], [other], verdicts=["unsupported", "supported"])
    found, server = ask(script)
    assert server.steps == ["route", *["plan", "look", "plan", "verify"] * 2]
    veto = json.loads(tool_results(server.bodies[5])[-1])
    assert veto["error"].startswith("these claims are not supported by their frames")
    [told] = veto["claims"]
    assert (told["claim"], told["why"]) == ("It is seen.", "because")
    assert told["frames_s"][1] == pytest.approx(2.0, abs=0.2)
    assert found.status == "answered"


def test_what_is_vetoed_every_time_is_not_answered(ask):
    found, server = ask(Script([LOOK], [answer()], verdicts=["unsupported"]))
    assert server.steps == ["route", "plan", "look", "plan", "verify", "plan"]
    assert (found.status, found.spans, found.evidence, found.count) == ("not_found", (), (), None)
    assert found.confidence == 0
    assert "did not stand up to a second look" in found.answer
    assert "It is seen" not in found.answer


TWO = {
    "answer": "A bar at 2 s and a ghost at 5 s.",
    "claims": [claim("A bar is shown.", ["L1"], 2.0), claim("A ghost is shown.", ["L2"], 5.0)],
    "spans": [{"start_s": 1.5, "end_s": 2.5}, {"start_s": 4.5, "end_s": 5.5}],
    "count": 2,
}


def test_of_a_mixed_draft_only_what_stood_up_is_passed_on(ask):
    verdicts = ["supported", "unsupported"] * 3
    found, _ = ask(Script([LOOK, clip_look(4, 6)], [answer(**TWO)], verdicts=verdicts))
    assert found.status == "answered"
    assert [item.claim for item in found.evidence] == ["A bar is shown."]
    assert [(span.start_s, span.end_s) for span in found.spans] == [(1.5, 2.5)]
    assert found.count == 1
    assert "ghost" not in found.answer


def test_a_count_that_the_spans_do_not_explain_falls_with_a_claim(ask):
    draft = answer(**{**TWO, "count": 5})
    found, _ = ask(Script([LOOK, clip_look(4, 6)], [draft], verdicts=["supported", "unsupported"] * 3))
    assert found.count is None


def test_a_no_says_what_was_looked_at(ask):
    no = answer(found="no", answer="There is no ghost.", claims=[], spans=[])
    found, server = ask(Script([LOOK], [no]))
    assert server.steps == ["route", "plan", "look", "plan", "verify"]
    assert (found.status, found.confidence) == ("not_found", 0.8)
    assert LOOKED.sub("", found.answer) == "There is no ghost."


# --- options


OPTIONS = ["a ghost", "a red bar", "nothing"]


def test_choices_count_from_0(ask):
    found, server = ask(Script([LOOK], [answer(choice=1)]), options=OPTIONS)
    assert found.choice == 1
    assert "0. a ghost\n1. a red bar\n2. nothing" in texts(server.bodies[0])


def test_a_choice_outside_the_options_is_sent_back(ask):
    found, server = ask(Script([LOOK], [answer(choice=3)], [answer(choice=0)]), options=OPTIONS)
    assert errors(server) == ["choice must be from 0 to 2, got 3"]
    assert found.choice == 0


def test_an_option_has_to_be_chosen(ask):
    found, server = ask(Script([LOOK], [answer()], [answer(choice=2)]), options=OPTIONS)
    assert errors(server) == ["give `choice`, from 0 to 2; if no option fits, found is no"]
    assert found.choice == 2


def test_without_options_there_is_no_choice(ask):
    found, server = ask(Script([LOOK], [answer(choice=1)]))
    assert (found.choice, found.status, errors(server)) == (None, "answered", [])


def test_an_option_may_say_that_it_is_not_there(ask):
    no = answer(found="no", answer="Nothing is there.", claims=[], spans=[], choice=2)
    found, _ = ask(Script([LOOK], [no]), options=OPTIONS)
    assert (found.status, found.choice) == ("answered", 2)
    assert LOOKED.sub("", found.answer) == "Nothing is there."
