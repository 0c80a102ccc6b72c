"""Texts for people: counted nouns, short numbers, one line, no control characters."""

from __future__ import annotations

import pytest

from vidagent.text import (
    counted,
    holds_words,
    one_line,
    short_number,
    shortened,
    shown_address,
    without_controls,
)


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 frames"), (1, "1 frame"), (2, "2 frames"), (2500, "2,500 frames")]
)
def test_a_noun_agrees_with_its_number(count, words):
    assert counted(count, "frame") == words


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.04266, "0.0427"), (2.6666, "2.67"), (25.0, "25"), (29.97, "30"), (119.88, "120"), (1000.0, "1000")],
)
def test_a_number_is_short_and_has_no_exponent(value, text):
    assert short_number(value) == text


def test_a_message_is_one_line_without_controls():
    assert one_line("  a\n b\t c ") == "a b c"
    assert without_controls("a\x1b[2Jb") == "a\ufffd[2Jb"


def test_texts_are_cut_between_words():
    assert shortened("seen at  12.345 s\nand 67.890 s", 99) == "seen at 12.345 s and 67.890 s"
    assert shortened("seen at 12.345 s and 67.890 s", 26) == "seen at 12.345 s and …"
    assert len(shortened("word " * 99, 40)) <= 40


@pytest.mark.parametrize(
    ("text", "phrase", "holds"),
    [
        ("It opens at 7.", "opens at seven", True),
        ("It opens at seventy.", "seven", False),
        ("Don\u2019t, he said", "don't he", True),
        ("anything", "", False),
    ],
)
def test_spoken_words_are_compared_without_case_and_punctuation(text, phrase, holds):
    assert holds_words(text, phrase) is holds


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://me:ge#h/e@im@camera/live", "rtsp://camera/live"),
        ("rtsp://me:ge#h?e@im@camera/live", "rtsp://camera/live"),
        ("http://h/x?channel=2&access_token=abc&n=1#top", "http://h/x?channel=2&access_token=***&n=1#top"),
        ("https://h/x?X-Amz-Signature=0f0f", "https://h/x?X-Amz-Signature=***"),
        ("https://h:8080/@me/x", "https://h:8080/@me/x"),
        ("what?key=5.mp4", "what?key=5.mp4"),
    ],
)
def test_addresses_are_shown_without_secrets(address, shown):
    assert shown_address(address) == shown
