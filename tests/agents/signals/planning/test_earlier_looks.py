import json

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from vidagent.agents.signals.planning.earlier_looks import Line, read_past

FACTS = "duration 60.060 s (1:00.060)\n1280x720, 23.976 frames a second, h264\n8 shots"
SEEN = {
    "id": "L1",
    "tool": "clip",
    "start_s": 1.0,
    "end_s": 2.0,
    "frame_times_s": [1.001, 1.043],
    "sightings": [{"time_s": 1.043, "text": "GO", "box_px": [1, 2, 3, 4]}, {"time_s": 1.043}],
}


def turn(number, *calls):
    return AIMessage(
        "", tool_calls=[{"name": n, "args": a, "id": f"c{number}{k}"} for k, (n, a) in enumerate(calls)]
    )


def reply(call_id, told):
    return ToolMessage(json.dumps(told), tool_call_id=call_id)


def test_the_facts_of_the_survey():
    past = read_past([], FACTS)
    assert (past.duration_s, past.frame_s, past.size_wh) == (60.06, 1 / 23.976, (1280, 720))
    assert (past.results, past.errors) == ((), ())


def test_facts_that_are_missing_are_filled_in():
    past = read_past([], "")
    assert (past.duration_s, past.frame_s) == (0.0, 0.04)


def test_looks_are_paired_with_their_replies_whatever_their_order():
    messages = [
        HumanMessage("?"),
        turn(1, ("clip", {"question": "A?", "start_s": 1}), ("search", {"query": "B?", "page": 1})),
        reply("c11", {"id": "L2", "tool": "search", "start_s": 0, "end_s": 60, "facts": ["x"]}),
        reply("c10", SEEN),
        turn(2, ("overview", {"question": "never answered"})),
    ]
    past = read_past(messages, FACTS)
    assert [(result.tool, result.question, result.id) for result in past.results] == [
        ("clip", "A?", "L1"),
        ("search", "B?", "L2"),
    ]
    first = past.results[0]
    assert first.times_s == [1.001, 1.043]
    assert first.lines == [Line(1.043, "GO", (1, 2, 3, 4), "L1"), Line(1.043, "", None, "L1")]
    assert past.results[1].lines == []
    assert past.asked("A?") == [first]
    assert (past.count("clip", "A?"), past.count("search", "A?"), past.count("clip", "B?")) == (1, 0, 0)


def test_refusals_are_no_looks():
    messages = [turn(1, ("clip", {"question": "A?"})), reply("c10", {"error": "the frames budget is spent"})]
    past = read_past(messages, FACTS)
    assert (past.results, past.errors) == ((), ("the frames budget is spent",))
