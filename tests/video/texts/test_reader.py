"""Reading text: drawn texts of many looks, the texts of the real videos, and what is remembered."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest

from vidagent.agents.signals.language.matching import find
from vidagent.agents.signals.model import ChatSignals
from vidagent.video.texts.reader import TextLine, TextReader, paragraphs, shared_reader
from vidagent.video.texts.track import plain as normal

WHITE = (255, 255, 255)


def write(rgb, text, at, capital_px, colour=WHITE, *, outline=None):
    scale, thick = capital_px / 22, max(1, round(capital_px / 9))
    if outline is not None:
        rim = thick + max(2, capital_px // 6)
        cv2.putText(rgb, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, outline, rim, cv2.LINE_AA)
    cv2.putText(rgb, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thick, cv2.LINE_AA)
    return rgb


def plain(level=60, width=640, height=360):
    return np.full((height, width, 3), level, np.uint8)


def said(lines):
    return [normal(line.text) for line in lines]


@pytest.mark.parametrize(
    ("capital_px", "outline", "colour"),
    [
        (60, (0, 0, 0), WHITE),
        (40, (0, 0, 0), (255, 220, 0)),
        (30, None, WHITE),
        (90, (20, 20, 20), (255, 80, 80)),
    ],
)
def test_reads_drawn_text_over_a_busy_picture(reader, busy, jpeg, capital_px, outline, colour):
    picture = jpeg(write(busy(capital_px), "ORCHID", (60, 220), capital_px, colour, outline=outline))
    lines = reader.read(picture)
    assert "orchid" in said(lines)


def test_the_box_lies_round_the_text_in_pixels_of_the_picture(reader, jpeg):
    picture = jpeg(write(plain(), "LANTERN 42", (300, 300), 22))
    (line,) = reader.read(picture)
    (width, height), _ = cv2.getTextSize("LANTERN 42", cv2.FONT_HERSHEY_SIMPLEX, 1.0, 2)
    truth = np.array([300, 300 - height, 300 + width, 300])
    assert np.abs(np.array(line.box) - truth).max() <= 12


def test_reads_small_text_in_a_large_picture(reader, jpeg):
    picture = jpeg(write(plain(width=1280, height=720), "Gate B12 closes 08:45", (900, 690), 14))
    assert "gateb12closes0845" in "".join(said(reader.read(picture)))


@pytest.mark.parametrize("capital_px", [6, 8, 11])
def test_reads_a_tiny_crop_by_enlarging_it(reader, jpeg, capital_px):
    picture = jpeg(write(plain(20, 150, 40), "Copper tunnel", (12, 26), capital_px))
    (line,) = reader.read(picture)
    assert normal(line.text) == "coppertunnel"
    assert 0 <= line.box[0] < line.box[2] <= 150
    assert 0 <= line.box[1] < line.box[3] <= 40


def test_finds_nothing_where_there_is_no_text(reader, busy, jpeg):
    assert reader.read(plain()) == []
    assert [line for line in reader.read(jpeg(busy(3))) if len(line.text) > 2] == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 400, 3), (400, 3, 3), (17, 23, 3)])
def test_odd_pictures_are_no_error(reader, shape):
    assert reader.read(np.zeros(shape, np.uint8)) == []


def test_a_picture_is_read_once(jpeg, monkeypatch):
    reader, calls = TextReader(remembered=2), []
    read = reader._recognise
    monkeypatch.setattr(reader, "_recognise", lambda rgb: calls.append(1) or read(rgb))
    picture = jpeg(write(plain(), "ORCHID 7421", (60, 200), 20))
    first = reader.read(picture)
    first.clear()
    assert said(reader.read(picture.copy())) == ["orchid7421"]
    assert len(calls) == 1


@pytest.mark.parametrize("contrast", [25, 60, 150])
def test_a_small_change_of_text_is_read_again(reader, jpeg, contrast):
    colour = (80 + contrast,) * 3
    old = jpeg(write(plain(80), "ORCHID 7421", (60, 200), 9, colour))
    new = jpeg(write(plain(80), "ORCHID 7427", (60, 200), 9, colour))
    assert normal(reader.read(old)[0].text) == "orchid7421"
    assert normal(reader.read(new)[0].text) == "orchid7427"


def test_noise_is_not_read_again(jpeg, monkeypatch):
    reader, calls = TextReader(), []
    monkeypatch.setattr(reader, "_recognise", lambda rgb: calls.append(1) or ())
    rng = np.random.default_rng(0)
    for _ in range(3):
        reader.read(plain() + rng.integers(0, 3, (360, 640, 3), dtype=np.uint8))
    assert len(calls) == 1


def test_a_slow_fade_is_read_again_and_again(monkeypatch):
    reader, calls = TextReader(), []
    monkeypatch.setattr(reader, "_recognise", lambda rgb: calls.append(1) or ())
    for level in range(0, 100, 2):
        reader.read(write(plain(), "ORCHID", (60, 200), 40, (60 + level,) * 3))
    assert len(calls) > 10


def test_one_reader_serves_many_threads(reader, busy, jpeg):
    pictures = [
        jpeg(write(plain(30 * i), f"PAUSE {i}{i}", (60, 200), 30, outline=(0, 0, 0))) for i in range(4)
    ]
    read = {}
    threads = [
        threading.Thread(target=lambda i=i: read.update({i: reader.read(pictures[i % 4])})) for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {i: "".join(said(lines)) for i, lines in read.items()} == {
        i: f"pause{i % 4}{i % 4}" for i in range(8)
    }


def test_paragraphs_join_what_is_read_on():
    above = TextLine("a contagious energy, much like", (100, 50, 400, 75), 1.0)
    below = TextLine("beacon of the lighthouse", (120, 78, 380, 103), 1.0)
    beside = TextLine("behind you.", (390, 79, 520, 103), 1.0)
    title = TextLine("Title", (100, 4, 400, 46), 1.0)
    far = TextLine("Recents", (100, 300, 200, 325), 1.0)
    groups = paragraphs([far, beside, below, title, above])
    assert groups == [[title], [above, below, beside], [far]] or groups == [
        [title, above, below, beside],
        [far],
    ]
    assert paragraphs([]) == []


@pytest.mark.videos
@pytest.mark.parametrize(
    ("video", "time_s", "text"),
    [
        ("claymation.mp4", 25.0, "Open a new browser. Chrome fast."),
        ("gnome_launch.webm", 2.0, "Launching Applications"),
        ("gnome_launch.webm", 22.5, "Just start typing..."),
        ("gnome_launch.webm", 27.0, "help"),
        ("gnome_launch.webm", 27.0, "20:00"),
        ("compliment_bot.mp4", 1.1, "after_serialize.png"),
        ("compliment_bot.mp4", 9.5, "welcoming beacon of the lighthouse behind you."),
        ("compliment_bot.mp4", 9.5, "Upload New Headshot"),
        ("long_dev.mp4", 754.9, "after_serialize.png"),
        ("long_dev.mp4", 763.5, "beacon of the lighthouse behind you."),
    ],
)
def test_reads_the_texts_of_real_videos(reader, frame_of, video, time_s, text):
    match = find(text, reader.read(frame_of(video, time_s)))
    assert match is not None


def test_all_models_of_a_process_share_one_reader():
    assert shared_reader() is shared_reader()
    assert ChatSignals()._reader is ChatSignals()._reader
