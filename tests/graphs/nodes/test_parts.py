"""Answers in parts: each part is proved, kept or dropped by itself, and told with its time."""

from __future__ import annotations

import json
import re

import pytest

from tests.graphs.scripts import Script, answer, clip_look
from tests.scripted_server import claims_of, labelled_images, routes, step_of, texts, tool_results
from vidagent import Budget

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("few_frames")]

LOOK = clip_look(0, 8)
WALK = {"start_s": 0, "end_s": 3, "text": "A bar moves to the right.", "ledger": ["L1"]}
REST = {"start_s": 3, "end_s": 5.5, "text": "The bar stands still.", "ledger": ["L1"]}
GOES = {"start_s": 5.5, "end_s": None, "text": "The bar leaves the picture.", "ledger": ["L1"]}
HEADLINE = "The video shows a moving bar."
WHOLE = routes("whole", thing="what happens", in_parts=True)


def parts(*wanted, headline=HEADLINE, **changed):
    return answer(answer=headline, claims=[], spans=[], parts=list(wanted), **changed)


class Judge(Script):
    """A script whose checker gives the verdict of the first part of a claim that it knows, else `supported`."""

    def __init__(self, *turns, verdict=None, route=WHOLE):
        super().__init__(*turns, route=route)
        self.verdict = verdict or {}

    def _judge(self, claim):
        verdict = next((verdict for part, verdict in self.verdict.items() if part in claim), "supported")
        return {"why": "it goes on moving", "verdict": verdict, "confidence": 0.8}


def checks(server):
    return [body for body in server.bodies if step_of(body) == "verify"]


def asked_in(body):
    return [claim for claim, _, _ in claims_of(body)]


def asked(server):
    return [claim for body in checks(server) for claim in asked_in(body)]


def test_a_summary_is_a_headline_and_a_line_with_its_time_for_each_part(ask):
    found, server = ask(Judge([LOOK], [parts(GOES, WALK, REST)]), "What happens in this video?")
    assert (found.status, found.answer) == (
        "answered",
        f"{HEADLINE}\n0:00-0:03 {WALK['text']}\n0:03-0:05 {REST['text']}\n0:05-0:08 {GOES['text']}",
    )
    told = [(part["start_s"], part["end_s"], part["verdict"]) for part in found.to_dict()["parts"]]
    assert told == [(0, 3, "supported"), (3, 5.5, "supported"), (5.5, 8, "supported")]
    assert [part["text"] for part in found.to_dict()["parts"]] == [WALK["text"], REST["text"], GOES["text"]]
    assert [(span.start_s, span.end_s) for span in found.spans] == [(0, 8)]
    assert "compose" not in server.steps


def test_a_part_begins_at_the_exact_time_of_the_frame_that_was_named(ask, clip):
    """Of 2.0687333 s the planner sees 2.069 s, which is after the frame that proves the part."""
    frame_s = 62 * 1001 / 30000
    moves = {"start_s": round(frame_s, 3), "end_s": 5, "text": "A bar moves to the right.", "ledger": ["L1"]}
    found, _ = ask(
        Judge([clip_look(2.06, 2.08)], [parts(moves, REST | {"start_s": 5})]), path=clip("ntsc").path
    )
    assert found.parts[0].start_s == pytest.approx(frame_s, abs=1e-6)
    assert found.parts[0].start_s < round(frame_s, 3)


@pytest.mark.parametrize("end", [".", ""], ids=["a sentence", "cut off"])
def test_a_part_may_be_as_long_as_two_claims(ask, end):
    told = {**REST, "text": ("The bar stands still and " + "waits and " * 200)[:999] + end}
    found, _ = ask(Judge([LOOK], [parts(WALK, told)]), "What happens in this video?")
    assert found.status == "answered"
    assert [len(part.text) > 900 for part in found.parts] == [False, True]


