"""The answer of a reply that is still being written: the same text however the reply is cut into pieces."""

from __future__ import annotations

import json
import random

import pytest
from langchain_core.messages import AIMessage

from vidagent.agents.parsing.answer_stream import AnswerReader
from vidagent.agents.parsing.reply_parser import parse_reply
from vidagent.agents.prompting.replies import Composition

SAID = 'A "red" ball\n\tat 3.28 s \\ 7 / 8: {née} 🎬 […] "answer": no — 東京'
REPLY = {"choice": None, "answer": SAID, "confidence": 0.9}
PLAIN = json.dumps(REPLY)

SAME = {
    "escaped": PLAIN,
    "not escaped": json.dumps(REPLY, ensure_ascii=False),
    "indented": json.dumps(REPLY, indent=2),
    "the answer first": json.dumps({"answer": SAID, "choice": 2}),
    "the answer last": json.dumps({"confidence": 1, "why": "it is the answer", "answer": SAID}),
    "in a fence": f"```json\n{PLAIN}\n```",
    "in a bare fence": f"\n```\n{PLAIN}",
    "in a list": f"[{PLAIN}]",
    "in another object": json.dumps({"Composition": REPLY}),
    "in a tag": f"<response>{PLAIN}</response>",
    "after a thought": f'<think>{{"answer": "not this"}} or <b>that</b></think>\n{PLAIN}',
    "after two thoughts": f"<thinking>so</thinking> <think></think>{PLAIN}",
    "after a text called answer": json.dumps({"kind": "answer", "list": ["answer"], "answer": SAID}),
    "with slashes escaped": PLAIN.replace("/", "\\/"),
    "with a raw line break": PLAIN.replace("\\n", "\n"),
    "in Python's spelling": repr(REPLY),
    "with words after it": f"{PLAIN} I hope this helps: {{'answer': 'again'}}",
}  # fmt: skip
PROSE = {
    "It is red.": "It is red.",
    "  It is red.\n\nAt 3 s. \n": "It is red.\n\nAt 3 s.",
    "The sign says {OPEN} and { SHUT }.": "The sign says {OPEN} and { SHUT }.",
    "`OPEN` and ``SHUT`` are read.": "`OPEN` and ``SHUT`` are read.",
    "<think>so</think>3 < 4": "3 < 4",
}


def read(*pieces: str) -> str:
    reader = AnswerReader()
    return "".join(reader.feed(piece) for piece in pieces)


def cuts(text: str, number: int) -> list[list[str]]:
    """Cut a text at random places, `number` times."""
    chance, found = random.Random(text), []
    for _ in range(number):
        places = sorted(chance.choices(range(len(text) + 1), k=chance.randint(1, 12)))
        found.append([text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)])
    return found


@pytest.mark.parametrize("reply", SAME.values(), ids=SAME.keys())
def test_the_answer_is_what_the_whole_reply_says(reply):
    assert read(reply) == SAID
    assert parse_reply(AIMessage(reply), Composition).answer == SAID


@pytest.mark.parametrize(("reply", "said"), PROSE.items())
def test_plain_words_are_the_answer(reply, said):
    assert read(reply) == said
    assert parse_reply(AIMessage(reply), Composition).answer == said


@pytest.mark.parametrize("reply", [*SAME.values(), *PROSE])
def test_any_two_pieces_and_any_single_characters_give_the_same(reply):
    whole = read(reply)
    assert read(*reply) == whole
    assert {read(reply[:place], reply[place:]) for place in range(len(reply) + 1)} == {whole}


@pytest.mark.parametrize("reply", [*SAME.values(), *PROSE])
def test_random_pieces_give_the_same(reply):
    assert {read(*pieces) for pieces in cuts(reply, 100)} == {read(reply)}


def test_each_character_is_told_as_soon_as_it_is_whole():
    reader = AnswerReader()
    pieces = [
        '{"answer"',
        ': "',
        "It is",
        " \\",
        "n",
        "\\ud83c",
        "\\udfac",
        "\\u00e",
        "9",
        '.", "choice": ',
        "1}",
    ]
    assert [reader.feed(piece) for piece in pieces] == [
        "",
        "",
        "It is",
        " ",
        "\n",
        "",
        "🎬",
        "",
        "é",
        ".",
        "",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"answer": "a\\ud83cb"}', "a\N{REPLACEMENT CHARACTER}b"),
        ('{"answer": "a\\udfac\\ud83c"}', "a" + 2 * "\N{REPLACEMENT CHARACTER}"),
        ('{"answer": "a\\ud83c\\ud83c\\udfac"}', "a\N{REPLACEMENT CHARACTER}🎬"),
        ('{"answer": "\\uzzzz"}', "\N{REPLACEMENT CHARACTER}"),
        ('{"answer": "cut o', "cut o"),
        ('{"answer": null, "choice": 1}', ""),
        ('{"answer": ["a", "b"]}', ""),
        ('{"choice": 1}', ""),
        ("<answer", ""),
        ("", ""),
    ],
)
def test_what_is_broken_or_no_text(text, said):
    assert read(text) == read(*text) == said


@pytest.mark.parametrize(
    "reply", [f"Sure! Here it is:\n{PLAIN}", f"Sure! Here it is:\n```json\n{PLAIN}\n```"]
)
def test_words_before_json_are_told_too(reply):
    """They cannot be told from an answer before the JSON begins."""
    assert read(reply) == read(*reply) == f"Sure! Here it is:{SAID}"


def test_noise_breaks_nothing():
    chance = random.Random(7)
    for _ in range(300):
        noise = "".join(chance.choices("{}[]\"'\\u0d8<>`:, \nanswer think/é🎬", k=chance.randint(0, 80)))
        assert read(noise) == read(*noise)
