"""Runs of a scripted model over a clip of 8 s, and a reader of the pages that they leave."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import vidagent
from tests.media.make import CLIPS
from tests.scripted_server import ScriptedServer
from vidagent.images import jpeg
from vidagent.types import Answer

_VOID = {"br", "img", "meta"}


class Page(HTMLParser):
    """A report, read as a browser reads it.

    Attributes:
        text: The document as it was written.
        tags: Every element with its attributes, in order.
        words: All text that is shown, by the tag it stands in.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.text = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.parts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(self.text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open:
            self.parts.append((self._open[-1], data))

    @property
    def words(self) -> str:
        """All text but the style."""
        return " ".join(text for tag, text in self.parts if tag != "style")

    def all(self, tag: str, class_: str | None = None) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a kind."""
        return [
            attrs
            for name, attrs in self.tags
            if name == tag and (class_ is None or class_ in (attrs.get("class") or "").split())
        ]

    def pictures(self) -> list[tuple[str, NDArray[np.uint8]]]:
        """Return every picture with its alt text."""
        shown = []
        for img in self.all("img"):
            head, data = (img["src"] or "").split(",")
            assert head == "data:image/jpeg;base64"
            rgb = jpeg.decode(base64.b64decode(data, validate=True))
            assert rgb.shape[:2] == (int(img["height"] or 0), int(img["width"] or 0))
            shown.append((img["alt"] or "", rgb))
        return shown

    def told(self, name: str) -> str:
        """Return what stands behind a name in the list at the page's foot."""
        match = re.search(rf"<dt>{name}</dt><dd>(.*?)</dd>", self.text)
        assert match is not None
        return re.sub(r"<[^>]+>", "", match[1])


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the function from a name in `CLIPS` to its path."""
    folder, made = tmp_path_factory.mktemp("clips"), {}

    def make(name: str) -> Path:
        if name not in made:
            made[name] = CLIPS[name](folder).path
        return made[name]

    return make


@pytest.fixture
def ask(clip, tmp_path: Path) -> Callable[..., Answer]:
    """Return the function that asks a scripted model, with few frames for speed."""

    def run(script: Any, question: str = "When is it seen?", **options: Any) -> Answer:
        (tmp_path / "few.toml").write_text("frames_per_call = 6\noverview_frames = 9\n")
        with ScriptedServer(script) as server, pytest.MonkeyPatch.context() as patch:
            patch.setenv("VIDAGENT_PROFILE", str(tmp_path / "few.toml"))
            path = options.pop("path", None) or clip("h264")
            return vidagent.analyze_video(path, question, base_url=server.url, model="scripted", **options)

    return run
