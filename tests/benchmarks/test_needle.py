"""The needle benchmark: what is drawn is where its truth says, and answers are judged as they should be."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks.long_video import FPS
from benchmarks.needle import Record
from benchmarks.needle_marks import Marked, add_up, mark
from benchmarks.needle_methods import Said, ask
from benchmarks.needle_tables import spoken, tables
from benchmarks.needle_videos import Question, draw
from vidagent.agents.signals.language.matching import find
from vidagent.agents.signals.vision.codes import read_codes
from vidagent.agents.signals.vision.cuts import cut_scores
from vidagent.video.texts.reader import shared_reader
from vidagent.video.video import Video

SEED = 5
WHEN = Question("when0", "text, 0.4 s", 'When does the text "A 1" appear?', "time", 10.0, 10.4)
READ = Question("read0", "small text, read", "What does it say?", "text", answer="ORCHID 7421", at_s=10.0)
CUTS = Question("cuts", "cuts, how many", "How many cuts are there?", "count", answer="12")
ABSENT = Question("absent0", "absent", 'When does the text "B 2" appear?', "nothing")
SAID = Said(True, 10.0, 10.4, "", None, 100, 5000, 12, 1.5)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Draw a minute of video; return its path and its questions by id."""
    folder = tmp_path_factory.mktemp("needle")
    questions = draw(folder / "video.mp4", folder / "scenes", duration_s=60, seed=SEED)
    return folder / "video.mp4", {question.id: question for question in questions}


@pytest.fixture(scope="module")
def video(drawn):
    """Open the video."""
    with Video.open(drawn[0]) as opened:
        yield opened


def shows(video, question, time_s):
    rgb = video.frames_at([time_s])[0].rgb
    wanted = question.text.split('"')[1]
    if "code" in question.kind:
        return any(code.text == wanted for code in read_codes(rgb))
    match = find(wanted, shared_reader().read(rgb))
    return match is not None


@pytest.mark.slow
def test_more_absent_questions_leave_the_others_as_they_are(drawn, tmp_path):
    asked = draw(tmp_path / "video.mp4", drawn[0].parent / "scenes", duration_s=60, seed=SEED, absent=20)
    there = list(drawn[1].values())
    assert asked[: len(there)] == there
    more = asked[len(there) :]
    hidden = {
        question.text.split('"')[1] for question in there if question.wants == "time" and '"' in question.text
    }
    texts = {question.text.split('"')[1] for question in more}
    assert len(texts) == 20
    assert not texts & hidden
    assert all(question.wants == "nothing" for question in more)


@pytest.mark.parametrize("name", ["when0", "when1", "when3", "when4", "when5", "when6"])
def test_an_event_is_in_its_first_and_last_frame_and_not_beside_them(drawn, video, name):
    question = drawn[1][name]
    half = 0.5 / FPS
    assert shows(video, question, question.start_s + half)
    assert shows(video, question, question.end_s - half)
    assert not shows(video, question, question.start_s - half)
    assert not shows(video, question, question.end_s + half)


def test_the_cut_asked_for_is_a_cut(drawn, video):
    question = drawn[1]["cut"]
    times = [question.start_s + (step + 0.5) / FPS for step in range(-3, 3)]
    scores = cut_scores([frame.rgb for frame in video.frames_at(times)])
    assert scores[2] > 0.2
    assert max(scores[:2] + scores[3:]) < 0.05


@pytest.mark.slow
def test_the_same_seed_draws_the_same_and_another_one_another(drawn, tmp_path):
    scenes = drawn[0].parent / "scenes"
    again = draw(tmp_path / "again.mp4", scenes, duration_s=60, seed=SEED)
    other = draw(tmp_path / "other.mp4", scenes, duration_s=60, seed=SEED + 1)
    assert again == list(drawn[1].values())
    assert other != again
    assert {path.name for path in tmp_path.iterdir()} == {"again.mp4", "other.mp4"}


