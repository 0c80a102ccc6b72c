"""Whole runs with the embedded model: the answers against what was drawn, to the frame."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import vidagent
from tests.media.demo import demo, render_once
from vidagent import api
from vidagent.agents.prompting.messages import read_frames, read_step
from vidagent.agents.signals import model as signals
from vidagent.agents.signals.vision import observer as looking
from vidagent.images import jpeg
from vidagent.types import Budget

FRAME_S = 0.04
WHITE = (250, 250, 250)
GROUND = (70, 84, 96)


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """Return one cache folder for all runs, so that a video is scanned once."""
    return tmp_path_factory.mktemp("signals_cache")


@pytest.fixture(autouse=True)
def _one_cache(cache, monkeypatch) -> None:
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(cache))


@pytest.fixture(scope="session")
def demo_video(tmp_path_factory) -> Path:
    """Draw the demo video."""
    path = tmp_path_factory.mktemp("demo") / "demo.mp4"
    render_once(path)
    return path


@pytest.fixture(scope="session")
def reader() -> looking.TextReader:
    """Return one reader for all runs: it remembers what it has read."""
    return looking.TextReader()


@pytest.fixture
def ask(monkeypatch, reader) -> Callable[..., vidagent.Answer]:
    """Return the function that asks the embedded model; all its models share one reader."""
    fresh = signals.ChatSignals.model_post_init

    def with_reader(self, context) -> None:
        fresh(self, context)
        self._reader = reader

    monkeypatch.setattr(signals.ChatSignals, "model_post_init", with_reader)
    return lambda path, question, **rest: vidagent.analyze_video(path, question, model="signals", **rest)


def encode(path: Path, pictures: Iterable[np.ndarray], rate: Fraction | int = 25, ticks=None) -> Path:
    """Encode pictures with B-frames and distant keyframes, at a rate or at the ticks of a 1/90000 clock."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate)
        stream.options = {"preset": "superfast", "crf": "20", "bf": "2", "g": "120"}
        stream.pix_fmt = "yuv420p"
        unit = Fraction(1, 90000) if ticks is not None else 1 / Fraction(rate)
        stream.codec_context.time_base = unit
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number if ticks is None else ticks[number], unit
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def write(picture, text, at=(60, 180), scale=1.5, colour=WHITE, thickness=2):
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_DUPLEX, scale, colour, thickness, cv2.LINE_AA)
    return picture


def ground(wh=(640, 360), colour=GROUND):
    return np.full((wh[1], wh[0], 3), colour, np.uint8)


def titled(text: str, first: int, end: int, frames: int, *, busy: bool = False):
    """Draw frames of which those from `first` until before `end` have a text, beside something that moves if `busy`.

    A picture that shows no more than the last one is not read anew, so that still clips are quick.
    """
    for number in range(frames):
        picture = ground((320, 180))
        if busy:
            cv2.circle(picture, (20 + 4 * number % 280, 160), 8, (200, 120, 40), -1)
        yield write(picture, text, (30, 90), 1.2) if first <= number < end else picture


def spans_of(answer):
    return [(span.start_s, span.end_s) for span in answer.spans]


def exactly(*spans):
    """Compare spans to the frame: times in the messages are in milliseconds."""
    return [pytest.approx(span, abs=1e-3) for span in spans]


# --- the demo video


@pytest.mark.slow
@pytest.mark.parametrize("place", range(9))
def test_every_text_of_the_demo_is_found_to_the_frame(ask, demo_video, place):
    caption = demo.CAPTIONS[place]
    found = ask(demo_video, f'When is the text "{caption.text}" shown?')
    assert found.status == "answered"
    assert spans_of(found) == exactly((caption.start_s, caption.end_s))
    assert found.usage.frames_sent <= 200


def test_the_code(ask, demo_video):
    found = ask(demo_video, "What does the QR code say?")
    assert demo.CODE in found.answer
    assert spans_of(found) == exactly((20.0, 27.0))


def test_the_red_screen(ask, demo_video):
    found = ask(demo_video, "How long is the screen red?")
    assert "for 4.000 s" in found.answer
    assert spans_of(found) == exactly((16.0, 20.0))
    assert ask(demo_video, "What colour fills the screen at 19.99 s?").answer == "red"


def test_the_shots(ask, demo_video):
    found = ask(demo_video, "How many shots are there?")
    assert found.count == demo.SHOTS
    assert [start for start, _ in spans_of(found)] == pytest.approx(demo.CUTS_S)
    assert spans_of(ask(demo_video, "When is the last cut?")) == exactly((54.0, 54.04))


def test_movement_and_stillness(ask, demo_video):
    moved = ask(demo_video, "When does something move between 7 s and 15.9 s?")
    ((start, end),) = spans_of(moved)
    assert start == pytest.approx(
        7.2, abs=FRAME_S + 1e-3
    )  # the first frame that differs is the one after 7.2 s
    assert end == pytest.approx(14.4, abs=FRAME_S + 1e-3)
    still = ask(demo_video, "When is the picture still between 15 s and 26 s?")
    assert spans_of(still) == exactly((20.0, 26.0))


