"""Colours by name: single ones, whole pictures and grounds of text."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vidagent.agents.signals.vision.colours import COLOUR_NAMES, background_of, dominant

NAMED = {
    "black": [(0, 0, 0), (20, 20, 25), (35, 35, 35)],
    "white": [(255, 255, 255), (245, 245, 245), (250, 248, 235), (245, 245, 220)],
    "grey": [(128, 128, 128), (90, 92, 95), (190, 190, 195), (112, 128, 144)],
    "red": [(255, 0, 0), (200, 30, 40), (139, 0, 0), (220, 20, 60), (178, 34, 34)],
    "orange": [(255, 165, 0), (255, 127, 0), (230, 120, 30)],
    "yellow": [(255, 255, 0), (240, 220, 40), (255, 215, 0), (255, 240, 120)],
    "green": [(0, 255, 0), (0, 128, 0), (0, 100, 0), (60, 180, 75), (144, 238, 144), (128, 128, 0)],
    "blue": [(0, 0, 255), (0, 0, 128), (30, 144, 255), (70, 130, 180), (0, 255, 255), (135, 206, 235)],
    "purple": [(128, 0, 128), (75, 0, 130), (148, 0, 211), (120, 60, 160)],
    "pink": [(255, 192, 203), (255, 105, 180), (255, 20, 147), (255, 0, 255), (250, 128, 114)],
    "brown": [(139, 69, 19), (101, 67, 33), (150, 75, 0), (92, 51, 23), (160, 82, 45)],
}


def filled(rgb, width=320, height=180):
    return np.full((height, width, 3), rgb, np.uint8)


def test_there_are_eleven_names():
    assert len(COLOUR_NAMES) == len(set(COLOUR_NAMES)) == 11
    assert set(NAMED) == set(COLOUR_NAMES)


@pytest.mark.parametrize(("name", "rgb"), [(name, rgb) for name, colours in NAMED.items() for rgb in colours])
def test_names_single_colours(name, rgb):
    assert dominant(filled(rgb, 4, 4)).name == name


@pytest.mark.parametrize("name", COLOUR_NAMES)
def test_a_filled_picture_after_jpeg(jpeg, name):
    fill = dominant(jpeg(filled(NAMED[name][0]), quality=70))
    assert fill.name == name
    assert fill.fraction > 0.99
    assert np.abs(np.array(fill.rgb) - NAMED[name][0]).max() <= 4


def test_the_commonest_colour_and_its_part(jpeg):
    picture = filled((255, 0, 0))
    picture[:60] = (0, 0, 255)
    assert dominant(jpeg(picture)).name == "red"
    assert dominant(jpeg(picture)).fraction == pytest.approx(2 / 3, abs=0.02)
    assert dominant(jpeg(picture), (0, 0, 320, 50)).name == "blue"


@pytest.mark.parametrize(
    ("ground", "ink", "name"),
    [
        ((0, 140, 60), (255, 255, 255), "green"),
        ((255, 255, 255), (0, 0, 0), "white"),
        ((20, 60, 200), (255, 230, 0), "blue"),
    ],
)
def test_the_ground_of_a_text_on_a_button(busy, jpeg, ground, ink, name):
    picture = cv2.rectangle(busy(1), (200, 100), (440, 150), ground, -1)
    cv2.putText(picture, "Upload", (225, 137), cv2.FONT_HERSHEY_SIMPLEX, 1.2, ink, 5, cv2.LINE_AA)
    assert background_of(jpeg(picture), (222, 106, 372, 144)) == name


@pytest.mark.parametrize(
    "box", [(-5, -5, 3, 3), (318, 178, 400, 300), (10, 10, 10, 10), (500, 500, 600, 600)]
)
def test_boxes_over_the_edge_are_clamped(box):
    assert background_of(filled((255, 0, 0)), box) == "red"
    assert dominant(filled((255, 0, 0)), box).name == "red"


@pytest.mark.videos
def test_real_grounds(reader, frame_of):
    bot = frame_of("compliment_bot.mp4", 9.5)
    grounds = {line.text: background_of(bot, line.box) for line in reader.read(bot)}
    assert [text for text, colour in grounds.items() if colour == "green"] == ["Upload New Headshot"]
    assert dominant(frame_of("greenwall_man.mp4", 5.0)).name == "green"
    assert dominant(frame_of("claymation.mp4", 25.0)).name == "white"