def test_each_part_is_checked_on_frames_from_its_first_to_its_last_in_few_calls(ask):
    found, server = ask(Judge([LOOK], [parts(WALK, REST, GOES)]))
    assert len(checks(server)) <= 4
    assert asked(server).count(REST["text"]) == 1
    [body] = [body for body in checks(server) if REST["text"] in texts(body)]
    own = [time_s for time_s, _ in labelled_images(body) if 3 <= time_s < 5.5]
    start_s, end_s = min(own), max(own)
    assert 3 <= start_s < 3.3
    assert 4.7 < end_s < 5.5
    assert all(len(labelled_images(body)) <= 6 for body in checks(server))
    assert {item.claim for item in found.evidence} == {HEADLINE, WALK["text"], REST["text"], GOES["text"]}


def test_one_part_that_falls_costs_no_other_and_only_it_is_written_again(ask):
    better = {**REST, "text": "The bar moves on."}
    found, server = ask(
        Judge([LOOK], [parts(WALK, REST, GOES)], [parts(better)], verdict={"stands still": "unsupported"})
    )
    assert [part.text for part in found.parts] == [WALK["text"], "The bar moves on.", GOES["text"]]
    assert "left out" not in found.answer
    plan = [body for body in server.bodies if step_of(body) == "plan"][-1]
    [told] = [json.loads(text) for text in tool_results(plan) if '"claims"' in text]
    assert [(claim["claim"], claim["part_s"]) for claim in told["claims"]] == [(REST["text"], [3, 5.5])]
    assert asked(server).count(WALK["text"]) == 1


def test_what_falls_again_is_dropped_and_counted_and_the_draft_goes_back_once(ask):
    found, server = ask(Judge([LOOK], [parts(WALK, REST, GOES)], verdict={"stands still": "unsupported"}))
    assert server.steps.count("plan") == 3
    assert [part.text for part in found.parts] == [WALK["text"], GOES["text"]]
    assert found.answer.endswith("\n(1 sentence was left out as not supported.)")
    assert [(span.start_s, span.end_s) for span in found.spans] == [(0, 3), (5.5, 8)]
    assert found.status == "answered"
    assert found.confidence == pytest.approx(0.8 * 2 / 3)


def test_a_part_that_is_shown_only_in_part_is_written_again(ask):
    better = {**REST, "text": "The bar slows down."}
    found, server = ask(
        Judge([LOOK], [parts(WALK, REST, GOES)], [parts(better)], verdict={"stands still": "partial"})
    )
    assert [(part.text, part.verdict) for part in found.parts] == [
        (WALK["text"], "supported"),
        ("The bar slows down.", "supported"),
        (GOES["text"], "supported"),
    ]
    plan = [body for body in server.bodies if step_of(body) == "plan"][-1]
    [told] = [json.loads(text) for text in tool_results(plan) if '"claims"' in text]
    assert [(claim["claim"], claim["verdict"], claim["why"]) for claim in told["claims"]] == [
        (REST["text"], "partial", "it goes on moving")
    ]
    assert "Put right only those" in texts(plan)
    assert "`parts` has one entry for each" not in texts(plan)


def test_a_headline_that_is_shown_only_in_part_does_not_go_back(ask):
    found, server = ask(Judge([LOOK], [parts(WALK, REST)], verdict={"video shows": "partial"}))
    assert server.steps.count("plan") == 2
    assert found.headline == HEADLINE


def test_a_headline_that_stood_is_not_judged_again_when_parts_are_put_right(ask):
    better = {**REST, "text": "The bar slows down."}
    found, server = ask(
        Judge([LOOK], [parts(WALK, REST, GOES)], [parts(better)], verdict={"stands still": "partial"})
    )
    assert asked(server).count(HEADLINE) == 1
    assert (found.headline, found.evidence[0].claim) == (HEADLINE, HEADLINE)


@pytest.mark.parametrize(("frames_s", "times"), [([5.0], 2), ([], 1)], ids=["with other frames", "without"])
def test_the_same_words_are_judged_again_only_on_other_frames(ask, frames_s, times):
    script = Judge(
        [LOOK],
        [parts(WALK, REST)],
        [parts({**REST, "frames_s": frames_s})],
        verdict={"stands still": "partial"},
    )
    _, server = ask(script)
    assert asked(server).count(REST["text"]) == times


