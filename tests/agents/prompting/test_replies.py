"""Typed replies: what small models write is read, and what makes no sense is left out."""

import math

import pytest
from pydantic import ValidationError

from vidagent.agents.prompting.multi_video import Together
from vidagent.agents.prompting.replies import (
    Judgement,
    Judgements,
    Observation,
    Route,
    Sighting,
    outline,
)

PLAIN = {"found": True, "what": "a ball", "sightings": [], "confidence": 0.9}


def test_a_plain_observation():
    sighting = {"time_s": 12.48, "text": "EXIT", "box": [10, 20, 300, 400]}
    seen = Observation.model_validate(PLAIN | {"sightings": [sighting]})
    assert seen.sightings == [Sighting(time_s=12.48, text="EXIT", box=(10, 20, 300, 400))]


@pytest.mark.parametrize(
    ("given", "time_s"),
    [
        (3, 3),
        ("3.5", 3.5),
        ("t = 12.480 s", 12.48),
        ("0:42.5", 42.5),
        ("1:02:03.250", 3723.25),
        ("12s", 12),
        ("Frame 3 sampled at 12.48 seconds:", 12.48),
    ],
)
def test_times(given, time_s):
    assert Sighting.model_validate({"time_s": given}).time_s == pytest.approx(time_s)


@pytest.mark.parametrize(
    ("given", "box"),
    [
        ([1, 2, 3, 4], (1, 2, 3, 4)),
        ([[1, 2, 3, 4]], (1, 2, 3, 4)),
        ("[1, 2, 3.5, 4]", (1, 2, 3.5, 4)),
        ([300, 400, 10, 20], (10, 20, 300, 400)),
        ([-5, 0, 1200, 900], (0, 0, 1000, 900)),
        ([0.1, 0.2, 0.5, 1], (100, 200, 500, 1000)),
        ([1, 2, 3], None),
        ([5, 5, 5, 9], None),
        ([1, 2, "x", 4], None),
        ([math.nan, 0, 1, 1], None),
        ("somewhere", None),
        (None, None),
    ],
)
def test_boxes(given, box):
    assert Sighting.model_validate({"time_s": 1, "box": given}).box == box


@pytest.mark.parametrize(
    ("given", "found"),
    [(True, True), ("yes", True), ("No.", False), ("null", None), (None, None), ("unclear", None)],
)
def test_found(given, found):
    assert Observation.model_validate(PLAIN | {"found": given}).found is found


@pytest.mark.parametrize(
    ("given", "confidence"),
    [(0.7, 0.7), (1, 1.0), (85, 0.85), ("90%", 0.9), ("0.4", 0.4), ("High", 0.8), ("?", 0.5), (None, 0.5),
     (-1, 0.0), (math.inf, 0.5), (900, 1.0)],
)  # fmt: skip
def test_confidence(given, confidence):
    assert Observation.model_validate(PLAIN | {"confidence": given}).confidence == pytest.approx(confidence)


def test_sightings_without_a_time_are_left_out():
    given = [{"time_s": "never"}, {"box": [1, 2, 3, 4]}, {"time_s": 4, "text": "null"}, "t = 5.000 s", 6]
    seen = Observation.model_validate(PLAIN | {"sightings": given})
    assert [(item.time_s, item.text) for item in seen.sightings] == [(4, None), (5, None), (6, None)]


def test_missing_and_unknown_fields_are_forgiven():
    seen = Observation.model_validate({"what": ["a", "b"], "mood": "good"})
    assert seen == Observation(found=None, what="a\nb", sightings=[], confidence=0.5)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [("supported", "supported"), ("Supported.", "supported"), ("PARTIALLY SUPPORTED", "partial"),
     ("not supported", "unsupported"), ("the claim is not fully supported", "unsupported"),
     ("contradicted", "unsupported"), ("Yes", "supported"), ("no", "unsupported"),
     ("unsupported", "unsupported"), ("cannot_tell", "cannot_tell"), ("I can't tell", "cannot_tell"),
     ("It cannot be judged whether that is true", "cannot_tell"), ("unclear", "cannot_tell")],
)  # fmt: skip
def test_verdicts(given, verdict):
    assert Judgement.model_validate({"verdict": given}).verdict == verdict


def test_verdicts_on_several_claims_are_read_by_their_numbers_or_places():
    told = [
        {"claim": 3, "verdict": "yes"},
        {"verdict": "no"},
        {"claim": 1, "verdict": "perhaps"},
        "supported",
    ]
    read = Judgements.model_validate({"verdicts": told}).verdicts
    assert [(one.claim, one.verdict) for one in read] == [(3, "supported"), (2, "unsupported")]


def test_no_verdict_is_an_error():
    with pytest.raises(ValidationError):
        Judgement.model_validate({"verdict": "perhaps", "why": "it is dark"})


@pytest.mark.parametrize(
    ("given", "choice"),
    [(2, 2), ("2", 2), ("2. a cup", 2), ("option 3", 3), ("(C)", 2), ("b) the dog", 1), (None, None),
     ("none of them", None), (-1, None), (True, None)],
)  # fmt: skip
def test_choices(given, choice):
    assert Together.model_validate({"answer": "x", "choice": given}).choice == choice


def test_an_answer_has_words():
    with pytest.raises(ValidationError):
        Together.model_validate({"answer": "", "choice": 1})


@pytest.mark.parametrize("schema", [Observation, Judgement, Together, Sighting])
def test_the_schema_asks_for_every_field_and_describes_it(schema):
    shape = schema.model_json_schema()
    assert shape["required"] == list(schema.model_fields)
    assert shape["additionalProperties"] is False
    assert all(field["description"] for field in shape["properties"].values())
    lines = [line for line in outline(schema).splitlines() if line.startswith("- ")]
    for line, (name, field) in zip(lines, schema.model_fields.items(), strict=True):
        assert line.startswith(f'- "{name}": {field.description}')


def test_the_outline_goes_down_into_lists():
    assert '\n  - "time_s": the time written beside the frame' in outline(Observation)


@pytest.mark.parametrize(
    ("given", "kind"),
    [("count", "count"), ("Count", "count"), ("how long", "how_long"), ("HOW-LONG", "how_long"),
     ("kind: at time.", "at_time"), ("whether it happens", "whether")],
)  # fmt: skip
def test_kinds_of_questions(given, kind):
    assert Route.model_validate({"kind": given}).kind == kind


@pytest.mark.parametrize("given", ["counting", "poem", "", None, 3, ["count"]])
def test_no_kinds_of_questions(given):
    with pytest.raises(ValidationError):
        Route.model_validate({"kind": given})


def test_a_route_is_read_as_far_as_it_makes_sense():
    told = {
        "kind": "order",
        "question": None,
        "thing": ["a cup", "falls"],
        "start_s": "1:15",
        "end_s": "later",
    }
    route = Route.model_validate({**told, "anchor": "null", "side": "behind", "why": "so"})
    assert (route.question, route.thing, route.start_s, route.end_s) == ("", "a cup\nfalls", 75.0, None)
    assert (route.anchor, route.side) == (None, None)
    assert Route.model_validate({"kind": "order", "anchor": "the bell", "side": "After"}).side == "after"
