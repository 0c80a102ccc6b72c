"""`vidagent texts` and `vidagent index --texts` over a drawn clip."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.media.odd import ffmpeg
from tests.video.texts.test_finder import clip, write
from vidagent.serve.cli.app import run


@pytest.fixture
def path(tmp_path):
    def drawn(number, picture):
        write(picture, "=Total 42", (60, 100))
        if number >= 25:
            write(picture, "Second line", (60, 200))

    return clip(tmp_path / "clip.mp4", 50, drawn)


def test_the_texts_as_a_table_as_json_as_csv_and_as_subtitles_that_do_not_overlap(path, capsys):
    assert run(["index", str(path), "--texts", "-q"]) == 0
    assert "2 texts on screen; 100% of what may be text was read" in capsys.readouterr().out
    assert run(["texts", str(path), "-q"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Second line" in lines[1]
    assert lines[2].startswith("2 texts. Read are Latin script")
    assert run(["texts", str(path), "--json", "-q"]) == 0
    tracks = json.loads(capsys.readouterr().out)["tracks"]
    assert [(one["start_s"], one["end_s"]) for one in tracks] == [(0.0, 2.0), (1.0, 2.0)]
    assert run(["texts", str(path), "--csv", "-q"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["text"] for row in rows] == ["'=Total 42", "Second line"]
    assert run(["texts", str(path), "--srt", "-q"]) == 0
    assert capsys.readouterr().out.split("\n\n") == [
        "1\n00:00:00,000 --> 00:00:01,000\n=Total 42",
        "2\n00:00:01,000 --> 00:00:02,000\n=Total 42\nSecond line\n",
    ]


def test_one_form_at_a_time(path, capsys):
    assert run(["texts", str(path), "--json", "--srt"]) == 2
    assert "give one of" in capsys.readouterr().err


def test_another_stream_of_the_file(path, tmp_path, capsys):
    plain = clip(tmp_path / "plain.mp4", 50, lambda number, picture: write(picture, "Other", (60, 100)))
    both = tmp_path / "both.mp4"
    ffmpeg("-i", path, "-i", plain, "-map", "0", "-map", "1", "-c", "copy", both)
    assert run(["texts", str(both), "--json", "-q", "--stream", "1"]) == 0
    assert [one["text"] for one in json.loads(capsys.readouterr().out)["tracks"]] == ["Other"]
    assert run(["texts", str(both), "--stream", "2"]) == 2
    assert "stream 2" in capsys.readouterr().err
