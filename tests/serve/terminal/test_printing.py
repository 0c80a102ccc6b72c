"""The lines of an answer for people."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest

from vidagent import Answer, Evidence, VideoInfo
from vidagent.serve.terminal.printing import show_answer
from vidagent.types import KnownHash, Part

VIDEO = VideoInfo(
    path="talk.mp4",
    fingerprint="1" * 64,
    content=KnownHash("0" * 64),
    duration_s=9.0,
    fps=Fraction(25),
    width=64,
    height=36,
    codec="h264",
    container="mp4",
)
PARTS = (Part(0.0, 4.0, "A bar moves.", "supported"), Part(4.0, 9.0, "It stops.", "partial"))
ANSWER = Answer(
    status="answered",
    answer="A bar is seen.\n0:00-0:04 A bar moves.\n0:04-0:09 It stops.",
    confidence=0.8,
    video=VIDEO,
    model="scripted",
    run_id="run-1",
    parts=PARTS,
    evidence=(
        Evidence(1.0, "A bar is seen.", "supported", "/cache/runs/run-1/frames/a.jpg"),
        Evidence(2.0, "A bar moves.", "supported", "/cache/runs/run-1/frames/b.jpg"),
        Evidence(6.0, "It stops.", "partial", "/cache/runs/run-1/frames/c.jpg"),
    ),
)


def test_parts_are_told_once_and_how_many_are_shown_only_in_part(capsys: pytest.CaptureFixture[str]):
    show_answer(ANSWER)
    said = capsys.readouterr().out
    assert said.count("A bar moves.") == said.count("It stops.") == 1
    assert "parts     2 checked; shown only in part: 0:04.000" in said
    assert "evidence  0:01.000  supported    A bar is seen." in said
    assert "/cache" not in said


def test_a_part_whose_frame_was_saved_is_told_with_it(capsys: pytest.CaptureFixture[str]):
    saved = dataclasses.replace(ANSWER.evidence[1], frame="frames/evidence-2.jpg")
    show_answer(dataclasses.replace(ANSWER, evidence=(saved,)))
    assert "frames/evidence-2.jpg" in capsys.readouterr().out
