"""An answer in parts taken away: chapters, table, subtitles and edit list have each part with its times."""

from __future__ import annotations

import csv
import dataclasses
import io

from tests.serve.answers import ANSWER
from vidagent.reports.export.chapters import chapters
from vidagent.reports.export.edl import edit_list
from vidagent.reports.export.tables import rows, subtitles
from vidagent.types import Part

PARTS = (
    Part(0.0, 12.48, "A title: \\ #1; a=b", "supported"),
    Part(12.48, 60.0, "=A man\nwalks.", "partial"),
)
TOLD = dataclasses.replace(
    ANSWER, answer="A film.\n0:00-0:12 A title: \\ #1; a=b\n0:12-1:00 =A man walks.", parts=PARTS
)


def test_chapters_are_as_ffmpeg_reads_them():
    assert chapters(TOLD, "What happens?").splitlines() == [
        ";FFMETADATA1",
        "title=What happens?",
        *["[CHAPTER]", "TIMEBASE=1/1000", "START=0", "END=12480", "title=A title: \\\\ \\#1\\; a\\=b"],
        *["[CHAPTER]", "TIMEBASE=1/1000", "START=12480", "END=60000", "title=\\=A man walks."],
    ]


def test_an_answer_without_parts_has_its_spans_as_chapters():
    assert "START=37480\nEND=37880\n" in chapters(ANSWER, "When?")


def test_the_table_and_the_subtitles_have_each_part():
    table = [
        row for row in csv.DictReader(io.StringIO(rows(TOLD).decode(), newline="")) if row["kind"] == "part"
    ]
    assert [(row["start_s"], row["end_s"], row["verdict"]) for row in table] == [
        ("0", "12.48", "supported"),
        ("12.48", "60", "partial"),
    ]
    assert table[1]["text"] == "'=A man walks."
    cues = subtitles(TOLD).decode()
    assert cues.count("-->") == 2
    assert "00:00:12,480 --> 00:01:00,000\r\n=A man walks." in cues


def test_the_edit_list_has_each_part():
    assert [line for line in edit_list(TOLD, "?").splitlines() if "COMMENT" in line] == [
        "* COMMENT: A title: \\ #1; a=b",
        "* COMMENT: =A man walks.",
    ]


def test_the_headline_is_the_answer_without_the_lines_of_its_parts():
    assert (TOLD.headline, TOLD.closing) == ("A film.", "")
    left_out = dataclasses.replace(TOLD, answer=f"{TOLD.answer}\n(1 sentence was left out as not supported.)")
    assert (left_out.headline, left_out.closing) == ("A film.", "(1 sentence was left out as not supported.)")
    assert ANSWER.headline == ANSWER.answer