def test_a_text_at_a_time_and_in_a_corner(ask, demo_video):
    found = ask(demo_video, "What is written at 0:49?")
    assert found.answer == "LAST FERRY 21:45"
    corner = ask(demo_video, "What is written in the upper right corner at 8 s?")
    assert corner.answer.replace(" ", "") == "BERTH14"


@pytest.mark.parametrize("question", ["How many boats are there?", "What does the man say?"])
def test_what_it_cannot_judge_it_says_and_how_to_connect_a_model(ask, demo_video, question):
    found = ask(demo_video, question)
    assert (found.status, found.evidence, found.spans) == ("cannot_judge", (), ())
    assert found.confidence == 0
    assert "--base-url" in found.answer
    assert found.usage.frames_sent == 0


# --- small drawn clips


@pytest.mark.parametrize(
    ("rate", "first", "end"),
    [
        (Fraction(24000, 1001), 37, 44),
        (25, 0, 9),
        (Fraction(30000, 1001), 100, 150),
        (60, 77, 80),
    ],
)
def test_edges_are_those_drawn_at_every_rate(ask, tmp_path, rate, first, end):
    path = encode(tmp_path / "clip.mp4", titled("PIER 94", first, end, 150), rate)
    found = ask(path, 'When is the text "PIER 94" shown?')
    assert found.status == "answered"
    duration_s = float(150 / Fraction(rate))
    assert spans_of(found) == exactly(
        (float(first / Fraction(rate)), min(duration_s, float(end / Fraction(rate))))
    )


def test_the_answer_comes_with_the_frames_that_prove_it(ask, tmp_path):
    path = encode(tmp_path / "clip.mp4", titled("PIER 94", 61, 66, 150, busy=True))
    found = ask(path, 'When does "PIER 94" appear?', save_frames=tmp_path / "frames")
    assert (found.status, found.model) == ("answered", "signals")
    assert spans_of(found) == exactly((2.44, 2.64))
    assert {item.verdict for item in found.evidence} == {"supported"}
    assert [item.time_s for item in found.evidence] == pytest.approx([2.44, 2.6])
    x0, y0, x1, y1 = found.evidence[0].box_px
    assert 15 < x0 < 45 < 150 < x1 < 260
    assert 50 < y0 < 70 < 85 < y1 < 110
    shown = cv2.imread(found.evidence[0].frame)
    assert shown.shape[:2] == (180, 320)
    assert found.usage.frames_sent <= 120


def test_showings_are_counted_and_added_up(ask, tmp_path):
    both = [*titled("PIER 94", 25, 50, 75), *titled("PIER 94", 25, 45, 75)]
    path = encode(tmp_path / "twice.mp4", both)
    assert ask(path, 'How many times is "PIER 94" shown?').count == 2
    long = ask(path, 'How long is "PIER 94" shown?')
    assert "for 1.800 s" in long.answer
    assert spans_of(ask(path, 'When is "PIER 94" shown for the last time?')) == exactly((4.0, 4.8))
    assert spans_of(ask(path, 'When is "PIER 94" shown before 3 s?')) == exactly((1.0, 2.0))


def test_edges_are_those_drawn_on_uneven_frame_times(ask, tmp_path):
    steps = np.random.default_rng(5).choice([1530, 2970, 3600, 5940, 9000, 36000], 150)
    ticks = [0, *(int(t) for t in np.cumsum(steps)[:-1])]
    path = encode(tmp_path / "uneven.mp4", titled("PIER 94", 61, 66, 150), 25, ticks)
    found = ask(path, 'When is the text "PIER 94" shown?')
    assert spans_of(found) == exactly((ticks[61] / 90000, ticks[66] / 90000))


def test_what_is_absent_is_not_found(ask, tmp_path):
    path = encode(tmp_path / "clip.mp4", titled("PIER 94", 20, 40, 75))
    found = ask(path, 'Does the text "PIER 97" appear?')
    assert (found.status, found.spans, found.evidence) == ("not_found", (), ())
    assert "Not found in" in found.answer
    assert found.coverage.fraction > 0.9


def test_tiny_text_needs_the_crop(ask, tmp_path):
    def pictures():
        for number in range(12):
            picture = ground((3840, 2160))
            cv2.circle(picture, (600 + 20 * number, 1200), 160, (200, 120, 40), -1)
            yield write(picture, "BERTH 14", (3640, 40), 0.45, WHITE, 1)

    path = encode(tmp_path / "large.mp4", pictures())
    whole = ask(path, "What is written at 0.2 s?")
    assert "BERTH" not in whole.answer, "the text is to be too small to be read in the whole frame"
    found = ask(path, "What is written in the upper right corner at 0.2 s?")
    assert found.status == "answered"
    assert found.answer.replace(" ", "") == "BERTH14"
    x0, y0, x1, y1 = found.evidence[0].box_px
    assert 3500 < x0 < x1 <= 3840
    assert 0 <= y0 < y1 < 120


