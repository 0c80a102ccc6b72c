"""Lines of strokes that may be text: what must be found, and what is too plain to be read."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vidagent.video.texts.lines import around, covered, text_lines

WHOLE = (0, 0, 1280, 720)


def ground(level=60):
    return np.full((720, 1280), level, np.uint8)


def write(grey, text, at, scale, level=240):
    cv2.putText(grey, text, at, cv2.FONT_HERSHEY_DUPLEX, scale, level, 1 + round(scale), cv2.LINE_AA)


@pytest.mark.parametrize("scale", [0.4, 0.7, 1.2, 2.4, 4.0])
@pytest.mark.parametrize("level", [240, 10])
def test_a_text_of_any_size_is_one_line(scale, level):
    grey = ground(120)
    write(grey, "Gate 7 open", (60, 300), scale, level)
    (wide, high), _ = cv2.getTextSize("Gate 7 open", cv2.FONT_HERSHEY_DUPLEX, scale, 1 + round(scale))
    line, *pieces = text_lines(grey, WHOLE)
    assert all(piece.strokes < line.strokes / 2 for piece in pieces)  # such as the upper half of a letter
    assert covered((60, 300 - high, 60 + wide, 300), line.box) > 0.5  # the box may be as high as an x
    assert line.box[2] - line.box[0] > 0.9 * wide
    assert covered(line.box, (50, 290 - high, 70 + wide, 312 + high // 2)) > 0.95


def test_lines_below_each_other_are_told_apart_and_words_of_a_line_are_not():
    grey = ground()
    for row in range(5):
        write(grey, f"line number {row}", (100, 100 + 60 * row), 1.0)
    lines = text_lines(grey, WHOLE)
    assert len(lines) == 5
    assert all(line.box[2] - line.box[0] > 150 for line in lines)


def test_only_the_part_asked_about_is_searched():
    grey = ground()
    write(grey, "here", (100, 100), 1.0)
    write(grey, "there", (900, 600), 1.0)
    (line,) = text_lines(grey, (0, 0, 640, 360))
    assert line.box[2] < 640


def test_shapes_edges_and_long_strokes_are_no_text():
    grey = ground()
    cv2.circle(grey, (300, 300), 90, 200, -1)
    cv2.rectangle(grey, (600, 100), (1100, 400), 150, -1)
    for row in range(5):
        cv2.line(grey, (40, 500 + 30 * row), (400, 506 + 30 * row), 180, 3)
    grey = cv2.add(grey, np.linspace(0, 50, 1280).astype(np.uint8)[None, :].repeat(720, 0))
    assert text_lines(grey, WHOLE) == []


def test_boxes():
    assert covered((0, 0, 10, 10), (5, 0, 20, 10)) == 0.5
    assert covered((0, 0, 10, 10), (20, 20, 30, 30)) == 0.0
    assert around([(0, 5, 10, 10), (3, 0, 30, 8)]) == (0, 0, 30, 10)
