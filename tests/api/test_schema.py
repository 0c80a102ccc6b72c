"""Answers to a schema: each value is proved by itself, or null with a reason."""

from __future__ import annotations

import json
from datetime import date
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from tests.graphs.nodes.test_parts import Judge, asked, asked_in
from tests.graphs.scripts import answer, clip_look
from tests.scripted_server import routes, step_of, texts, tool_results
from vidagent import Budget, UsageError, analyze_video
from vidagent.serve.cli import app

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("few_frames")]

LOOK = clip_look(0, 8)
WORDS = "A match is shown."
TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


class Goal(BaseModel):
    player: str
    minute: int = Field(description="in which it fell")


class Match(BaseModel):
    title: str
    goals: list[Goal]


def object_of(**properties):
    return {"type": "object", "properties": properties, "required": [*properties]}


SCHEMAS = {
    "flat": (object_of(title=TEXT, score=NUMBER), {"title": "Final", "score": 3}, "/score", "score: 3"),
    "list": (
        object_of(teams={"type": "array", "items": TEXT}),
        {"teams": ["red", "blue", "green"]},
        "/teams/2",
        "teams 3: green",
    ),
    "nested": (
        Match,
        {"title": "Final", "goals": [{"player": "Ann", "minute": 3}, {"player": "Bo", "minute": 70}]},
        "/goals/1/minute",
        "goals 2 minute (in which it fell): 70",
    ),
    "enum": (
        object_of(light={"enum": ["red", "amber", "green"]}, wet={"type": "boolean"}),
        {"light": "amber", "wet": True},
        "/light",
        "light: amber",
    ),
    "dates": (
        object_of(
            day={"type": "string", "format": "date"}, until={"type": ["string", "null"], "format": "date"}
        ),
        {"day": "2024-02-29", "until": "2024-03-01"},
        "/until",
        "until: 2024-03-01",
    ),
}


def leaf_at(data, pointer):
    for key in pointer.split("/")[1:]:
        data = data[int(key) if isinstance(data, list) else key]
    return data


def drafted(data, *sources, **more):
    everything = {"path": "", "time_s": 2.0, "ledger": ["L1"]}
    return answer(answer=WORDS, claims=[], spans=[], data=data, sources=[everything, *sources], **more)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_value_that_lies_is_null_with_a_reason_and_all_others_stand(ask, kind):
    schema, data, lie, claim = SCHEMAS[kind]
    script = Judge([LOOK], [drafted(data)], verdict={claim: "unsupported"}, route=routes("read"))
    found, server = ask(script, "What does it say?", schema=schema)
    told = found.to_dict()
    assert (found.status, leaf_at(told["data"], lie)) == ("answered", None)
    fields = {one["path"]: one for one in told["fields"]}
    assert (fields[lie]["verdict"], fields[lie]["reason"]) == ("unsupported", "it goes on moving")
    for path, one in fields.items():
        if path != lie:
            assert leaf_at(told["data"], path) == leaf_at(data, path)
            assert (one["verdict"], one["reason"], one["time_s"]) == ("supported", None, 2.0)
            assert one["frame"].endswith(".jpg")
    assert claim in asked(server)


def test_the_planner_gets_the_schema_with_null_and_learns_which_value_was_refused(ask):
    schema, data, lie, claim = SCHEMAS["flat"]
    better = drafted({**data, "score": 2})
    found, server = ask(
        Judge([LOOK], [drafted(data)], [better], verdict={claim: "unsupported"}), schema=schema
    )
    assert found.data == {"title": "Final", "score": 2}
    plans = [body for body in server.bodies if step_of(body) == "plan"]
    [tool] = [one for one in plans[0]["tools"] if one["function"]["name"] == "answer"]
    offered = tool["function"]["parameters"]["properties"]["data"]["properties"]
    assert {"type": "null"} in offered["score"]["anyOf"]
    [told] = [json.loads(text) for text in tool_results(plans[-1]) if '"claims"' in text]
    assert [(one["path"], one["claim"]) for one in told["claims"]] == [(lie, claim)]
    assert "sources" in texts(plans[0])


def test_data_that_does_not_follow_the_schema_is_sent_back_with_the_place(ask):
    schema = SCHEMAS["flat"][0]
    wrong = drafted({"title": "Final", "score": "three"})
    found, server = ask(Judge([LOOK], [wrong], [drafted({"title": "Final", "score": 3})]), schema=schema)
    assert found.data == {"title": "Final", "score": 3}
    last = [body for body in server.bodies if step_of(body) == "plan"][-1]
    assert any("/score: 'three' is not of type 'integer'" in text for text in tool_results(last))
    stubborn, _ = ask(Judge([LOOK], [wrong]), schema=schema)
    assert stubborn.data == {"title": "Final", "score": None}
    [field] = [one for one in stubborn.fields if one.path == "/score"]
    assert field.reason == "it does not follow the schema: 'three' is not of type 'integer'"


