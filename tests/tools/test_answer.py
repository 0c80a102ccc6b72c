"""answer: how a draft is read."""

from __future__ import annotations

import pytest

from vidagent.errors import ToolError
from vidagent.tools.answer import Claim, Place

CLAIM = {"text": "A bar is shown.", "ledger": ["L1"], "time_s": 2}


def test_a_draft_is_read(bench):
    draft = bench().use(
        "answer",
        found="yes",
        answer="At 2 s.",
        claims=[CLAIM],
        spans=[{"start_s": 2, "end_s": "0:03"}],
        count=1,
        choice=0,
        confidence=0.9,
    )
    assert draft.claims == [Claim(text="A bar is shown.", ledger=["L1"], time_s=2.0)]
    assert draft.spans == [Place(start_s=2.0, end_s=3.0)]
    assert (draft.count, draft.choice, draft.confidence) == (1, 0, 0.9)


@pytest.mark.parametrize("claims", [CLAIM, [CLAIM], "A bar is shown.", ["A bar is shown."]])
def test_a_lone_claim_is_a_list_of_one(bench, claims):
    draft = bench().use("answer", found="yes", answer="Yes", claims=claims)
    assert [claim.text for claim in draft.claims] == ["A bar is shown."]


def test_spans_are_put_in_order_and_inside_the_video(bench):
    spans = [{"start_s": 3, "end_s": 2}, {"start_s": 7, "end_s": 99}]
    draft = bench().use("answer", found="no", answer="No", spans=spans, claims=None)
    assert [(place.start_s, place.end_s) for place in draft.spans] == [(2, 3), (7, 8)]
    assert draft.claims == []


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"found": "maybe"}, "found: Input should be 'yes', 'no' or 'cannot_judge', got 'maybe'"),
        ({"found": "no", "confidence": 3}, "confidence: Input should be less than or equal to 1, got 3"),
        ({"found": "no", "confidence": float("nan")}, "confidence: "),
        ({"found": "no", "count": -1}, "count: Input should be greater than or equal to 0"),
        ({"found": "no", "choice": -1}, "choice: Input should be greater than or equal to 0"),
        ({"found": "no", "answer": ""}, "answer: String should have at least 1 character"),
        ({"found": "yes", "claims": [{"time_s": 3}]}, "claims.0.text: Field required"),
        ({"found": "yes", "claims": [{"text": "x", "time_s": "late"}]}, "a time must be SS"),
        ({"found": "no", "spans": [[1, 2]]}, "spans.0: "),
    ],
)
def test_what_is_wrong_is_told(bench, args, says):
    with pytest.raises(ToolError) as error:
        bench().use("answer", **{"answer": "It is.", **args})
    assert says in str(error.value)