def test_every_frame_that_a_part_names_is_among_those_of_its_check(ask):
    """Six frames a call: twelve parts would have two each."""
    step_s = 0.6
    twelve = [
        {
            "start_s": n * step_s,
            "end_s": (n + 1) * step_s,
            "text": f"The bar is at place {n}.",
            "ledger": ["L1"],
            "frames_s": [round(n * step_s + beside, 3) for beside in (0, 0.12, 0.24, 0.36)],
        }
        for n in range(12)
    ]
    _, server = ask(Judge([LOOK], [parts(*twelve)]))
    for part in twelve:
        [body] = [body for body in checks(server) if part["text"] in asked_in(body)]
        shown = {round(time_s, 3) for time_s, _ in labelled_images(body)}
        assert set(part["frames_s"]) <= shown


def test_a_headline_that_denies_is_judged_on_frames_of_the_whole_video(ask):
    headline = "Nothing unusual happens but at the end."
    _, server = ask(Judge([LOOK], [parts({**GOES, "start_s": 7.0}, headline=headline)]))
    [body] = [body for body in checks(server) if headline in asked_in(body)]
    assert min(time_s for time_s, _ in labelled_images(body)) < 1


def test_a_headline_is_judged_on_all_frames_of_the_part_most_like_it(ask):
    card = {**REST, "text": 'The card says "Chrome fast."', "frames_s": [3.04, 3.52, 5.0]}
    _, server = ask(Judge([LOOK], [parts(WALK, card, headline='It ends with "Chrome fast."')]))
    [body] = [body for body in checks(server) if 'It ends with "Chrome fast."' in asked_in(body)]
    assert {3.04, 3.52, 5.0} <= {round(time_s, 3) for time_s, _ in labelled_images(body)}


def test_the_sentences_of_a_part_that_was_put_right_keep_their_order(ask):
    titled = {**REST, "text": "A pause. The bar stands still. It waits."}
    better = {**REST, "text": "A pause. The bar slows down. It waits."}
    found, server = ask(
        Judge([LOOK], [parts(WALK, titled)], [parts(better)], verdict={"stands still": "partial"})
    )
    assert [part.text for part in found.parts] == [WALK["text"], better["text"]]
    assert asked(server).count("A pause.") == 1


def test_a_part_that_is_shown_only_in_part_is_told_so_if_no_other_words_are_found(ask):
    found, server = ask(
        Judge([LOOK], [parts(WALK, REST)], [parts()], verdict={"stands still": "partial"}), "What happens?"
    )
    assert [(part.text, part.verdict) for part in found.parts] == [
        (WALK["text"], "supported"),
        (REST["text"], "partial"),
    ]
    assert server.steps.count("plan") == 3
    assert asked(server).count(REST["text"]) == 1


def test_a_headline_that_fell_is_written_again_without_the_parts_that_stand(ask):
    fallen = {HEADLINE: "unsupported"}
    found, server = ask(Judge([LOOK], [parts(WALK, REST, GOES)], [parts(headline="A bar.")], verdict=fallen))
    assert server.steps.count("plan") == 3
    assert (found.headline, [part.text for part in found.parts]) == (
        "A bar.",
        [WALK["text"], REST["text"], GOES["text"]],
    )


def test_a_headline_with_a_file_name_is_one_sentence(ask):
    headline = "The bar of after_serialize.png moves. It leaves at 5.5 s!"
    found, server = ask(Judge([LOOK], [parts(WALK, headline=headline)]))
    assert {"The bar of after_serialize.png moves.", "It leaves at 5.5 s!"} <= set(asked(server))
    assert found.headline == headline


def test_a_headline_is_judged_on_a_frame_of_every_part_where_not_all_frames_fit(ask):
    """Six frames a call: those of six parts do not fit into one, and a claim of its own would keep five."""
    six = [
        {"start_s": n, "end_s": n + 1, "text": f"The bar is at place {n}.", "ledger": ["L1"]}
        for n in range(6)
    ]
    _, server = ask(Judge([LOOK], [parts(*six)]))
    [body] = [body for body in checks(server) if HEADLINE in asked_in(body)]
    shown = [time_s for time_s, _ in labelled_images(body)]
    assert all(any(n <= t < n + 1 for t in shown) for n in range(6))


