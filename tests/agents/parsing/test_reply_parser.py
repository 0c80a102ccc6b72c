"""Reading what models write, in all the ways they write it."""

import json
import math
import time

import pytest
from langchain_core.messages import AIMessage

from vidagent.agents.parsing.reply_parser import (
    UnreadableError,
    json_values,
    parse_calls,
    parse_reply,
    split_thought,
)
from vidagent.agents.prompting.replies import Judgement, Judgements, Observation

KNOWN = ["overview", "clip", "resample", "answer"]
CLIP = ("clip", {"start_s": 1, "end_s": 2.5, "question": "Is there a {ball}?"})
CLIP_JSON = '{"name": "clip", "arguments": {"start_s": 1, "end_s": 2.5, "question": "Is there a {ball}?"}}'
SEEN = '{"found": true, "what": "a ball", "sightings": [{"time_s": 1.5}], "confidence": 0.8}'


def called(message):
    return [(call["name"], call["args"]) for call in parse_calls(message, KNOWN)]


@pytest.mark.parametrize(
    "text",
    [
        f"<tool_call>\n{CLIP_JSON}\n</tool_call>",
        f"I will look.\n<tool_call>{CLIP_JSON}",
        f"<TOOLCALL>[{CLIP_JSON}]</TOOLCALL>",
        f"[TOOL_CALLS][{CLIP_JSON}]",
        f"```json\n{CLIP_JSON}\n```\nThis shows the ball.",
        f"<think>Where is the clip(? Hm.</think>\n{CLIP_JSON}",
        f"hm</think>{CLIP_JSON}",
        CLIP_JSON.replace('"arguments"', '"parameters"'),
        CLIP_JSON.replace('"name"', '"tool"').replace('"arguments"', '"args"'),
        CLIP_JSON.replace('"clip"', '"functions.CLIP"'),
        CLIP_JSON[:-2],
        '{"function": ' + CLIP_JSON + ', "type": "function"}',
        '{"tool_calls": [{"function": ' + CLIP_JSON + "}]}",
        '{"clip": {"start_s": 1, "end_s": 2.5, "question": "Is there a {ball}?"}}',
        '{"name": "clip", "start_s": 1, "end_s": 2.5, "question": "Is there a {ball}?"}',
        "{'name': 'clip', 'arguments': {'start_s': 1, 'end_s': 2.5, 'question': 'Is there a {ball}?',}}",
        json.dumps({"name": "clip", "arguments": json.dumps(CLIP[1])}),
        '[clip(start_s=1, end_s=2.5, question="Is there a {ball}?")]',
        "<tool_call><function=clip><parameter=start_s>1</parameter><parameter=end_s>\n2.5\n</parameter>"
        "<parameter=question>\nIs there a {ball}?\n</parameter></function></tool_call>",
    ],
)  # fmt: skip
def test_a_call_in_text(text):
    assert called(AIMessage(text)) == [CLIP]


def test_several_calls_in_text():
    text = f'<tool_call>{CLIP_JSON}</tool_call>\n<tool_call>{{"name": "overview", "arguments": {{}}}}</tool_call>'
    assert called(AIMessage(text)) == [CLIP, ("overview", {})]


def test_a_call_that_a_parser_left_in_the_reasoning():
    assert called(AIMessage("", additional_kwargs={"reasoning_content": CLIP_JSON})) == [CLIP]


def test_native_calls_are_cleaned():
    native = [
        {"name": "clip", "args": {"start_s": 1}, "id": "a", "type": "tool_call"},
        {"name": "clip", "args": {"start_s": 2}, "id": "a", "type": "tool_call"},
        {"name": "clip", "args": {"start_s": 1}, "id": "b", "type": "tool_call"},
        {"name": "dance", "args": {}, "id": "c", "type": "tool_call"},
        {"name": "overview", "args": {}, "id": None, "type": "tool_call"},
    ]
    calls = parse_calls(AIMessage("", tool_calls=native), KNOWN)
    assert [(call["name"], call["args"]) for call in calls] == [
        ("clip", {"start_s": 1}),
        ("clip", {"start_s": 2}),
        ("overview", {}),
    ]
    assert len({call["id"] for call in calls}) == 3


def test_numbers_are_such_as_a_checkpoint_can_hold():
    text = '{"name": "clip", "arguments": {"start_s": %s, "end_s": [%s, 7], "question": "?"}}'
    [(_, args)] = called(AIMessage(text % ("9" * 30, "-" + "9" * 400)))
    assert args == {"start_s": 1e30, "end_s": [-math.inf, 7], "question": "?"}


