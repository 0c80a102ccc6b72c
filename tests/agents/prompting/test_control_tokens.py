"""Control tokens in data are marked, whatever template they are of, and the marks can be taken away again."""

import random

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from vidagent.agents.profiles.loader import load
from vidagent.agents.profiles.schema import Profile, Thinking
from vidagent.agents.prompting.control_tokens import StreamUnmarker, as_data, marked, unmarked
from vidagent.agents.prompting.messages import block, plan_messages, route_messages

TOKENS = """
<|im_start|> <|im_end|> <|endoftext|> <|vision_start|> <|image_pad|> <|video_pad|> <|eot_id|> <|image_1|> <|channel|>
<image> <video> <img> </img> <IMG_CONTEXT> <image_soft_token> <start_of_turn> <end_of_turn> <bos> <eos> <pad> <unk>
<s> </s> <think> </think> <thinking> <TOOLCALL> </TOOLCALL> <AVAILABLE_TOOLS> <TOOL_RESPONSE> <tool_call> </tool_call>
<tool_response> <tools> <function=clip> <parameter=start_s> <SPECIAL_12> <so_embedding> <arg_key> <sop> <ref> <box>
<|begin_of_box|> <fake_token_around_image> <row_1_col_1> <mask:0> <extra_id_0> <｜User｜> <｜tool▁calls▁begin｜> ◁think▷
◁/think▷ [INST] [/INST] [IMG] [IMG_END] [TOOL_CALLS] [AVAILABLE_TOOLS] [SYSTEM_PROMPT] [gMASK] /think /no_think /nothink
""".split()
PLAIN = [
    "a < b and b > c",
    "3 <5 minutes> later",
    "<12.3 seconds>",
    "I <3 you>",
    "mail <joe@example.org>",
    "[MUSIC] [Applause]",
    "https://example.org/think/no_think",
    "and/think",
    "t = 12.480 s crop 0,0,640,360 px",
    "<question>\nWhere?\n</question>",
    "a · b",
]


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_is_marked_and_comes_back(token):
    text = f"he wrote {token} here"
    said = marked(text)
    assert token not in said
    assert said.replace("·", "") == text
    assert unmarked(said) == text
    assert marked(said) != said
    assert unmarked(unmarked(marked(said))) == text


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_stays_as_it_is(text):
    assert marked(text) == text
    assert unmarked(text) == text


def test_any_text_comes_back():
    chance = random.Random(1)
    pieces = [*TOKENS, *PLAIN, "·", "<·", "<", ">", "[", "]", "/", "|", "question>", "think", " ", "\n"]
    for _ in range(5000):
        text = "".join(chance.choices(pieces, k=chance.randint(1, 8)))
        if (
            "<·" not in text or "question>" not in text
        ):  # a fence of ours is no token, with a mark in it or without
            assert unmarked(marked(text)) == text


def test_tokens_that_a_profile_names_are_marked():
    thinking = Thinking(opening="§think§", closing="§end§", on_prompt="++deep")
    profile = Profile("odd", thinking=thinking, control_tokens=("@@turn", "<|known|>"))
    (said,) = as_data([HumanMessage("§think§ a §end§ ++deep @@turn <|known|> <turn>")], profile)
    assert said.content == "§·think§ a §·end§ +·+deep @·@turn <·|known|> <·turn>"


def test_all_messages_but_the_system_prompt_are_data():
    call = {"name": "clip", "args": {"question": "<image>?", "n": 1}, "id": "<s>", "type": "tool_call"}
    picture = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,<image>"}}
    messages = [
        SystemMessage("<tools>"),
        HumanMessage([{"type": "text", "text": "<image>"}, picture]),
        AIMessage("<s>", tool_calls=[call], additional_kwargs={"reasoning_content": "</think>"}),
        ToolMessage("<|im_end|>", tool_call_id="<s>"),
    ]
    system, human, ai, tool = as_data(messages, load("default"))
    assert system.content == "<tools>"
    assert human.content == [{"type": "text", "text": "<·image>"}, picture]
    assert (ai.content, ai.tool_calls[0]["args"]) == ("<·s>", {"question": "<·image>?", "n": 1})
    assert ai.additional_kwargs["reasoning_content"] == "<·/think>"
    assert (tool.content, tool.tool_call_id) == ("<·|im_end|>", "<s>")
    assert as_data(messages, load("signals")) == messages


def test_our_own_prompts_have_no_token():
    for messages in (
        plan_messages("When?", ["a", "b"], "60 s", [], "L1", 1, 8, [], ["look"], "before"),
        route_messages("When?", None, "60 s", "before"),
    ):
        assert as_data(messages, load("default")) == messages
        system = messages[0].content
        assert marked(system).replace("<·", "<") == system.replace("<·", "<")
        for token in ("<video>", "<image>", "<|", "<think>", "</s>"):
            assert token not in system


def test_a_fence_holds_and_is_kept():
    assert marked(block("notes", "</notes> <ledger> <image>")) == (
        "<notes>\n&lt;/notes> &lt;ledger> <·image>\n</notes>"
    )


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_marks_go_from_a_text_in_pieces_too(size):
    text = "a < b, a/b, [see] <|im_end|> </s> [INST] <think> /no_think and <"
    stream, told = StreamUnmarker(), ""
    written = marked(text)
    for start in range(0, len(written), size):
        told += stream.add(written[start : start + size])
    assert told + stream.rest() == text
    assert "<·" in written
