"""Schemas that generation is bound to: every text and list ends, and calls are those of the tools."""

from langchain_core.tools import tool

from vidagent.agents.client.request_schemas import bounded, calls_schema, strict_tool


@tool
def crop(time_s: float, grid: str | None = None, marks: list[str] | None = None) -> str:
    """Look closer."""


@tool
def answer(text: str) -> str:
    """End the work."""


def test_texts_and_lists_end():
    made = bounded(
        {
            "type": "object",
            "properties": {
                "a": {"type": "string"},
                "b": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
            },
        }
    )
    listed = made["properties"]["b"]["anyOf"][0]
    assert made["properties"]["a"] == {"type": "string", "maxLength": 600}
    assert (listed["maxItems"], listed["items"]["maxLength"]) == (48, 600)


def test_what_has_an_end_is_left_alone():
    """Xgrammar refuses a schema with both a pattern and a length."""
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "pattern": r"^\d{1,2}$"},
            "b": {"type": "string", "enum": ["x"]},
            "c": {"type": "string", "maxLength": 5},
            "d": {"type": "array", "maxItems": 4, "items": {"type": "number"}},
        },
    }
    assert bounded(schema) == schema


def test_a_turn_is_a_list_of_calls():
    schema = calls_schema([crop, answer])
    calls = schema["properties"]["calls"]
    assert (calls["minItems"], calls["maxItems"]) == (1, 6)
    first, second = calls["items"]["anyOf"]
    assert first["properties"]["name"] == {"const": "crop"}
    assert first["properties"]["arguments"]["required"] == ["time_s"]
    assert second["required"] == ["name", "arguments"]
    assert second["additionalProperties"] is False


def test_a_strict_tool_asks_for_every_argument_and_bounds_it():
    function = strict_tool(crop)["function"]
    assert function["strict"] is True
    assert function["parameters"]["required"] == ["time_s", "grid", "marks"]
    assert function["parameters"]["properties"]["marks"]["anyOf"][0]["maxItems"] == 48
