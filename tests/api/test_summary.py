"""Summaries: chapters, highlights, and sentences of which each is proved by itself or left out and counted."""

from __future__ import annotations

import json
import re

import pytest

from tests.graphs.nodes.test_parts import Judge, asked, parts
from tests.graphs.scripts import clip_look
from tests.scripted_server import ScriptedServer, step_of, texts
from vidagent import Budget, UsageError, summarize_video

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("few_frames")]

LOOK = clip_look(0, 8)
HEADLINE = "A bar crosses the picture."
LIE = "An elephant follows it."
WALK = {"start_s": 0, "end_s": 3, "text": f"A bar moves. It goes to the right. {LIE}", "ledger": ["L1"]}
REST = {"start_s": 3, "end_s": 5.5, "text": "The bar stands still.", "ledger": ["L1"]}
GOES = {"start_s": 5.5, "end_s": 8, "text": "The bar leaves.", "ledger": ["L1"]}
MOMENT = {"start_s": 6.0, "end_s": 7.0}


@pytest.fixture
def summarise(clip, tmp_path):
    """Return the function that has a scripted model summarise a clip of 8 s."""

    def run(script, length="medium", **rest):
        with ScriptedServer(script) as server:
            path = clip("h264").path
            return summarize_video(path, length, base_url=server.url, model="scripted", **rest), server

    return run


def drafted(*wanted, headline=HEADLINE, spans=(MOMENT,)):
    name, draft = parts(*wanted, headline=headline)
    return name, {**draft, "spans": list(spans)}


def test_a_lie_in_one_sentence_is_left_out_and_counted_and_the_rest_stands(summarise):
    script = Judge([LOOK], [drafted(WALK, REST, GOES)], verdict={"elephant": "unsupported"})
    found, server = summarise(script)
    told = found.to_dict()
    assert found.status == "answered"
    assert told["chapters"] == [
        {"start_s": 0, "end_s": 3, "title": "A bar moves"},
        {"start_s": 3, "end_s": 5.5, "title": "The bar stands still"},
        {"start_s": 5.5, "end_s": 8, "title": "The bar leaves"},
    ]
    assert [(one["text"], one["chapter"]) for one in told["sentences"]] == [
        (HEADLINE, None),
        ("A bar moves.", 0),
        ("It goes to the right.", 0),
        (REST["text"], 1),
        (GOES["text"], 2),
    ]
    assert all(one["verdict"] == "supported" and one["frame"] for one in told["sentences"])
    bounds = [(0, 8), (0, 3), (0, 3), (3, 5.5), (5.5, 8)]
    assert all(
        start <= one["time_s"] < end for one, (start, end) in zip(told["sentences"], bounds, strict=True)
    )
    assert (told["left_out"], "elephant" in json.dumps(told)) == (1, False)
    assert found.answer.endswith("(1 sentence was left out as not supported.)")
    assert asked(server).count(LIE) == 1
    assert server.steps.count("plan") == 2  # what stands of a part is no reason to draft it again
    assert "route" not in server.steps  # what kind of question a summary is needs no model


def test_a_highlight_is_a_place_with_a_sentence_that_stands(summarise):
    elsewhere = {"start_s": 3.2, "end_s": 3.6}
    script = Judge(
        [LOOK],
        [drafted(WALK, REST, GOES, spans=[MOMENT, elsewhere])],
        verdict={"stands still": "unsupported"},
    )
    found, _ = summarise(script)
    assert [(one.start_s, one.end_s) for one in found.highlights] == [(6.0, 7.0)]
    assert found.sentences[found.highlights[0].sentence].text == GOES["text"]
    assert [(span.start_s, span.end_s) for span in found.spans] == [(6.0, 7.0)]


def test_without_drafted_highlights_they_are_where_most_changes(summarise):
    found, _ = summarise(Judge([LOOK], [drafted(WALK, REST, GOES, spans=[])]), "short")
    assert 1 <= len(found.highlights) <= 3
    assert len({one.sentence for one in found.highlights}) == len(found.highlights)


@pytest.mark.parametrize(
    ("length", "wish", "most"), [("short", "briefly", 3), ("medium", "", 5), ("long", "in detail", 8)]
)
def test_the_planner_is_told_the_length_and_what_a_summary_has(summarise, length, wish, most):
    _, server = summarise(Judge([LOOK], [drafted(WALK)]), length)
    said = texts(next(body for body in server.bodies if step_of(body) == "plan"))
    assert wish in said
    assert f"up to {most} moments" in said


def test_a_budget_ends_it_with_what_is_proved_so_far(summarise):
    found, server = summarise(Judge([LOOK], [drafted(WALK, REST, GOES)]), budget=Budget(model_calls=4))
    assert (found.status, found.budget.ended_by) == ("partial", "model_calls")
    assert len(server.bodies) <= 4
    assert len(found.sentences) == len(found.evidence)


def test_a_length_that_there_is_not_is_refused_before_anything_is_opened():
    with pytest.raises(UsageError, match="one of short, medium, long; got 'huge'"):
        summarize_video("no-such.mp4", "huge")


def test_files_have_the_chapters_and_what_proves_each_sentence(summarise, tmp_path):
    script = Judge([LOOK], [drafted(WALK, REST, GOES)], verdict={"elephant": "unsupported"})
    files = [tmp_path / name for name in ("a.md", "a.txt", "a.ffmetadata", "a.json")]
    found, _ = summarise(script, export=files, report=tmp_path / "a.html", save_frames=tmp_path / "frames")
    text, chapters, metadata, told = (path.read_text() for path in files)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "0:00-0:03 A bar moves",
        "0:03-0:05 The bar stands still",
        "0:05-0:08 The bar leaves",
        "Highlights",
    ]
    assert re.search(
        r"- It goes to the right\. \*\(0:0\d\.\d{3}, supported, \[frame\]\(<.+\.jpg>\)\)\*", text
    )
    assert "1 sentence could not be proved and left out; frames within" in text
    assert chapters == "0:00 A bar moves\n"  # the others are shorter than YouTube takes them
    assert "START=3000\nEND=5500\ntitle=The bar stands still" in metadata
    assert json.loads(told) == found.to_dict()
    page = (tmp_path / "a.html").read_text()
    assert "The bar stands still" in page
    assert "1 sentence was left out" in page
