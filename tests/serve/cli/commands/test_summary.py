"""`vidagent summary`: what it prints for people and for programs, with the embedded model."""

from __future__ import annotations

import json
import re

import pytest

pytestmark = pytest.mark.network


def test_a_drawn_clip_is_told_by_its_texts_each_with_its_time_and_what_proves_it(command, text_clip):
    path = str(text_clip / "text.mp4")
    done = command(
        "summary", path, "--model", "signals", "--length", "long", "--json", "--export", f"{path}.txt"
    )
    assert done.code == 0
    told = json.loads(done.out)
    assert (told["status"], told["length"], told["left_out"]) == ("answered", "long", 0)
    opening = [one["text"] for one in told["sentences"] if one["chapter"] is None]
    assert opening == ["It is 2.000 s long (0:02.000).", "It has 1 shot.", "It has no sound."]
    first, second = told["chapters"]
    assert (first["start_s"], first["title"], second["title"]) == (0, "Total 42", "Second line")
    assert second["start_s"] == pytest.approx(1.0, abs=0.08)
    shown = {one["text"]: one for one in told["sentences"] if one["chapter"] is not None}
    line = shown['"Second line" is on screen.']
    assert (line["verdict"], line["chapter"], line["frame"] is not None) == ("supported", 1, True)
    assert 1.0 <= line["time_s"] < 2.0
    assert re.match(r"on screen 1\.\d{3}-2\.000 s.*: Second line", line["line"])
    assert all(one["frame"] or one["line"] for one in told["sentences"])
    again = command("summary", path, "--model", "signals", "--length", "long", "-q")
    assert re.search(
        r"^0:01-0:02  Second line\n  0:01\.\d{3}  \"Second line\" is on screen\.$", again.out, re.MULTILINE
    )
    assert re.search(r"^proved    \d+ sentences$", again.out, re.MULTILINE)
    assert "left out" not in again.out


def test_subtitles_are_quoted_with_their_lines(command, clip):
    done = command("summary", str(clip("subtitled_mkv").path), "--model", "signals", "--json", "-q")
    told = json.loads(done.out)
    said = [one for one in told["sentences"] if one["text"].endswith(" is said.")]
    assert said
    assert all(one["line"].startswith("subtitle ") and one["verdict"] == "supported" for one in said)


@pytest.mark.videos
def test_a_real_video_is_told_in_chapters_that_follow_each_other(command, videos):
    done = command("summary", str(videos / "gnome_launch.webm"), "--model", "signals", "--json", "-q")
    told = json.loads(done.out)
    titles = [one["title"] for one in told["chapters"]]
    assert "Launching Applications" in titles
    assert [one["end_s"] for one in told["chapters"][:-1]] == [one["start_s"] for one in told["chapters"][1:]]
    assert all(one["verdict"] == "supported" and (one["frame"] or one["line"]) for one in told["sentences"])


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--length", "huge"], "'huge' is not one of 'short', 'medium', 'long'"),
        (["--export", "a.avi"], "an export is a file ending in"),
    ],
)
def test_wrong_use_is_told_before_the_video_is_opened(command, arguments, why):
    done = command("summary", "no-such.mp4", *arguments)
    assert (done.code, why in done.err) == (2, True), done.err


def test_a_stopped_summary_is_resumed_as_one_and_replayed(command, text_clip, monkeypatch):
    path = str(text_clip / "text.mp4")
    stopped = command("summary", path, "--model", "signals", "--json", "-q", "--budget-steps", "1")
    assert (stopped.code, json.loads(stopped.out)["status"]) == (5, "partial")
    again = command("runs", "resume", "last", "--budget-steps", "5", "-q", "--json")
    told = json.loads(again.out)
    assert (again.code, [one["title"] for one in told["chapters"]]) == (0, ["Total 42", "Second line"])
    wrong = command("ask", path, "What is shown?", "--resume", told["run_id"], "--model", "signals")
    assert (wrong.code, "asked 'Summarise this video.'" in wrong.err) == (2, True)