def test_absent_texts_are_nowhere_and_one_differs_in_a_digit(drawn):
    texts = {q.text.split('"')[1] for q in drawn[1].values() if q.wants == "time" and '"' in q.text}
    absent = {q.text.split('"')[1] for q in drawn[1].values() if q.wants == "nothing"}
    assert len(absent) == 4
    assert not texts & absent
    assert any(
        sum(a != b for a, b in zip(x, y, strict=True)) == 1 for x in texts for y in absent if len(x) == len(y)
    )


def test_too_short_a_video_is_refused(tmp_path):
    with pytest.raises(ValueError, match="fewer than 8 events"):
        draw(tmp_path / "short.mp4", tmp_path, duration_s=10, seed=0)


@pytest.mark.parametrize(
    ("question", "said", "wanted"),
    [
        (WHEN, {}, ("found", 0.0)),
        (WHEN, {"start_s": 10.04, "end_s": 10.32}, ("found", 2.0)),
        (WHEN, {"start_s": 12.0, "end_s": 12.4}, ("wrong", None)),
        (WHEN, {"found": False}, ("missed", None)),
        (WHEN, {"found": None}, ("abstained", None)),
        (READ, {"text": "It says Orchid-7421."}, ("found", None)),
        (READ, {"text": "ORCHID 7427"}, ("wrong", None)),
        (READ, {"text": "ORCHID 74211"}, ("wrong", None)),
        (CUTS, {"count": 12}, ("found", None)),
        (CUTS, {"count": 11}, ("wrong", None)),
        (CUTS, {"count": 0, "found": False}, ("wrong", None)),
        (ABSENT, {}, ("false claim", None)),
        (ABSENT, {"found": False}, ("rejected", None)),
        (ABSENT, {"found": None}, ("rejected", None)),
    ],
)
def test_marks(question, said, wanted):
    assert mark(question, replace(SAID, **said)) == wanted


def marked(question, said, method="agent"):
    return Marked(60.0, 1, method, question, said, *mark(question, said))


def test_sums_count_what_is_there_and_what_is_not_apart():
    wrong = replace(SAID, start_s=1.0, end_s=2.0, frames=50)
    total = add_up([marked(WHEN, SAID), marked(WHEN, wrong), marked(ABSENT, SAID), marked(ABSENT, wrong)])
    assert (total.events, total.found, total.wrong, total.absent, total.false_claims) == (2, 1, 1, 2, 2)
    assert (total.off_frames, total.frames, total.most_frames) == (0.0, 75, 100)


def test_the_record_is_read_back_and_a_line_cut_off_is_left_out(tmp_path):
    path = tmp_path / "answers.jsonl"
    record = Record(path)
    record.add("mixed", marked(WHEN, SAID))
    record.add_scan("mixed 1 min seed 1", 2.5)
    record.add("mixed", marked(ABSENT, SAID))
    path.write_text(path.read_text()[:-20])
    again = Record(path)
    assert again.answers == {("mixed", 60.0, 1, "agent", "when0"): marked(WHEN, SAID)}
    assert again.scans == {"mixed 1 min seed 1": 2.5}
    assert "| agent | 1 min | 1 | 1 (100%) | 0 | 0 | 0.0 | 0 |" in tables(
        list(again.answers.values()), again.scans
    )
    assert len([json.loads(line) for line in path.read_text().splitlines()[:2]]) == 2


def test_a_baseline_wants_the_agent_first(drawn):
    with pytest.raises(ValueError, match="ask that first"):
        ask("uniform", drawn[0], drawn[1]["when3"], None)


def test_a_baseline_takes_at_least_as_many_frames_and_finds_what_is_on_them(drawn, tmp_path, monkeypatch):
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path))
    code = drawn[1]["when6"]
    said = ask("uniform", drawn[0], code, replace(SAID, frames=70))
    assert (said.frames, said.calls, said.found) == (128, 1, True)
    assert said.tokens >= 128 * 256
    verdict, off = mark(code, said)
    assert verdict == "found"
    assert 0 < off <= FPS
    grid = ask("grid", drawn[0], code, replace(SAID, frames=60))
    assert grid.frames == 64


@pytest.mark.parametrize(("seconds", "words"), [(60, "1 min"), (7200, "2 h"), (90, "90 s")])
def test_durations_in_words(seconds, words):
    assert spoken(seconds) == words
