"""Questions about several videos, by rules."""

from __future__ import annotations

import pytest

from vidagent.agents.prompting.video_findings import (
    VideoFinding,
    chosen,
    names_of,
    plain_words,
    read_findings,
    write_findings,
)
from vidagent.agents.signals.multi_video import combine, single

PARTS = [
    VideoFinding(
        1, "cups.mp4", "Shown.", (("supported", 2.0, "It is shown."),), ((2.0, 3.0), (5.0, 5.0)), 1.0
    ),
    VideoFinding(2, "beach.mp4", "Not found.", looked=0.381),
    VideoFinding(3, "street.mp4", "Shown, too.", (("partial", 1.5, "It is seen."),), (), 0.5, "frames"),
    VideoFinding(4, "last.mp4"),
]


@pytest.mark.parametrize(
    ("question", "alone", "goal"),
    [
        ('Which of these shows the text "GO"?', 'When is the text "GO" shown?', "which"),
        ('which of these videos has "first blood" first?', 'When is "first blood" shown?', "first"),
        ('In which does the text "X" appear last?', 'When does the text "X" appear?', "last"),
        ("In how many of these does a QR code appear?", "When does a QR code appear?", "how_many"),
        ('How many of these clips show "A"', 'When is "A" shown?', "how_many"),
        ('Do all of these show "X"?', 'When is "X" shown?', "all"),
        ('Does "X" appear in both videos?', 'When does "X" appear?', "all"),
        ('Does "X" appear in any of these?', 'When does "X" appear?', "which"),
        ("Do any of these videos contain a QR code?", "When is a QR code shown?", "which"),
        ('When is "X" shown?', 'When is "X" shown?', "each"),
        ("Which text is shown?", "Which text is shown?", "each"),
    ],
)
def test_what_each_video_is_asked(question, alone, goal):
    turned = single(question)
    assert (turned.question, turned.goal) == (alone, goal)


def test_parts_are_read_back():
    assert read_findings(write_findings(PARTS)) == PARTS


@pytest.mark.parametrize(
    ("goal", "numbers"),
    [("which", [1, 3]), ("first", [3]), ("last", [1]), ("how_many", [1, 3]), ("all", [1, 3])],
)
def test_the_videos_that_answer(goal, numbers):
    assert [part.number for part in chosen(goal, PARTS)] == numbers
    assert combine(goal, None, PARTS).videos == numbers


def test_every_video_has_its_line():
    assert plain_words("how_many", PARTS) == (
        "In 2 of 4 videos. cups.mp4: yes, at 2.000-3.000 s, 5.000 s. "
        "beach.mp4: not found (frames within 0.5 s of 38%). "
        "street.mp4: yes, at 1.500 s (frames within 0.5 s of 50%, then the frames budget was spent). "
        "last.mp4: not looked at."
    )
    assert (
        plain_words("each", PARTS[:2])
        == "cups.mp4: Shown. beach.mp4: not found (frames within 0.5 s of 38%)."
    )
    assert plain_words("which", PARTS[1:2]).startswith("In none of the 1 videos")


@pytest.mark.parametrize(
    ("goal", "parts", "options", "choice"),
    [
        ("first", PARTS, ["cups", "street"], 1),
        ("first", PARTS, ["video 1", "Video 3"], 1),
        ("which", PARTS, ["cups.mp4", "street.mp4"], None),
        ("which", PARTS[:2], ["beach", "cups.mp4"], 1),
        ("which", PARTS[1:2], ["beach", "none of them"], 1),
        ("how_many", PARTS, ["1", "2"], 1),
        ("all", PARTS, ["Yes", "No"], 1),
        ("all", PARTS[:1], ["Yes", "No"], 0),
        ("each", PARTS, ["cups", "street"], None),
    ],
)
def test_the_option_that_follows(goal, parts, options, choice):
    assert combine(goal, options, parts).choice == choice


def test_videos_of_one_name_are_told_apart_by_their_paths():
    assert names_of(["a/x.mp4", "b/y\n.mp4"]) == ("x.mp4", "y .mp4")
    assert names_of(["a/x.mp4", "b/x.mp4"]) == ("a/x.mp4", "b/x.mp4")