def test_after_a_veto_the_headline_is_judged_on_the_parts_that_stood_too(ask):
    fallen = {"stands still": "unsupported"}
    _, server = ask(
        Judge([LOOK], [parts(WALK, REST, GOES)], [parts(GOES, headline="A bar.")], verdict=fallen)
    )
    [body] = [body for body in checks(server) if "A bar." in asked_in(body)]
    [(start_s, end_s)] = [(start, end) for claim, start, end in claims_of(body) if claim == "A bar."] or [
        (None, None)
    ]
    shown = [time_s for time_s, _ in labelled_images(body)] if start_s is None else [start_s, end_s]
    assert min(shown) < 3
    assert max(shown) > 5.5


def test_the_quotation_of_a_headline_is_not_taken_apart(ask):
    headline = 'The text "Open a new browser. Chrome fast." is shown by a bar.'
    found, server = ask(Judge([LOOK], [parts(WALK, headline=headline)]))
    assert headline in asked(server)
    assert found.headline == headline


def test_the_last_frame_that_a_part_names_is_among_those_of_its_check(ask):
    """The frames of the clip are 0.04 s apart; the last part ends at the last frame named."""
    goes = {**GOES, "end_s": 7.48, "frames_s": [5.52, 6.52, 7.48]}
    _, server = ask(Judge([LOOK], [parts(WALK, goes)]))
    [body] = [body for body in checks(server) if GOES["text"] in asked_in(body)]
    shown = [time_s for time_s, _ in labelled_images(body)]
    assert {5.52, 6.52, 7.48} <= {round(time_s, 3) for time_s in shown}


@pytest.mark.parametrize(("wanted", "least"), [(True, 12_000), (False, 4096)])
def test_a_draft_in_parts_may_be_as_long_as_the_context_allows(ask, wanted, least):
    _, server = ask(Judge([LOOK], [parts(WALK)], route=routes("whole", in_parts=wanted)))
    limits = [
        body.get("max_completion_tokens", body.get("max_tokens"))
        for body in server.bodies
        if step_of(body) == "plan"
    ]
    assert all(least <= most <= least + 4 * 4096 * wanted for most in limits)


def test_a_draft_in_parts_leaves_the_prompt_its_room_in_a_small_context(ask, tmp_path, monkeypatch):
    (tmp_path / "small.toml").write_text("frames_per_call = 6\noverview_frames = 9\ncontext_tokens = 8192\n")
    monkeypatch.setenv("VIDAGENT_PROFILE", str(tmp_path / "small.toml"))
    _, server = ask(Judge([LOOK], [parts(WALK)]))
    limits = [
        body.get("max_completion_tokens", body.get("max_tokens"))
        for body in server.bodies
        if step_of(body) == "plan"
    ]
    assert max(limits) < 5000


def test_the_evidence_of_a_part_is_the_frame_that_the_check_names(ask):
    class Pointing(Judge):
        def _judge(self, claim):
            return {**super()._judge(claim), "best_s": 2.4 if claim == WALK["text"] else None}

    walk = {**WALK, "frames_s": [1.0, 2.4]}
    found, server = ask(Pointing([LOOK], [parts(walk, REST)]))
    [shown] = [item for item in found.evidence if item.claim == WALK["text"]]
    assert shown.time_s == pytest.approx(2.4)
    [body] = [body for body in checks(server) if WALK["text"] in texts(body)]
    assert any(time_s == pytest.approx(2.4) for time_s, _ in labelled_images(body))


def test_a_headline_that_falls_leaves_the_parts(ask):
    found, _ = ask(Judge([LOOK], [parts(WALK)], verdict={"video shows": "unsupported"}))
    assert found.answer == f"0:00-0:03 {WALK['text']}"


def test_frames_that_do_not_tell_are_no_reason_to_send_parts_back(ask):
    found, server = ask(Judge([LOOK], [parts(WALK, REST)], verdict={"stands still": "cannot_tell"}))
    assert server.steps.count("plan") == 2
    assert [part.verdict for part in found.parts] == ["supported", "partial"]
    shown = {
        item.verdict: item.frame for item in found.evidence if item.claim in {WALK["text"], REST["text"]}
    }
    assert shown["supported"]
    assert shown["partial"] is None  # no frame was said to show whether it is so


