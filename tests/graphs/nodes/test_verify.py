"""The check of a draft: together, on frames that fit each claim, once, and for a "no" as for a "yes"."""

from __future__ import annotations

import json
import re

import pytest

from tests.graphs.scripts import Script, answer, clip_look
from tests.scripted_server import claims_of, labelled_images, routes, says, step_of, tool_results

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("few_frames")]

LOOK = clip_look(1, 3)
BAR = {"text": "A bar is at the left.", "ledger": ["L1"], "time_s": 1.0}
BALL = {"text": "A ball is at the right.", "ledger": ["L1"], "time_s": 1.0}
BOTH = answer(answer=f"{BAR['text']} {BALL['text']}", claims=[BAR, BALL], spans=[])


class Judge(Script):
    """A script whose checker gives the verdict of the first part of a claim's text that it knows, else `supported`."""

    def __init__(self, *turns, verdict=None, **script):
        super().__init__(*turns, **script)
        self.verdict = verdict or {}

    def _judge(self, claim):
        verdict = next((verdict for part, verdict in self.verdict.items() if part in claim), "supported")
        return {"why": "a closer look is needed", "verdict": verdict, "confidence": 0.8}


def checks(server):
    return [body for body in server.bodies if step_of(body) == "verify"]


def asked(server):
    return [[claim for claim, _, _ in claims_of(body)] for body in checks(server)]


def refusals(server):
    texts = tool_results([body for body in server.bodies if step_of(body) == "plan"][-1])
    return [claim for text in texts if '"claims"' in text for claim in json.loads(text)["claims"]]


# --- in few calls


def test_claims_over_the_same_frames_are_one_request_as_are_the_words_of_the_answer(ask):
    found, server = ask(Judge([LOOK], [BOTH]))
    assert server.steps == ["route", "plan", "look", "plan", "verify"]
    assert asked(server) == [[BAR["text"], BALL["text"], BOTH[1]["answer"]]]
    times = [time_s for time_s, _ in labelled_images(checks(server)[0])]
    assert [claim[1:] for claim in claims_of(checks(server)[0])] == [(times[0], times[0])] * 2 + [
        (times[0], times[-1])
    ]
    assert (found.answer, [item.verdict for item in found.evidence]) == (BOTH[1]["answer"], ["supported"] * 2)


def test_a_claim_that_names_two_times_is_about_the_frames_of_both(ask):
    claim = {"text": "A bar is seen from 1.0 s to 2.6 s.", "ledger": ["L1"], "time_s": 1.0}
    _, server = ask(Judge([LOOK], [answer(claims=[claim], spans=[])]))
    [(text, start_s, end_s), _] = claims_of(checks(server)[0])
    assert start_s < end_s
    assert text == f"A bar is seen from {start_s:.3f} s to {end_s:.3f} s."


def test_claims_that_do_not_fit_in_one_request_are_several_side_by_side(ask):
    claims = [
        {"text": f"A bar is there at {at_s}.0 s.", "ledger": [f"L{look}"], "time_s": at_s}
        for look, at_s in ((1, 1), (1, 2), (2, 5), (2, 6))
    ]
    found, server = ask(Judge([clip_look(0, 3), clip_look(4, 7)], [answer(claims=claims)]))
    assert sorted(len(request) for request in asked(server)) == [1, 2, 2]  # the words are about all frames
    assert [item.claim for item in found.evidence] == [claim["text"] for claim in claims]
    assert all(len(labelled_images(body)) <= 6 for body in checks(server))
    assert found.usage.rounds < len(server.bodies)


def test_a_claim_left_out_of_the_list_is_asked_about_alone(ask):
    class Short(Judge):
        def __call__(self, body):
            reply = super().__call__(body)
            if step_of(body) == "verify" and len(claims_of(body)) > 1:
                return says(
                    '{"verdicts": [{"claim": 2, "verdict": "supported", "why": "", "confidence": 0.9}]}'
                )
            return reply

    found, server = ask(Short([LOOK], [BOTH]))
    words = BOTH[1]["answer"]
    assert asked(server) == [[BAR["text"], BALL["text"], words], [BAR["text"]], [words]]
    assert [item.verdict for item in found.evidence] == ["supported"] * 2


def test_after_a_veto_only_changed_claims_are_asked_again_and_the_planner_knows_the_frames(ask):
    words = f"{BAR['text']} A cup is at the right."
    better = answer(answer=words, claims=[BAR, {**BALL, "text": "A cup is there."}])
    found, server = ask(Judge([LOOK], [BOTH], [better], verdict={"ball": "unsupported"}))
    assert asked(server)[1:] == [["A cup is there.", words]]
    [told] = refusals(server)
    assert (told["claim"], told["why"]) == (BALL["text"], "a closer look is needed")
    assert told["frames_s"] == [round(t, 3) for t, _ in labelled_images(checks(server)[0])]
    assert [item.claim for item in found.evidence] == [BAR["text"], "A cup is there."]


