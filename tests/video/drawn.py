"""A drawn clip of which it is known when it is busy, when still, where it is cut, and when a text is shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from vidagent.types import Span

FPS = 25


@dataclass(frozen=True)
class Drawn:
    """The clip and the truth about it."""

    path: Path
    duration_s: float
    cuts_s: tuple[float, ...]
    still: Span
    busy: Span
    text: Span


def draw(folder: Path) -> Drawn:
    """Encode the clip, 320x180 with one keyframe at its beginning and at most a few more."""
    cuts_s = (4.0, 9.0, 12.0)
    still, busy, text = Span(4.0, 9.0), Span(9.0, 12.0), Span(13.0, 13.6)
    drawn = Drawn(folder / "drawn.mp4", 16.0, cuts_s, still, busy, text)
    rng = np.random.default_rng(3)
    with av.open(str(drawn.path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "23", "bf": "2", "g": "250"}
        for number in range(round(drawn.duration_s * FPS)):
            picture = _picture(drawn, number, rng)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())
    return drawn


def _picture(drawn: Drawn, number: int, rng: np.random.Generator) -> np.ndarray:
    time_s = number / FPS
    shot = sum(time_s >= cut for cut in drawn.cuts_s)
    picture = np.full(
        (180, 320, 3), [(40, 60, 90), (200, 196, 180), (90, 90, 90), (20, 40, 30)][shot], np.uint8
    )
    if shot in {0, 3}:
        cv2.circle(picture, (20 + 3 * number % 280, 150), 16, (210, 160, 60), -1, cv2.LINE_AA)
    if shot == 2:
        picture = rng.integers(160, 180, picture.shape, dtype=np.uint8)
    if drawn.text.start_s <= time_s < drawn.text.end_s:
        cv2.putText(
            picture, "PIER 94", (60, 60), cv2.FONT_HERSHEY_DUPLEX, 1.2, (250, 250, 250), 2, cv2.LINE_AA
        )
    return picture