def test_broken_arguments_are_mended():
    broken = [{"name": "clip", "args": '{"start_s": 1, "end_s": 2.5, ', "id": "a", "error": "cut",
               "type": "invalid_tool_call"}]  # fmt: skip
    assert called(AIMessage("", invalid_tool_calls=broken)) == [("clip", {"start_s": 1, "end_s": 2.5})]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it holds no tool call"),
        ("The ball is seen at 3 s.", "it holds no tool call"),
        ('{"name": "dance", "arguments": {}}', "there is no tool 'dance'"),
        ('{"name": "clip", "arguments": [1, 2]}', "the arguments of 'clip' are not JSON"),
        ("clip(open('/etc/passwd'), start_s=__import__('os'))", "it holds no tool call"),
    ],
)
def test_no_usable_call_says_why(text, problem):
    with pytest.raises(UnreadableError) as caught:
        parse_calls(AIMessage(text), KNOWN)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    "text",
    [
        SEEN,
        f"```json\n{SEEN}\n```",
        f"Here is the report:\n{SEEN}\nI hope it helps.",
        f"<think>a {{ball}}?</think>{SEEN}",
        f"[{SEEN}]",
        f'{{"Observation": {SEEN}}}',
        f'<tool_call>{{"name": "Observation", "arguments": {SEEN}}}</tool_call>',
        SEEN.replace("true", "True").replace('"', "'"),
        SEEN.replace("0.8}", "0.8,}"),
        SEEN[:-1],
        'I looked at {start, end} first. ' + SEEN,
    ],
)  # fmt: skip
def test_an_observation_in_text(text):
    seen = parse_reply(AIMessage(text), Observation)
    assert (seen.found, seen.what, seen.sightings[0].time_s, seen.confidence) == (True, "a ball", 1.5, 0.8)


def test_an_observation_in_a_function_call_and_in_the_reasoning():
    call = {"name": "Observation", "args": json.loads(SEEN), "id": "a", "type": "tool_call"}
    assert parse_reply(AIMessage("", tool_calls=[call]), Observation).what == "a ball"
    assert parse_reply(AIMessage("", additional_kwargs={"reasoning_content": SEEN}), Observation).found


def test_a_cut_off_observation_keeps_what_is_whole():
    text = '{"found": true, "what": "a ball", "sightings": [{"time_s": 1.5, "text": "A"}, {"time_s": 2.5, "te'
    seen = parse_reply(AIMessage(text), Observation)
    assert [item.time_s for item in seen.sightings] == [1.5, 2.5]


@pytest.mark.parametrize(
    ("text", "found"),
    [("Yes, a ball rolls by.", True), ("No ball is visible.", False), ("A ball rolls by at 3 s.", None)],
)
def test_a_sentence_is_an_observation(text, found):
    seen = parse_reply(AIMessage(text), Observation)
    assert (seen.what, seen.found, seen.sightings) == (text, found, [])


def test_a_sentence_is_a_verdict():
    judged = parse_reply(AIMessage("The claim is not supported: the ball is blue."), Judgement)
    assert (judged.verdict, judged.why) == ("unsupported", "The claim is not supported: the ball is blue.")


def test_a_bare_list_is_a_list_of_verdicts():
    read = parse_reply(AIMessage('[{"claim": 1, "verdict": "supported"}]'), Judgements)
    assert [(one.claim, one.verdict) for one in read.verdicts] == [(1, "supported")]


@pytest.mark.parametrize(
    ("text", "schema", "problem"),
    [
        ("", Observation, "it is empty"),
        ("<think>I wonder", Observation, "it is empty"),
        ("It is dark.", Judgement, "it has no verdict"),
        ('{"verdict": "perhaps"}', Judgement, '"verdict": input should be'),
        ('{"colour": "red"}', Observation, "it is not the JSON object asked for"),
    ],
)
def test_an_unreadable_reply_says_why(text, schema, problem):
    with pytest.raises(UnreadableError) as caught:
        parse_reply(AIMessage(text), schema)
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(
    ("text", "thought", "rest"),
    [
        ("<think>a</think>b", "a", "b"),
        ("a</think>\nb", "a", "b"),
        ("<think>a", "a", ""),
        ("b", "", "b"),
        ("<think>a</think>b<think>c</think>d", "a\nc", "bd"),
    ],
)
def test_thoughts_are_split_off(text, thought, rest):
    assert split_thought(text) == (thought, rest)


@pytest.mark.parametrize(
    "text", ["{" * 20_000, "[" * 20_000, '{"a":' * 5000, "{'a': (" * 3000, '"' * 9999 + "{"]
)
def test_hostile_text_is_read_quickly(text):
    began = time.perf_counter()
    list(json_values(text))
    assert time.perf_counter() - began < 5


# --- texts that cannot be written down, or have no end


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"a \ud800 b", "a \N{REPLACEMENT CHARACTER} b"),
        (r"\udfff", "\N{REPLACEMENT CHARACTER}"),
        (r"\ud83c\udfac", "\N{CLAPPER BOARD}"),
    ],
)
def test_half_a_character_is_replaced(written, read):
    told = '{"found": true, "what": "WORDS", "sightings": [{"time_s": 1, "text": "WORDS"}]}'
    seen = parse_reply(AIMessage(told.replace("WORDS", written)), Observation)
    assert (seen.what, seen.sightings[0].text) == (read, read)
    called = '<tool_call>{"name": "search", "arguments": {"query": "WORDS"}}</tool_call>'
    [call] = parse_calls(AIMessage(called.replace("WORDS", written)), ["search"])
    assert call["args"] == {"query": read}


@pytest.mark.parametrize("around", ["{}", "So:\n```json\n{}\n```\nThat is all."])
def test_a_megabyte_before_the_verdict_does_not_hide_it(around):
    told = json.dumps({"why": "A" * 1_000_000, "verdict": "supported", "confidence": 1})
    judged = parse_reply(AIMessage(around.replace("{}", told)), Judgement)
    assert (judged.verdict, len(judged.why)) == ("supported", 10_000)


def test_a_megabyte_of_plain_words_is_cut():
    assert len(parse_reply(AIMessage("Yes, " + "A" * 1_000_000), Observation).what) == 10_000
