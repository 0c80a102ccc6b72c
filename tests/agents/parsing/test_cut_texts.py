"""Texts that a limit cut off are asked for again, and never end in the middle of a word."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage

from vidagent.agents.client.request_builder import bounded
from vidagent.agents.parsing.reply_parser import CutTextError, parse_reply
from vidagent.agents.prompting.multi_video import Together
from vidagent.agents.prompting.replies import Description, Judgement, Observation, outline
from vidagent.text import is_ended, to_last_sentence

SENTENCE = "A man walks along a road. "


def cut(number):
    return (SENTENCE * (number // len(SENTENCE) + 1))[:number]


def reply(schema, finish="stop"):
    text = schema.model_dump_json()
    return AIMessage(text, response_metadata={"finish_reason": finish})


def test_a_long_text_has_room_and_the_prompt_says_how_much():
    for schema, name in ((Observation, "what"), (Together, "answer")):
        assert bounded(schema.model_json_schema())["properties"][name]["maxLength"] == 4000
        assert f'"{name}"' in outline(schema)
        assert "at most 4,000 characters" in outline(schema)
    assert bounded(Description.model_json_schema())["properties"]["scenes"]["maxItems"] >= 96


def test_a_text_that_fills_its_limit_without_an_end_was_cut_off():
    with pytest.raises(CutTextError) as caught:
        parse_reply(reply(Observation(found=True, what=cut(4000))), Observation)
    assert isinstance(caught.value.reply, Observation)
    assert is_ended(caught.value.reply.what)
    assert len(caught.value.reply.what) > 3900


def test_a_text_that_ends_is_taken_also_at_its_limit():
    text = cut(3999).rpartition(".")[0]
    text = f"{text}{'a' * (3999 - len(text))}."
    assert parse_reply(reply(Observation(found=True, what=text)), Observation).what == text


def test_a_reply_that_ran_out_of_tokens_was_cut_off():
    with pytest.raises(CutTextError):
        parse_reply(reply(Together(answer="A man walks. Then he si"), "length"), Together)


def test_a_reason_is_only_shortened():
    judged = parse_reply(reply(Judgement(verdict="supported", why=cut(600))), Judgement)
    assert is_ended(judged.why)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("He sits. He sta", "He sits."),
        ("彼は座る。彼は立", "彼は座る。"),
        ("At 3.5 s a road from ab", "At 3.5 s a road from …"),
        ('She says "stop." And th', 'She says "stop."'),
    ],
)
def test_what_is_left_ends_with_a_sentence_or_a_word(text, whole):
    assert to_last_sentence(text) == whole
