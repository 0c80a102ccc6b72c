"""The ledger as the planner reads it."""

from __future__ import annotations

from vidagent.agents.prompting.replies import Observation
from vidagent.graphs.evidence.ledger import Entry, summary
from vidagent.images.shown_frame import ShownFrame
from vidagent.tools.result import Look

STILL = ShownFrame(1.0, "0" * 64, (8, 8), (0, 0, 8, 8))


def entry(what: str, *, tool: str = "clip", question: str = "?") -> Entry:
    return Entry("L1", Look(tool, question, 0, 99, (STILL,), 1.0), Observation(found=None, what=what))


def test_what_a_look_showed_is_never_cut_inside_a_number():
    times = [f"{number * 1.237:.3f}" for number in range(400)]
    line = summary([entry(" ".join(times))])
    shown = line.partition("judged. ")[2].removesuffix(" …").split(" ")
    assert line.endswith(" …")
    assert shown == times[: len(shown)]
    assert len(" ".join(shown)) > 500


def test_a_description_of_the_overview_stands_there_in_full():
    what = "; ".join(f"{second:.3f} s: a bar moves on" for second in range(90))
    line = summary([entry(what, tool="overview", question="")])
    assert line == f"L1 overview 0.000-99.000 s, 1 frame, described: {what}"