def test_what_was_not_seen_is_null_with_the_models_reason(ask):
    unseen = {"path": "/score", "text": "No scoreboard is shown."}
    found, _ = ask(
        Judge([LOOK], [drafted({"title": "Final", "score": None}, unseen)]), schema=SCHEMAS["flat"][0]
    )
    assert found.data == {"title": "Final", "score": None}
    assert [(one.path, one.reason) for one in found.fields] == [
        ("/title", None),
        ("/score", "No scoreboard is shown."),
    ]


def test_a_value_that_is_shown_only_in_part_is_not_proved(ask):
    script = Judge([LOOK], [drafted({"title": "Final", "score": 3})], verdict={"title": "partial"})
    found, _ = ask(script, schema=SCHEMAS["flat"][0])
    assert (found.data, found.fields[0].verdict) == ({"title": None, "score": 3}, "partial")


def test_without_an_answer_the_data_has_the_schemas_form(ask):
    nothing = answer(found="no", answer="No match.", claims=[], spans=[])
    found, _ = ask(Judge([LOOK], [nothing], route=routes("read")), schema=Match)
    assert (found.status, found.data) == ("not_found", {"title": None, "goals": []})
    assert found.fields[0].reason == "the model gave no value for it"
    ended, _ = ask(Judge([LOOK]), schema=Match, budget=Budget(steps=1))
    assert (ended.status, ended.data) == ("partial", {"title": None, "goals": []})


def test_without_a_schema_the_answer_has_no_data(ask):
    found, server = ask(Judge([LOOK], [answer()]))
    assert "data" not in found.to_dict()
    plan = next(body for body in server.bodies if step_of(body) == "plan")
    [tool] = [one for one in plan["tools"] if one["function"]["name"] == "answer"]
    assert "data" not in tool["function"]["parameters"]["properties"]


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "object", "properties": {"score": {"type": "interger"}}}, r"\$\.properties\.score\.type"),
        ({"properties": {"a": {"$ref": "#/$defs/X"}}}, "#/\\$defs/X"),
        ([1], "an object"),
        ({"description": "x" * 20_001}, "at most 20,000 characters"),
        (
            object_of(a={"not": {"$dynamicRef": "http://127.0.0.1:9/x"}}),
            r"\$dynamicRef 'http://127.0.0.1:9/x'",
        ),
    ],
)
def test_a_bad_schema_names_the_place_and_the_reason(schema, why):
    with pytest.raises(UsageError, match=why):
        analyze_video("no-such.mp4", "What?", schema=schema)


def test_a_schema_is_for_one_video():
    with pytest.raises(UsageError, match="a schema is for one video, got 2"):
        analyze_video(["a.mp4", "b.mp4"], "What?", schema=object_of(a=TEXT))


def test_a_model_with_dates_and_literals_is_a_schema(ask):
    class Sign(BaseModel):
        kind: Literal["stop", "yield"]
        day: date | None

    data = {"kind": "stop", "day": "2024-02-30"}
    found, _ = ask(Judge([LOOK], [drafted(data)]), schema=Sign)
    assert found.data == {"kind": "stop", "day": None}
    assert "is not a 'date'" in found.fields[1].reason


def test_a_file_that_is_no_schema_is_wrong_use_and_names_the_place(tmp_path, capsys):
    cases = {
        "{'a': 1}": "is not JSON: Expecting property name enclosed in double quotes: line 1 column 2",
        '{"properties": {"a": {"type": "text"}}}': "wrong.json: the schema is wrong at $.properties.a.type: 'text'",
        "[]": "a schema is JSON Schema (an object)",
        "[" * 20_000: "the schema cannot be used: it is nested too deeply",
        " " * 1_000_001: "the file of a schema has at most 1,000,000 bytes, got more",
    }
    file = tmp_path / "wrong.json"
    for content, why in cases.items():
        file.write_text(content)
        assert app.run(["ask", "no-such.mp4", "What is shown?", "--schema", str(file)]) == 2
        assert why in " ".join(capsys.readouterr().err.split())
    assert app.run(["ask", "no-such.mp4", "What is shown?", "--schema", str(tmp_path / "none.json")]) == 2
    assert "cannot be read: No such file" in " ".join(capsys.readouterr().err.split())


def test_many_values_are_checked_in_requests_whose_verdicts_fit_in_a_reply(ask):
    rows = {"rows": [f"row {number}" for number in range(50)]}
    schema = object_of(rows={"type": "array", "items": TEXT})
    found, server = ask(Judge([LOOK], [drafted(rows)], route=routes("read")), schema=schema)
    assert found.data == rows
    sizes = [len(asked_in(body)) for body in server.bodies if step_of(body) == "verify"]
    assert (max(sizes), len(sizes)) == (24, 3)
