import logging
import time

import pytest

from vidagent.video.index import subtitles
from vidagent.video.index.subtitles import Cue, parse_srt, parse_vtt

SRT = """1
00:00:01,500 --> 00:00:03,000
<i>Good</i> <font color="#ffcc00">morning</font>,
harbour.

2
00:00:04,000 --> 00:00:05,250 X1:10 X2:20
{\\an8}The ferry leaves at 21:45.

3
01:02:03,004 --> 01:02:04,000
2 < 3 &amp; a > b
"""

VTT = """WEBVTT - a title
Kind: captions

NOTE
00:00.000 --> 00:09.000 is not a cue

STYLE
::cue { color: yellow }

REGION
id:fred

intro
00:01.500 --> 00:03.000 align:start position:0%
<v.loud Ann Smith>Good <c.yellow>morning</c>,
<00:00:02.000>harbour.

01:02:03.004 --> 01:02:04.000
a &lt; b&nbsp;&amp; c
"""


def test_srt_times_texts_and_tags():
    assert parse_srt(SRT) == [
        Cue(1.5, 3.0, "Good morning,\nharbour."),
        Cue(4.0, 5.25, "The ferry leaves at 21:45."),
        Cue(3723.004, 3724.0, "2 < 3 & a > b"),
    ]


def test_vtt_times_texts_and_tags():
    assert parse_vtt(VTT) == [
        Cue(1.5, 3.0, "Ann Smith: Good morning,\nharbour."),
        Cue(3723.004, 3724.0, "a < b & c"),
    ]


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_other_line_endings_read_the_same(ending):
    assert parse_srt(SRT.replace("\n", ending)) == parse_srt(SRT)
    assert parse_vtt(VTT.replace("\n", ending)) == parse_vtt(VTT)


def test_srt_of_the_wild():
    text = (
        "00:01.5 --> 00:02.25\nno counter, no hours, a dot\n"
        "7\n0:00:03,000-->0:00:04,000\nfirst\n\n12\n\nafter empty lines\n\n"
        "9\n00:00:09,000 --> 00:00:08,000\nbackwards\n\n"
        "10\n00:00:10,000 --> 00:00:11,000\n<b></b>\n\n"
        "11\n00:00:05,000 --> 00:00:06,000\n42"
    )
    assert parse_srt(text) == [
        Cue(1.5, 2.25, "no counter, no hours, a dot\n7"),
        Cue(3.0, 4.0, "first\n12\nafter empty lines"),
        Cue(5.0, 6.0, "42"),
    ]


@pytest.mark.parametrize("text", ["", "no subtitles here", "1\n2\n3", "WEBVTT"])
def test_texts_without_cues_are_empty(text):
    assert parse_srt(text) == []
    assert parse_vtt(text) == []


def test_plain_turns_breaks_into_lines_and_keeps_what_is_no_tag():
    assert subtitles.plain(r"one\Ntwo<br/>three\hfour") == "one\ntwo\nthree four"
    assert subtitles.plain("if x<y and <unknown> y>z") == "if x<y and <unknown> y>z"
    assert subtitles.plain("<b>bold</b> <basic>") == "bold <basic>"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings_are_told_apart(encoding):
    assert subtitles.decode("Größe – café".encode(encoding)) == "Größe – café"


def test_crafted_texts_cost_linear_time():
    began = time.process_time()
    for piece in ("<font ", "{\\an8", "<v ", "00:00:01,000 -->", "1\n", "\n", "&#x", "<"):
        parse_srt("00:00:01,000 --> 00:00:02,000\n" + piece * 30_000)
        parse_vtt("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n" + piece * 30_000)
    assert time.process_time() - began < 8


@pytest.fixture
def video(tmp_path):
    video = tmp_path / "talk.mp4"
    video.write_bytes(b"")
    return video


def test_sidecars_have_the_videos_name(video):
    belong = ["talk.srt", "talk.en.vtt", "talk.pt-BR.forced.srt", "talk.zh-Hans.SRT", "talk.mp4.srt"]
    others = ["talk2.srt", "talk.part2.srt", "talk.txt", "other.srt", "talk - notes.srt"]
    for name in belong + others:
        (video.parent / name).write_text("")
    (video.parent / "talk.de.srt").mkdir()
    assert sorted(path.name for path in subtitles.sidecars(video)) == sorted(belong)


def test_sidecar_cues_are_merged_by_time_and_equal_ones_kept_once(video):
    (video.parent / "talk.srt").write_bytes(SRT.encode("utf-16"))
    (video.parent / "talk.en.vtt").write_text(VTT + "\n00:04.000 --> 00:05.250\nThe ferry leaves at 21:45.\n")
    cues = subtitles.sidecar_cues(video)
    assert [cue.start_s for cue in cues] == [1.5, 1.5, 4.0, 3723.004, 3723.004]
    assert [cue.text for cue in cues].count("The ferry leaves at 21:45.") == 1


def test_too_large_files_are_passed_over(video, monkeypatch, caplog):
    monkeypatch.setattr(subtitles, "MAX_BYTES", 100)
    (video.parent / "talk.srt").write_text(SRT)
    with caplog.at_level(logging.WARNING):
        assert subtitles.sidecar_cues(video) == []
    assert "talk.srt are left out: larger than 100 bytes" in caplog.text


def test_a_folder_that_is_not_there_has_no_sidecars(tmp_path):
    assert subtitles.sidecars(tmp_path / "none" / "talk.mp4") == []
