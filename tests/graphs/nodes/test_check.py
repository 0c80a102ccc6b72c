"""A claim that is checked: the picture and the line that stand for it."""

from __future__ import annotations

import pytest

from vidagent.graphs.evidence.transcript_lines import Line
from vidagent.graphs.nodes.check import Asked
from vidagent.images.shown_frame import ShownFrame
from vidagent.tools.answer import Claim

STILLS = [ShownFrame(time_s, f"{time_s}", (64, 48), (0, 0, 64, 48)) for time_s in (2.0, 5.5, 7.0)]
ON_SCREEN = Line(5.458, 9.916, "on screen 5.458-9.916 s, box 1,2,3,4, sure 1.00: Activities", "Activities")
ALWAYS = Line(0.0, 20.0, "on screen 0.000-20.000 s, box 1,2,3,4, sure 1.00: 20:00", "20:00")


def asked(text, *lines, stills=STILLS):
    return Asked(Claim(text=text), text, list(stills), lines)


@pytest.mark.parametrize(
    ("item", "shown_s", "at_s"),
    [
        (asked('"Activities" is on screen.', ALWAYS, ON_SCREEN), 5.5, 5.5),
        (asked('"20:00" is on screen.', ALWAYS, ON_SCREEN), 2.0, 2.0),
        (asked("A window opens.", ALWAYS, ON_SCREEN), 2.0, 2.0),
        (asked('"Activities" is on screen.', ON_SCREEN, stills=STILLS[:1]), None, 5.458),
    ],
    ids=["a text on screen", "a text that always is", "no quotation", "no frame of its time"],
)
def test_a_quoted_text_is_shown_by_a_frame_of_its_own_time(item, shown_s, at_s):
    assert (None if item.shown is None else item.shown.time_s) == shown_s
    assert item.at_s == at_s


@pytest.mark.parametrize(("named_s", "shown_s"), [(5.5, 5.5), (7.0, 2.0)], ids=["between its own", "beyond"])
def test_the_frame_that_shows_a_claim_best_may_be_sent_for_another_one(named_s, shown_s):
    item = asked("No accident is to be seen.")
    item.judged = STILLS[::2] if named_s == 5.5 else STILLS[:2]
    item.sent = STILLS
    item.give("supported", "", 1.0, named_s)
    assert item.at_s == shown_s
