"""CSV, SubRip and JSON of an answer, also of one whose words mean harm."""

from __future__ import annotations

import csv
import dataclasses
import io
import json

import pytest

from tests.serve.answers import ANSWER, INFO
from vidagent.reports.export.tables import COLUMNS, answer_json, rows, subtitles
from vidagent.types import Answer, Evidence, Span
from vidagent.video.index.subtitles import parse_srt

NOT_FOUND = dataclasses.replace(ANSWER, status="not_found", spans=(), evidence=())
FORMULAS = [
    '=HYPERLINK("http://example.org","x")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r\n =1",
    "＝1+1",
]


def saying(words: str) -> Answer:
    return dataclasses.replace(ANSWER, answer=words, evidence=(Evidence(37.5, words, "supported"),))


def table(answer: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(rows(answer).decode(), newline="")))


def test_a_row_for_each_span_and_claim():
    span, claim = table(ANSWER)
    assert tuple(span) == COLUMNS
    assert span == {
        **dict.fromkeys(COLUMNS, ""),
        "kind": "span", "start_s": "37.48", "end_s": "37.88", "start": "0:37.480", "end": "0:37.880",
        "text": "'SALE' is shown from 0:37.480 to 0:37.880.",
    }  # fmt: skip
    assert (claim["kind"], claim["start_s"], claim["verdict"]) == ("evidence", "37.48", "supported")
    assert [claim[name] for name in ("x0", "y0", "x1", "y1")] == ["10", "20", "300", "80"]


def test_the_table_of_nothing_has_its_head():
    assert rows(NOT_FOUND) == (",".join(COLUMNS) + "\r\n").encode()


@pytest.mark.parametrize("words", FORMULAS)
def test_no_cell_is_a_formula(words):
    cells = [row["text"] for row in table(saying(words))]
    assert [cell[0] for cell in cells] == ["'", "'"]
    assert cells[0][1:] == " ".join(words.split())


def test_cells_hold_commas_quotes_and_lines():
    assert table(saying('a, "b"\nc'))[0]["text"] == 'a, "b" c'


def test_a_cue_for_each_span_and_claim():
    text = subtitles(ANSWER).decode()
    assert text.startswith("1\r\n00:00:37,480 --> 00:00:37,880\r\n'SALE' is shown")
    cues = parse_srt(text)
    assert [(cue.start_s, cue.end_s) for cue in cues] == [(37.48, 37.88), (37.88, 38.48)]
    assert cues[0].text.endswith("SALE is in the picture (supported)")
    assert cues[1].text == "SALE is in the picture (supported)"


def test_no_two_cues_overlap():
    """A long span, claims inside it and across its end, and two of one time: each moment shows all that is due."""
    claims = [(4.0, "one"), (4.5, "two"), (9.5, "late"), (9.5, "late"), (20.0004, "apart")]
    evidence = tuple(Evidence(time_s, words, "supported") for time_s, words in claims)
    many = dataclasses.replace(ANSWER, answer="all", spans=(Span(2.0, 10.0),), evidence=evidence)
    told = [
        (cue.start_s, cue.end_s, cue.text.replace("\n", " ")) for cue in parse_srt(subtitles(many).decode())
    ]
    one, two, late = ("one (supported)", "two (supported)", "late (supported)")
    assert told == [
        (2.0, 4.0, "all"),
        (4.0, 4.5, f"all {one}"),
        (4.5, 5.0, f"all {one} {two}"),
        (5.0, 5.5, f"all {two}"),
        (5.5, 9.5, "all"),
        (9.5, 10.0, f"all {late}"),
        (10.0, 10.5, late),
        (20.0, 21.0, "apart (supported)"),
    ]


def test_a_cue_has_a_length_and_ends_with_the_video():
    last = dataclasses.replace(
        ANSWER, spans=(Span(2.0, 2.0),), evidence=(Evidence(59.99, "the end", "partial"),)
    )
    cues = parse_srt(subtitles(last).decode())
    assert cues[0].end_s == pytest.approx(2.0 + INFO.frame_s, abs=1e-3)
    assert cues[1].end_s == pytest.approx(59.99 + INFO.frame_s, abs=1e-3)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("one\n\n7\n00:00:01,000 --> 00:00:09,000\nforged", "one 7 00:00:01,000 --› 00:00:09,000 forged"),
        ("<font size=99>x</font>", "‹font size=99›x‹/font›"),
        ("{\\an8}up", "(\\an8)up"),
        ("a\x00b\u202ec", "a�b�c"),
    ],
)
def test_words_cannot_forge_cues_or_markup(words, shown):
    cues = parse_srt(subtitles(saying(words)).decode())
    claim = f"{shown} (supported)"
    assert [cue.text.split("\n") for cue in cues] == [[shown], [shown, claim], [claim]]


def test_nothing_found_is_no_cue():
    assert subtitles(NOT_FOUND) == b""


def test_json_is_the_contract_s_object():
    assert json.loads(answer_json(ANSWER)) == ANSWER.to_dict()


def test_json_holds_any_file_name():
    odd = dataclasses.replace(ANSWER, video=dataclasses.replace(INFO, path="caf\udce9.mp4"))
    assert json.loads(answer_json(odd).decode("utf-8"))["video"]["path"] == "caf\udce9.mp4"
