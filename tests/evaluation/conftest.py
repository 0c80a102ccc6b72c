"""A drawn clip under any names, and a model that answers as a test says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from tests.scripted_server import block_of, refusal, says
from tests.serve.conftest import command

__all__ = ["command"]

FILES = Path(__file__).with_name("files")


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    """Draw 3 s at 5 fps; from 1.2 s to 1.8 s there is a text."""
    path = tmp_path_factory.mktemp("drawn") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(15):
            picture = np.full((180, 320, 3), 70, np.uint8)
            cv2.circle(picture, (10 + 15 * number, 150), 10, (200, 120, 40), -1)
            if 6 <= number < 9:
                cv2.putText(picture, "PIER 9", (60, 90), cv2.FONT_HERSHEY_DUPLEX, 1.5, (255, 255, 255), 2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    return path


@pytest.fixture
def shelf(clip, tmp_path) -> Callable[..., Path]:
    """Return a function that makes a folder of videos with these names."""

    def make(*names: str) -> Path:
        folder = tmp_path / "videos"
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, path)
        return folder

    return make


def answering(replies: Mapping[str, Mapping[str, Any] | None]) -> Callable[[dict[str, Any]], Any]:
    """Return a script that answers a question by the words in it; None is a refusal."""

    def script(body: dict[str, Any]) -> Any:
        asked = block_of(body, "question")
        ((reply),) = [reply for words, reply in replies.items() if words in asked]
        if reply is None:
            return refusal(400, "no such picture")
        empty = {
            "answer": "so it is",
            "found": True,
            "choice": None,
            "start_s": None,
            "end_s": None,
            "count": None,
        }
        return says(json.dumps({**empty, **reply}))

    return script
