"""An answer in a notebook: its words, places and frames, whatever they hold."""

from __future__ import annotations

import base64
import dataclasses
import re
from html.parser import HTMLParser

from tests.serve.answers import ANSWER, INFO, PARTIAL
from vidagent.types import Evidence, Part, Span


class Page(HTMLParser):
    """Reads a page: its tags, the words between them, and the sources of its pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name == "src"]

    def handle_data(self, data):
        self.words.append(data)


def shown(**changes) -> Page:
    return Page(dataclasses.replace(ANSWER, **changes)._repr_html_())


def test_the_words_the_places_and_the_frame_are_in_the_page(tmp_path):
    frame = tmp_path / "frame.jpg"
    frame.write_bytes(b"\xff\xd8 a picture")
    evidence = (Evidence(37.48, "SALE is in the picture", "supported", str(frame)),)
    page = shown(evidence=evidence)
    words = " ".join(page.words)
    assert "'SALE' is shown from 0:37.480 to 0:37.880." in words
    assert "answered, sure 0.90" in words
    assert "0:37.480 to 0:37.880" in page.words
    assert re.search(r"0:37\.480\s+supported\s*: SALE is in the picture", words)
    (source,) = page.sources
    assert base64.b64decode(source.removeprefix("data:image/jpeg;base64,")) == frame.read_bytes()


def test_a_frame_that_is_gone_or_is_no_picture_is_left_out(tmp_path):
    secret = tmp_path / "key.txt"
    secret.write_text("secret")
    evidence = tuple(Evidence(1.0, "there", "partial", path) for path in ("/no/frame.jpg", str(secret), None))
    page = shown(evidence=evidence)
    assert page.sources == []
    assert page.words.count(": there") == 3


def test_words_are_escaped():
    nasty = "<script>alert(1)</script>\n<img src=x onerror=alert(1)> \x1b[2J \u202e"
    part = Part(1.0, 2.0, nasty, "supported")
    page = shown(answer=nasty, model=nasty, parts=(part,), evidence=(Evidence(1.0, nasty, "partial"),))
    assert not {"script", "img"} & set(page.tags)
    assert "\x1b" not in "".join(page.words)
    assert "\u202e" not in "".join(page.words)


def test_a_count_a_budget_and_several_videos_are_told():
    two = (INFO, dataclasses.replace(INFO, path="/films/other.mp4"))
    page = shown(
        status="partial",
        count=3,
        budget=PARTIAL.budget,
        videos=two,
        spans=(Span(1, 1, 0), Span(3661, 3662, 1)),
    )
    assert "partial, sure 0.90, count 3, the frames budget ended the run" in page.words
    assert {"clip.mp4 0:01.000", "other.mp4 1:01:01.000 to 1:01:02.000"} <= set(page.words)