# --- "cannot tell"


def test_what_frames_do_not_tell_is_asked_with_better_ones_and_never_vetoed(ask):
    found, server = ask(Judge([LOOK], [answer(claims=[BAR])], verdict={"bar": "cannot_tell"}))
    assert server.steps.count("verify") == 2
    first, second = ([t for t, _ in labelled_images(body)] for body in checks(server))
    assert len(second) > len(first)
    assert [claim["claim"] for claim in refusals(server)] == [BAR["text"]]
    assert server.steps.count("plan") == 3
    assert (found.status, [item.verdict for item in found.evidence]) == ("answered", ["partial"])
    assert found.confidence <= 0.5


def test_better_frames_may_tell(ask):
    class Closer(Judge):
        def _judge(self, claim):
            self.verdict = {"bar": "cannot_tell" if not self.judged else "supported"}
            self.judged += 1
            return super()._judge(claim)

    found, server = ask(Closer([LOOK], [answer(claims=[BAR])]))
    assert server.steps[:6] == ["route", "plan", "look", "plan", "verify", "verify"]
    assert [item.verdict for item in found.evidence] == ["supported"]


class Literal(Script):
    """Supports a claim only if each time in it is the label of a frame shown."""

    def _judge(self, claim):
        labels = {f"{time_s:.3f}" for time_s, _ in self.shown}
        verdict = "supported" if set(re.findall(r"\d+\.\d+", claim)) <= labels else "unsupported"
        return {"why": "", "verdict": verdict, "confidence": 0.9}

    def __call__(self, body):
        self.shown = labelled_images(body)
        return super().__call__(body)


@pytest.mark.parametrize(
    "text",
    [
        "From 1.0 s to 2.6 s a bar is seen.",
        "The second bar is seen at 1.4 s.",
        "Never before 2.6 s is a ball seen.",
        "A bar is seen until 0:03.",
    ],
)
def test_a_literal_checker_loses_no_true_answer(ask, text):
    found, _ = ask(Literal([LOOK], [answer(claims=[{"text": text, "ledger": ["L1"], "time_s": 1.4}])]))
    assert (found.status, [item.verdict for item in found.evidence]) == ("answered", ["supported"])


# --- a "no"

NO = answer(found="no", answer="No cat is seen. A dragon sleeps at the left.", claims=[], spans=[])


def test_each_sentence_of_a_no_is_checked_over_all_that_was_looked_at(ask):
    found, server = ask(Judge([LOOK], [NO], verdict={"dragon": "cannot_tell"}))
    assert asked(server)[0] == ["No cat is seen.", "A dragon sleeps at the left."]
    times = [t for t, _ in labelled_images(checks(server)[0])]
    assert (times[0], times[-1] > 7) == (0.0, True)
    assert found.status == "not_found"
    assert found.answer.startswith("No cat is seen. Looked at")
    assert "dragon" not in found.answer


def test_a_no_against_which_frames_speak_goes_back_and_is_never_said(ask):
    found, server = ask(
        Judge(
            [LOOK],
            [NO],
            route=routes("whole", thing="a cat"),
            verdict={"cat": "unsupported", "dragon": "unsupported"},
        )
    )
    assert {claim["claim"] for claim in refusals(server)} == {
        "No cat is seen.",
        "A dragon sleeps at the left.",
    }
    assert (found.status, found.confidence) == ("not_found", 0)
    assert found.answer.startswith("Not found: a cat. Looked at")


def test_a_no_is_shown_by_the_frame_that_the_check_names_even_if_it_was_sent_for_another_claim(ask):
    """Of the six frames of that request, five are those of the words of the "no"; 1.0 s is beside the bar's own."""

    class Pointing(Judge):
        def _judge(self, claim):
            return {**super()._judge(claim), "best_s": 1.0 if claim == "No car is seen." else None}

    left, gone = (
        {"text": text, "ledger": ["L1"], "time_s": time_s}
        for text, time_s in (("The bar is at the left.", 0.0), ("The bar is gone.", 7.96))
    )
    no = answer(found="no", answer="No car is seen. The bar moves on.", claims=[left, gone], spans=[])
    found, server = ask(Pointing([clip_look(0, 8)], [no], route=routes("whether", thing="a car")))
    [body] = [
        body for body in checks(server) if "No car is seen." in [claim for claim, _, _ in claims_of(body)]
    ]
    assert 1.0 in [round(time_s, 3) for time_s, _ in labelled_images(body)]
    [shown] = [item for item in found.evidence if item.claim == "No car is seen."]
    assert shown.time_s == pytest.approx(1.0)
