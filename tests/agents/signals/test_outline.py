"""What the embedded model says of a whole video."""

from __future__ import annotations

import re

import pytest

from vidagent import analyze_video
from vidagent.agents.signals.planning.texts import Text
from vidagent.agents.signals.planning.video_facts import is_legible


@pytest.mark.parametrize("question", ["What happens in this video?", "Summarise this video with timestamps."])
def test_it_tells_length_shots_and_movement_in_words(clip, question):
    found = analyze_video(clip("h264").path, question, model="signals")
    assert found.status == "answered"
    assert re.match(r"It is 8\.000 s long", found.answer)
    assert re.search(r"; it has \d+ shots?; it changes most at \d+\.\d-\d+\.\d s", found.answer)
    assert "vision-language model" in found.answer


@pytest.mark.parametrize(
    ("text", "sure", "told"),
    [
        ("Open a new browser.", 0.99, True),
        ("20:00", 1.0, True),
        ("出口", 0.95, True),
        ("Just start typing.", 0.7, False),
        ("台", 0.97, False),
        ("8出", 0.92, False),
        ("vn", 0.9, False),
        ("1", 0.94, False),
        ("。.〜~", 0.9, False),
    ],
)
def test_it_tells_texts_that_read_as_words(text, sure, told):
    assert is_legible(Text(1.0, 2.0, text, (0, 0, 100, 30), sure)) is told