def test_a_budget_of_frames_is_kept(ask, tmp_path):
    path = encode(tmp_path / "clip.mp4", titled("PIER 94", 61, 66, 150))
    found = ask(path, 'When is the text "PIER 94" shown?', budget=Budget(frames=20))
    assert found.usage.frames_sent <= 20
    assert found.status in {"answered", "partial", "not_found"}


# --- it sees what is in the message, and nothing else


class Swapped:
    """Stands between the graph and the model: the pictures of looks are replaced by others, the times stay."""

    def __init__(self, monkeypatch, swap: Callable[[float, np.ndarray], np.ndarray]) -> None:
        self.steps: list[str] = []
        reply = signals.ChatSignals._reply

        def replaced(model, messages, tool_names, stopped):
            step = read_step(messages)
            self.steps.append(str(step))
            shown = iter(read_frames(messages) if step in {"look", "verify"} else ())
            for message in messages:
                for part in message.content if isinstance(message.content, list) else ():
                    if (
                        isinstance(part, dict)
                        and part.get("type") == "image_url"
                        and step in {"look", "verify"}
                    ):
                        time_s, data, _ = next(shown)
                        other = jpeg.encode(swap(time_s, jpeg.decode(data)))
                        part["image_url"]["url"] = "data:image/jpeg;base64," + _base64(other)
            return reply(model, messages, tool_names, stopped)

        monkeypatch.setattr(signals.ChatSignals, "_reply", replaced)


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()


def test_the_answer_follows_the_pictures_in_the_message(ask, tmp_path, monkeypatch):
    """The file says PIER 94 from 0.8 s to 1.6 s; the messages say TRACK 62 from 2.0 s to 2.4 s."""
    path = encode(tmp_path / "clip.mp4", titled("PIER 94", 20, 40, 75))
    swapped = Swapped(
        monkeypatch,
        lambda time_s, _: (
            write(ground((320, 180)), "TRACK 62", (30, 90), 1.2)
            if 2.0 <= time_s < 2.4
            else ground((320, 180))
        ),
    )
    found = ask(path, 'When is the text "TRACK 62" shown?')
    assert spans_of(found) == exactly((2.0, 2.4))
    assert {"look", "verify"} <= set(swapped.steps)
    assert ask(path, 'When is the text "PIER 94" shown?').status == "not_found"


def test_without_pictures_there_is_no_answer(ask, tmp_path, monkeypatch):
    path = encode(tmp_path / "clip.mp4", titled("PIER 94", 0, 75, 75))
    Swapped(monkeypatch, lambda _, picture: np.zeros_like(picture))
    assert ask(path, 'When is the text "PIER 94" shown?').status == "not_found"
    assert ask(path, "What is written at 1 s?").status == "not_found"


def test_the_outline_of_a_video_of_many_shots_stands_whole(ask, demo_video):
    found = ask(demo_video, "What happens in this video?")
    assert found.status == "answered"
    assert re.match(r"It is 60\.000 s long \(1:00\.000\);.*; it has 8 shots;", found.answer)
    assert {item.verdict for item in found.evidence} == {"supported"}
    assert not any(re.fullmatch(r"shot \d+", item.claim) for item in found.evidence)


def test_a_question_that_may_be_about_text_is_answered_from_texts_that_are_known(ask, tmp_path, monkeypatch):
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path / "cache"))
    ground = np.full((180, 320, 3), GROUND, np.uint8)
    for text, place in (("Trout", (20, 80)), ("16.90", (200, 80)), ("Soup", (20, 140)), ("5.50", (200, 140))):
        cv2.putText(ground, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.9, WHITE, 2, cv2.LINE_AA)
    path = encode(tmp_path / "menu.mp4", [ground] * 25)
    before = ask(path, "and what about the trout then")
    assert (before.status, before.usage.frames_sent) == ("cannot_judge", 0)
    assert before.usage.frames_decoded <= 2  # those that opening decodes
    api.texts_of(path)
    after = ask(path, "and what about the trout then")
    assert after.status == "answered"
    assert after.answer.startswith('"Trout 16.90" (on screen from 0:00.000 to 0:01.000')
    assert after.confidence <= 0.5
    assert api.replay_run(before.run_id)[1] == api.replay_run(after.run_id)[1] == []


def test_a_price_is_read_with_what_it_is_for_and_who_eats_it_is_not_judged(ask, tmp_path):
    ground = np.full((180, 320, 3), GROUND, np.uint8)
    for text, place in (("Trout", (20, 80)), ("16.90", (200, 80)), ("Soup", (20, 140)), ("5.50", (200, 140))):
        cv2.putText(ground, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.9, WHITE, 2, cv2.LINE_AA)
    path = encode(tmp_path / "menu.mp4", [ground] * 25)
    found = ask(path, "so how much for the trout")
    assert found.answer.startswith('"Trout 16.90" (on screen from 0:00.000 to 0:01.000')
    assert found.confidence > 0.5
    for question in ("who eats the trout", "how many trout swim in the pond", "is the soup still hot"):
        assert ask(path, question).status == "cannot_judge"
