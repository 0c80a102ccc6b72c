"""What the model is told of the tools: names, arguments, limits, and nothing of files."""

from __future__ import annotations

import json

import pytest
from langchain_core.utils.function_calling import convert_to_openai_tool

QUESTION = {
    "type": "string",
    "minLength": 1,
    "maxLength": 500,
    "description": "What to look for, in one self-contained sentence.",
}
START = {
    "type": "number",
    "minimum": 0,
    "description": "Start of the range in seconds, from 0 to 8.000.",
}
END = {
    "type": "number",
    "minimum": 0,
    "description": "End of the range in seconds, greater than start_s.",
}


@pytest.fixture
def told(bench):
    return {
        name: convert_to_openai_tool(tool)["function"]
        for name, tool in bench(frames=24, overview_frames=48, tiles=9).tools.items()
    }


def test_the_tools_and_their_arguments(told):
    assert {name: list(tool["parameters"]["properties"]) for name, tool in told.items()} == {
        "overview": ["question"],
        "search": ["query", "page"],
        "clip": ["start_s", "end_s", "question"],
        "resample": ["start_s", "end_s", "fps", "question"],
        "crop": ["time_s", "question", "box", "grid"],
        "answer": ["found", "answer", "claims", "spans", "parts", "count", "choice", "confidence"],
    }
    assert {name: tool["parameters"]["required"] for name, tool in told.items()} == {
        "overview": ["question"],
        "search": ["query"],
        "clip": ["start_s", "end_s", "question"],
        "resample": ["start_s", "end_s", "fps", "question"],
        "crop": ["time_s", "question"],
        "answer": ["found", "answer"],
    }


def test_the_schema_of_clip_and_resample(told):
    assert told["clip"]["parameters"]["properties"] == {"start_s": START, "end_s": END, "question": QUESTION}
    fps = {"type": "number", "exclusiveMinimum": 0, "description": "Frames a second, up to 25.000."}
    wanted = {"start_s": START, "end_s": END, "fps": fps, "question": QUESTION}
    assert told["resample"]["parameters"]["properties"] == wanted


@pytest.mark.parametrize(
    ("tool", "limits"),
    [
        ("overview", ["48 frames", "8.000 s (0:08.000)", "(0.2 s)"]),
        ("search", ["up to 24 frames", "searched by meaning"]),
        ("clip", ["up to 24 frames"]),
        ("resample", ["At most 24 frames", "25.000 frames a second"]),
        ("crop", ["(320x180)", "at most 9 cells"]),
        ("answer", ["Never state what no observation shows."]),
    ],
)
def test_the_limits_stand_in_the_descriptions(told, tool, limits):
    for limit in limits:
        assert limit in told[tool]["description"]


def test_the_descriptions_cost_little_in_each_turn_of_the_planner(told):
    assert len(json.dumps(list(told.values()))) < 7800  # about 1,950 tokens


def test_every_argument_is_described_and_no_placeholder_is_left(told):
    for tool in told.values():
        assert all(argument["description"] for argument in tool["parameters"]["properties"].values())
    assert not {"{", "}"} & set("".join(_words(told)))


def _words(value):
    if isinstance(value, dict):
        return [word for item in value.values() for word in _words(item) if item is not value.get("pattern")]
    if isinstance(value, list):
        return [word for item in value for word in _words(item)]
    return [str(value)]


def test_no_file_and_no_handle_is_visible(bench, told):
    text = json.dumps(told).casefold()
    path = bench().video.path
    for secret in (
        str(path),
        path.name.casefold(),
        "path",
        "url",
        "handle",
        "sha256",
        "file",
        "context",
        "index_",
    ):
        assert secret not in text


def test_the_answer_says_what_claims_and_parts_are(told):
    claim = told["answer"]["parameters"]["properties"]["claims"]["items"]
    assert set(claim["properties"]) == {"text", "ledger", "time_s", "end_s"}
    assert claim["required"] == ["text"]
    part = told["answer"]["parameters"]["properties"]["parts"]["items"]
    assert set(part["properties"]) == {"start_s", "end_s", "text", "ledger", "frames_s"}
    assert part["required"] == ["start_s", "text"]
    assert told["answer"]["parameters"]["properties"]["found"]["enum"] == ["yes", "no", "cannot_judge"]
