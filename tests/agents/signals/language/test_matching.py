"""Finding a text among those read: what must be found, what must not, and where it is."""

from __future__ import annotations

import pytest

from vidagent.agents.signals.language.matching import find, holds, likeness
from vidagent.video.texts.reader import TextLine
from vidagent.video.texts.track import plain as normal

THERE = [
    ("Chrome fast.", "Open a new browser. Chrome fast."),
    ("Chrome fast.", "Open a new browser.Chromefast"),
    ("CHROME", "google chrome"),
    ("ORCHID 7421", "ORCHID 7421"),
    ("ORCHID 7421", "ORCHID7421"),
    ("ORCHID 7421", "0RCHlD 742l"),
    ("EXIT 8", "EXIT B"),
    ("STOP", "5TOP"),
    ("Slow down", "Slowdown"),
    ("Just start typing...", "Just start typing"),
    ("20:00", "Activities 20.00"),
    ("BigImage", "_P0017Biglmage.png"),
    ("Open a new browser", "Open new browser"),
    ("Upload New Headshot", "Upload New Headshct"),
    ("Café", "CAFE"),
    ("欢迎", "欢迎光临"),
]
ABSENT = [
    ("Switching Tasks", "Launching Applications"),
    ("Switching Tasks", "Switching Tabs"),
    ("Switching Tasks", "Switching"),
    ("Chrome", "chromatic aberration?"),
    ("Chrome", "Chromebook"),
    ("Chrome fast.", "Open a new browser."),
    ("Chrome fast.", "Chrome last"),
    ("Open a new browser. Chrome fast.", "Open a new browser."),
    ("ORCHID 7421", "ORCHID 7427"),
    ("ORCHID 7421", "ORCHID 74215"),
    ("ORCHID 7421", "ORCHID 742"),
    ("ORCHID 7421", "ORCHID"),
    ("Please take the train to platform 7421 now", "Please take the train to platform 7427 now"),
    ("GATE B", "GATE C"),
    ("GATE C12", "GATE B12"),
    ("20:00", "20:01"),
    ("7", "17"),
    ("K9", "K92"),
    ("help", "helper"),
    ("Slow down", "Slow town"),
    ("cat", "Applications"),
    ("a", "Zebra"),
    ("dog", ""),
    ("?!", "anything"),
]


def line(text, x0, y0, x1, y1):
    return TextLine(text, (x0, y0, x1, y1), 1.0)


@pytest.mark.parametrize(("query", "text"), THERE)
def test_found_in_spite_of_misreadings(query, text):
    assert holds(text, query)


@pytest.mark.parametrize(("query", "text"), ABSENT)
def test_not_found_in_what_is_alike(query, text):
    assert not holds(text, query)


def test_a_word_that_differs_in_one_letter_is_near_but_not_held():
    assert not holds("Committed", "Committee")
    assert likeness("Committed", "Committee") > 85
    assert likeness("Open", "Committee") < 50


def test_a_word_in_one_long_text_among_many():
    text = "words before " * 200 + "beacon of the lighthouse" + " words after" * 200
    assert holds(text, "lighthouse")
    assert not holds(text, "greenhouse")


def test_normal_keeps_letters_and_digits_of_any_script():
    assert normal("  _After-Serialize.PNG … ") == "afterserializepng"
    assert normal("ｅｘｉｔ　８") == "exit8"
    assert normal("Größe") == "grosse"
    assert normal("?!") == ""


def test_found_over_neighbouring_lines_with_the_box_of_both():
    lines = [
        line("Recents", 560, 52, 640, 76),
        line("beacon of the lighthouse behind you.", 120, 78, 480, 103),
        line("a contagious energy, much like the welcoming", 100, 50, 490, 75),
    ]
    match = find("the welcoming beacon of the lighthouse", lines)
    assert match is not None
    assert match.box == (100, 50, 490, 103)
    assert match.text.startswith("a contagious")


def test_found_over_two_pieces_of_one_row():
    match = find("Chrome fast.", [line("fast.", 210, 51, 280, 76), line("Chrome", 100, 50, 200, 75)])
    assert match is not None
    assert match.box == (100, 50, 280, 76)


def test_not_pieced_together_from_distant_lines():
    match = find("Chrome fast.", [line("Chrome", 10, 10, 80, 30), line("fast.", 500, 300, 580, 320)])
    assert match is None


def test_the_best_of_several_lines_wins():
    lines = [line("after_serial.png", 10, 10, 160, 30), line("after_serialize.png", 10, 300, 190, 320)]
    match = find("after_serialize.png", lines)
    assert match is not None
    assert match.box == (10, 300, 190, 320)


def test_nothing_to_find_is_none():
    assert find("Chrome", []) is None
    assert find("", [line("Chrome", 0, 0, 10, 10)]) is None
    assert find("...", [line("Chrome", 0, 0, 10, 10)]) is None
