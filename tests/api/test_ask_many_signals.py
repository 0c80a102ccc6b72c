"""A question about several drawn videos with the embedded model, and the same at the command line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import vidagent
from tests.serve.terminal.test_live_display import watched
from vidagent.agents.signals import model as signals
from vidagent.agents.signals.vision import observer as looking

TEXTS = {
    "cups": {"SALE": (25, 38)},
    "beach": {"HELLO": (5, 30)},
    "street": {"SALE": (10, 20), "HELLO": (30, 45)},
}
FRAMES = 50


def pictures(texts: dict[str, tuple[int, int]]) -> Iterator[NDArray[np.uint8]]:
    for number in range(FRAMES):
        picture = np.full((180, 320, 3), (70, 84, 96), np.uint8)
        for text, (first, end) in texts.items():
            if first <= number < end:
                cv2.putText(picture, text, (60, 100), cv2.FONT_HERSHEY_DUPLEX, 1.4, (250, 250, 250), 2)
        yield picture


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> list[str]:
    """Three still videos of 2 s, with texts for a while."""
    folder, made = tmp_path_factory.mktemp("drawn"), []
    for name, texts in TEXTS.items():
        made.append(str(folder / f"{name}.mp4"))
        with av.open(made[-1], "w") as out:
            stream = out.add_stream("libx264", rate=25, options={"preset": "superfast", "crf": "20"})
            stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
            for number, picture in enumerate(pictures(texts)):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
    return made


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """One cache for all runs, so that a video is scanned once."""
    return tmp_path_factory.mktemp("several_cache")


@pytest.fixture(scope="module")
def reader() -> looking.TextReader:
    """One reader for all runs: it remembers what it has read."""
    return looking.TextReader()


@pytest.fixture(autouse=True)
def _shared(cache, reader, monkeypatch) -> None:
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(cache))
    fresh = signals.ChatSignals.model_post_init

    def with_reader(self, context) -> None:
        fresh(self, context)
        self._reader = reader

    monkeypatch.setattr(signals.ChatSignals, "model_post_init", with_reader)


def ask(paths: list[str], question: str, **rest) -> vidagent.Answer:
    return vidagent.analyze_video(paths, question, model="signals", **rest)


def places(found: vidagent.Answer) -> list[tuple[int | None, float, float]]:
    return [(span.video, round(span.start_s, 3), round(span.end_s, 3)) for span in found.spans]


def test_which_shows_a_text(paths):
    options = ["street", "beach", "cups.mp4"]
    found = ask(paths, 'Which of these shows the text "SALE" first?', options=options)
    assert (found.status, places(found), found.choice) == ("answered", [(2, 0.4, 0.8)], 0)
    assert found.video.path == paths[2]
    assert found.answer == (
        "First in street.mp4, each by its own clock. cups.mp4: yes, at 1.000-1.520 s. "
        "beach.mp4: not found (frames within 0.5 s of 100%). street.mp4: yes, at 0.400-0.800 s."
    )


def test_in_how_many_a_text_is(paths):
    found = ask(paths, 'In how many of these videos is "SALE" shown?', options=["1", "2", "3"])
    assert (found.status, found.count, found.choice) == ("answered", 2, 1)
    assert places(found) == [(0, 1.0, 1.52), (2, 0.4, 0.8)]


def test_a_text_that_is_in_none(paths):
    found = ask(paths, 'Which of these shows the text "ZEBRA"?', options=["cups", "beach", "none of them"])
    assert (found.status, places(found), found.choice) == ("not_found", [], None)
    assert found.answer.startswith(
        "In none of the 3 videos, as far as was looked. cups.mp4: not found (frames within 0.5 s of 100%)"
    )


def test_what_cannot_be_judged_is_said_once(paths):
    found = ask(paths, "Which of these shows a dog?")
    assert (found.status, found.coverage.fraction) == ("cannot_judge", 0.0)
    assert found.answer.startswith("The embedded model knows text on screen, transcribed speech")
    assert found.answer.count("cannot judge this") == 1


def test_at_the_command_line(paths, command):
    done = command("ask", *paths[1:], 'Do all of these show "HELLO"?', "--model", "signals")
    assert done.code == 0
    answer, _, *rows = done.out.splitlines()
    assert answer == "In all 2 videos. beach.mp4: yes, at 0.200-1.200 s. street.mp4: yes, at 1.200-1.800 s."
    assert rows[0].startswith("when      beach.mp4   0:00.200 to 0:01.200")
    assert rows[1].startswith("          street.mp4  0:01.200 to 0:01.800")
    (seen,) = (row for row in rows if row.startswith("seen "))
    assert re.fullmatch(r"seen {6}frames within 0\.5 s of ([5-9]\d|100)% of 0:04\.000", seen)
    assert "\nvideo     1 of 2 beach.mp4\n" in done.err
    listed = command("runs", "list", "--json").json()["runs"]
    run_id = listed[0]["run_id"]
    assert [run["run_id"] for run in listed[:3]] == [run_id, f"{run_id}.1", f"{run_id}.2"]
    assert [run["names"] for run in listed[:3]] == ["beach.mp4, street.mp4", "beach.mp4", "street.mp4"]
    shown = command("runs", "show", run_id).out
    assert "videos    beach.mp4, street.mp4\n" in shown
    assert "\n                    .2  " in shown
    assert command("runs", "show", f"{run_id}.2", "--json").json()["answer"]["spans"][0]["start_s"] == 1.2
    again = command("runs", "replay", run_id)
    assert (again.code, again.out) == (0, done.out)
    resumed = command("runs", "resume", run_id, "-q")
    assert (resumed.code, resumed.out) == (0, done.out)


def test_of_one_word_nobody_knows_what_it_is(command):
    done = command("ask", "clip.mp4")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("vidagent: ask takes a VIDEO, or several, and a QUESTION")


def test_a_video_among_several_that_is_missing_is_named(command, paths):
    done = command("ask", *paths, "gone.mp4", "Which of these shows a dog?", "--model", "signals")
    assert (done.code, done.err) == (3, "vidagent: gone.mp4: no such file\n")


def test_the_terminal_says_which_video_is_looked_at(paths):
    asked = ["ask", *paths[:2], 'Which of these shows "SALE"?', "--model", "signals"]

    seen = watched([sys.executable, "-m", "vidagent", *asked], piped=True)
    assert seen.code == 0
    assert seen.sees("1 of 2 cups.mp4: resample")
    assert seen.sees("2 of 2 beach.mp4: resample")
    assert not any("resample" in line for line in seen.screen.lines if ".mp4: " in line)
