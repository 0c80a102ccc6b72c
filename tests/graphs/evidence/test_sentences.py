"""Sentences of a text, none of which begins or ends inside a quotation."""

from __future__ import annotations

import pytest

from vidagent.graphs.evidence.sentences import sentences_of


@pytest.mark.parametrize(
    "whole",
    [
        'The text "Open a new browser. Chrome fast." is shown on a page.',
        "The text “Open it. Now!” is shown.",
        "Der Text „Halt. Stehen bleiben.“ ist zu sehen.",
        "On lit « Entrez. Merci. » sur la porte.",
        "「開けて。早く！」と書かれている。",
        "A page asks 'Is it on? It's off. Why?' in red.",
        "A man, e.g. Dr. J. Smith, walks 2.5 m. past no. 5 of the U.S. Army.",
        "Zu sehen ist z. B. Wasser, ca. 5 m tief.",
        "1. The bar of after_serialize.png moves.",
        "Yahoo! is shown.",
    ],
)
def test_one_sentence_stays_whole(whole):
    assert sentences_of(whole) == [whole]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "A bar moves at 5 s. It leaves at 5.5 s! 3 people wait; one goes",
            ["A bar moves at 5 s.", "It leaves at 5.5 s!", "3 people wait; one goes"],
        ),
        ('A page says "Stop. Go." Then it is gone.', ['A page says "Stop. Go."', "Then it is gone."]),
        ('A 5" bar moves. A 3" bar rests.', ['A 5" bar moves.', 'A 3" bar rests.']),
        ("門が開く。人が来る！車が去る", ["門が開く。", "人が来る！", "車が去る"]),
        ("1. A bar. 2. A ball.", ["1. A bar.", "2. A ball."]),
        ("It ends at 9 p.m. A man goes. ", ["It ends at 9 p.m.", "A man goes."]),
        (" ", []),
    ],
)
def test_a_text_is_split_between_sentences(text, found):
    assert sentences_of(text) == found
