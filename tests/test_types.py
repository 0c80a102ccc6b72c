"""The values that cross floors: what they refuse, and the JSON that others rely on."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from vidagent.errors import BudgetError, UsageError
from vidagent.types import (
    Answer,
    Budget,
    BudgetReport,
    Coverage,
    Evidence,
    KnownHash,
    Overview,
    Part,
    Question,
    Span,
    StepUsage,
    Usage,
    VideoInfo,
)

NAMES = [
    "seconds",
    "steps",
    "model_calls",
    "prompt_tokens",
    "computed_tokens",
    "completion_tokens",
    "thinking_tokens",
    "frames",
]
INFO = VideoInfo(
    path="talk.mp4",
    duration_s=12.3456789,
    fps=Fraction(30000, 1001),
    width=640,
    height=360,
    fingerprint="1" * 64,
    content=KnownHash("0" * 64),
    codec="h264",
    container="mov",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [-1, "9", True, float("nan"), float("inf"), -0.5])
def test_a_budget_is_a_positive_number(name, value):
    with pytest.raises(BudgetError, match=f"budget {name} must be .*; got "):
        Budget(**{name: value})


@pytest.mark.parametrize("name", NAMES)
def test_a_budget_of_0_is_refused_but_for_thinking(name):
    if name == "thinking_tokens":
        assert Budget(thinking_tokens=0).thinking_tokens == 0
    else:
        with pytest.raises(BudgetError, match="more than 0"):
            Budget(**{name: 0})


def test_only_seconds_may_be_parts_of_one():
    assert Budget(seconds=0.5).seconds == 0.5
    with pytest.raises(BudgetError, match="a whole number"):
        Budget(frames=1.5)


def test_a_budget_may_be_a_mapping():
    assert Budget.of({"seconds": 30, "frames": None}) == Budget(seconds=30)
    assert Budget.of(Budget(frames=3)) == Budget(frames=3)
    with pytest.raises(
        BudgetError, match=r"no limit 'second'; did you mean 'seconds'\? \(the limits are seconds, "
    ):
        Budget.of({"second": 30})
    with pytest.raises(BudgetError, match=r"a Budget or a mapping .*; got 30 "):
        Budget.of(30)
    with pytest.raises(BudgetError, match="frames must be a whole number"):
        Budget.of({"frames": "many"})


def test_an_error_of_a_budget_exits_2():
    assert (BudgetError.exit_code, issubclass(BudgetError, UsageError)) == (2, True)


def test_the_limits_by_name():
    assert Budget(frames=3).to_dict() == dict.fromkeys(NAMES) | {"frames": 3}


@pytest.mark.parametrize("bounds", [(-1, 2), (3, 2), (0, float("inf")), (float("nan"), 1)])
def test_a_span_lies_in_a_video(bounds):
    with pytest.raises(UsageError, match="a span needs"):
        Span(*bounds)
    assert Span(1, 2.5).length_s == 1.5


@pytest.mark.parametrize(("text", "got"), [("", "0"), (" \n", "0"), ("x" * 20_001, "20,001")])
def test_a_question_has_words(text, got):
    with pytest.raises(UsageError, match=f"1 to 20,000 characters, got {got}"):
        Question(text)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "at least 2 options are needed to choose from, got 0"),
        (("a",), "at least 2 options are needed to choose from, got 1"),
        (("a", " "), "option 2 is empty"),
        (("a", "b", "a"), "option 'a' is given more than once"),
    ],
)
def test_options_can_be_chosen_from(options, says):
    with pytest.raises(UsageError, match=says):
        Question("Which?", options)


def test_an_overview_is_by_rate_or_by_number():
    assert Overview().fps is None
    with pytest.raises(UsageError):
        Overview(fps=1, num_frames=3)


def test_usage_adds_up_and_counts_the_turns_that_were_put():
    steps = (
        StepUsage("survey", 0.5, frames_decoded=9),
        StepUsage("plan", 1.0, 1, 100, 10, 5, 50, 0, 4),
        StepUsage("look", 1.0, 2, 200, 20, 0, 0, 8, 8),
        StepUsage("plan", 0.0),  # refused by a budget before it was put
    )
    usage = Usage.total(steps, seconds=2.0)
    assert (usage.seconds, usage.steps, usage.model_calls) == (2.0, 1, 3)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.thinking_tokens) == (300, 30, 5)
    assert (usage.cached_tokens, usage.frames_decoded, usage.frames_sent) == (50, 17, 12)


def test_the_answer_as_json():
    """The shape that outside programs rely on; it changes with the contract in the README only."""
    answer = Answer(
        status="answered",
        answer="At 2 s.",
        confidence=0.87654,
        video=INFO,
        model="scripted",
        run_id="20260101-000000-abcdef",
        choice=0,
        spans=(Span(2.0, 3.00000049),),
        parts=(Part(2.0, 3.00000049, "A bar moves.", "supported"),),
        count=1,
        evidence=(Evidence(2.0000004, "A bar.", "supported", "/tmp/frame.jpg", (0, 0, 8, 8)),),
        coverage=Coverage(1.23456, 0.123456, (Span(0, 1),)),
        usage=Usage.total((StepUsage("plan", 1.23456, 1),), seconds=1.23456, rounds=1),
        budget=BudgetReport(Budget(frames=3), "frames"),
    )
    assert json.loads(json.dumps(answer.to_dict())) == {
        "status": "answered",
        "answer": "At 2 s.",
        "choice": 0,
        "confidence": 0.877,
        "spans": [{"start_s": 2.0, "end_s": 3.0}],
        "parts": [{"start_s": 2.0, "end_s": 3.0, "text": "A bar moves.", "verdict": "supported"}],
        "count": 1,
        "evidence": [
            {
                "time_s": 2.0,
                "claim": "A bar.",
                "verdict": "supported",
                "frame": "/tmp/frame.jpg",
                "box_px": [0, 0, 8, 8],
            }
        ],
        "coverage": {"seconds_seen": 1.235, "fraction": 0.1235, "spans": [{"start_s": 0, "end_s": 1}]},
        "usage": {
            "seconds": 1.235,
            "steps": 1,
            "model_calls": 1,
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "thinking_tokens": 0,
            "cached_tokens": 0,
            "frames_decoded": 0,
            "frames_sent": 0,
            "computed_tokens": 0,
            "rounds": 1,
            "by_step": [
                {
                    "step": "plan",
                    "seconds": 1.235,
                    "model_calls": 1,
                    "prompt_tokens": 0,
                    "completion_tokens": 0,
                    "thinking_tokens": 0,
                    "cached_tokens": 0,
                    "frames_decoded": 0,
                    "frames_sent": 0,
                    "computed_tokens": 0,
                }
            ],
        },
        "budget": {"limit": dict.fromkeys(NAMES) | {"frames": 3}, "ended_by": "frames"},
        "video": {
            "path": "talk.mp4",
            "duration_s": 12.345679,
            "fps": "30000/1001",
            "width": 640,
            "height": 360,
            "sha256": "0" * 64,
        },
        "model": "scripted",
        "run_id": "20260101-000000-abcdef",
    }


def test_what_is_absent_is_null():
    told = Answer("not_found", "No.", 0.0, INFO, "scripted", "run").to_dict()
    assert (told["choice"], told["count"], told["budget"]["ended_by"]) == (None, None, None)
    assert (told["spans"], told["evidence"]) == ([], [])


def test_half_a_character_of_a_question_is_replaced():
    asked = Question("When is \ud800 seen?", ("a \udfff", "b"))
    assert (asked.text, asked.options) == (
        "When is \N{REPLACEMENT CHARACTER} seen?",
        ("a \N{REPLACEMENT CHARACTER}", "b"),
    )
    with pytest.raises(UsageError, match="given more than once"):
        Question("Which?", ("a\ud800", "a\ud801"))