def test_parts_that_say_the_same_are_one_line(ask):
    again = {**WALK, "start_s": 6, "end_s": 8}
    joined = {**REST, "start_s": 5.5, "end_s": 6}
    found, _ = ask(Judge([LOOK], [parts(WALK, REST, joined, again)]))
    assert found.answer == (
        f"{HEADLINE}\n0:00-0:03 A bar moves to the right (again at 0:06-0:08).\n0:03-0:06 {REST['text']}"
    )
    assert [(part.start_s, part.end_s) for part in found.parts] == [(0, 3), (3, 6), (6, 8)]


def test_claims_with_times_are_parts_where_parts_are_wanted(ask):
    claims = [
        {"text": "The bar starts.", "ledger": ["L1"], "time_s": 1.0},
        {"text": "The bar stops.", "ledger": ["L1"], "time_s": 3.0, "end_s": 4.0},
    ]
    found, _ = ask(Judge([LOOK], [answer(answer="1. The bar starts. 2. It stops.", claims=claims, spans=[])]))
    assert found.answer.splitlines()[-2:] == ["0:01 The bar starts.", "0:03-0:04 The bar stops."]


def test_a_no_about_the_whole_video_describes_it_and_its_words_are_checked(ask):
    no = answer(found="no", answer="Nothing stands out. A bar moves.", claims=[], spans=[])
    found, server = ask(Judge([LOOK], [no]), "Describe anything unusual.")
    assert {"Nothing stands out.", "A bar moves."} <= set(asked(server))
    assert found.status == "answered"
    assert found.answer.startswith("Nothing stands out. A bar moves.")
    assert found.confidence > 0


def test_a_budget_that_ends_the_run_leaves_the_parts_that_stand(ask):
    found, _ = ask(
        Judge([LOOK], [parts(WALK, REST)], verdict={"stands still": "unsupported"}),
        budget=Budget(model_calls=5),
    )
    assert found.status in {"partial", "answered"}
    assert WALK["text"] in found.answer
    assert [part.text for part in found.parts] == [WALK["text"]]


@pytest.mark.parametrize(
    ("detail", "told"),
    [("brief", "wanted briefly"), ("normal", "a sentence or two"), ("in detail", "in detail")],
)
def test_the_planner_is_told_the_form_and_the_length_that_is_wanted(ask, detail, told):
    route = routes("whole", in_parts="yes", detail=detail if detail != "in detail" else "detailed")
    _, server = ask(Judge([LOOK], [parts(WALK)], route=route))
    plan = next(texts(body) for body in server.bodies if step_of(body) == "plan")
    assert re.search(r"`parts` has one entry for each", plan)
    assert told in plan
    assert "no if nothing of what is asked for is there" in plan
    assert "A description is an answer" not in plan


def test_no_part_is_refused_for_the_numbers_and_times_that_a_planner_writes_into_it(ask):
    numbered = {**WALK, "text": '1. At 0:01.5 a bar with "A 1" moves.'}
    found, server = ask(Judge([LOOK], [parts(numbered)]))
    assert server.steps.count("plan") == 2
    assert [part.text for part in found.parts] == ['At 0:01.5 a bar with "A 1" moves.']


def test_a_long_part_and_forty_seven_chapters_come_out_whole(ask):
    long = [
        {
            "start_s": n / 6,
            "end_s": (n + 1) / 6,
            "text": f"Chapter {n}: " + "a bar moves on " * 20 + "slowly.",
        }
        for n in range(47)
    ]
    found, _ = ask(Judge([LOOK], [parts(*long)]))
    assert [part.text for part in found.parts] == [part["text"] for part in long]
    assert found.answer.endswith("slowly.")
    assert len(found.answer) > 14_000


@pytest.mark.parametrize("wanted", [True, False])
def test_a_draft_is_told_in_parts_or_by_claims_and_checked_once(ask, wanted):
    claim = {"text": "A bar is there.", "ledger": ["L1"], "time_s": 1.0}
    both = answer(answer=claim["text"], claims=[claim], spans=[], parts=[WALK])
    found, server = ask(Judge([LOOK], [both], route=routes("whole", in_parts=wanted)))
    assert [part.text for part in found.parts] == ([WALK["text"]] if wanted else [])
    assert (WALK["text"] in asked(server)) == wanted
    assert asked(server).count(claim["text"]) == 1
