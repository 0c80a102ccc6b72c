"""The drawn videos of `benchmarks.wordings`: slides, credits, a chart, a shop, a terminal, a road sign, a quiz."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

FPS = 25
WH = (960, 540)
Rgb = NDArray[np.uint8]
Line = tuple[float, float, str, int, int, float]
"""A text: start and end in seconds, the words, left and baseline in pixels, and its scale."""

DRAWN: dict[str, dict[str, Any]] = {
    "slides.mp4": {
        "seconds": 20,
        "ground": (250, 250, 250),
        "ink": (20, 20, 60),
        "lines": [
            (0, 6, "Deep Sea Currents", 80, 120, 2.0),
            (0, 6, "Dr. Lena Hofmann", 80, 220, 1.0),
            (0, 6, "Coastal Institute", 80, 280, 1.0),
            (6, 13, "Methods", 80, 100, 1.8),
            (6, 13, "12 buoys, 48 sensors", 80, 220, 1.0),
            (6, 13, "sampled every 15 minutes", 80, 280, 1.0),
            (13, 20, "Thank you", 80, 140, 2.0),
            (13, 20, "www.coastal-data.org/currents", 80, 260, 1.0),
            (13, 20, "lena@coastal-data.org", 80, 320, 1.0),
            (0, 6, "page 1", 840, 520, 0.6),
            (6, 13, "page 2", 840, 520, 0.6),
            (13, 20, "page 3", 840, 520, 0.6),
        ],
    },
    "shop.mp4": {
        "seconds": 15,
        "ground": (235, 240, 235),
        "ink": (30, 60, 30),
        "lines": [
            (0, 15, "Green Grocer", 60, 80, 1.6),
            (2, 9, "Apples $3.20", 100, 220, 1.1),
            (2, 9, "Pears $4.75", 100, 290, 1.1),
            (9, 15, "Sale ends 31/12/2025", 100, 240, 1.2),
            (11, 15, "Order number 80417", 100, 330, 1.0),
        ],
    },
    "terminal.mp4": {
        "seconds": 14,
        "ground": (15, 15, 20),
        "ink": (200, 230, 200),
        "lines": [
            (0, 14, "user@host project", 20, 40, 0.8),
            (2, 14, "make install", 20, 90, 0.8),
            (4, 14, "copying settings.toml", 20, 140, 0.8),
            (6, 10, "Error 137 out of memory", 20, 190, 0.8),
            (10, 14, "Build finished in 42 s", 20, 240, 0.8),
            (0, 14, "version 2.14.1", 720, 520, 0.7),
        ],
    },
    "credits.mp4": {
        "seconds": 18,
        "ground": (0, 0, 0),
        "ink": (240, 240, 240),
        "lines": [
            (1, 5, "THE LONG HARVEST", 200, 280, 1.6),
            (7, 10, "Directed by Ines Moreau", 200, 280, 1.1),
            (10, 13, "Music by Otto Brandt", 200, 280, 1.1),
            (14, 18, "Filmed in Norway 2019", 200, 280, 1.1),
        ],
    },
    "quiz.mp4": {
        "seconds": 16,
        "ground": (40, 40, 110),
        "ink": (255, 255, 255),
        "lines": [
            (0, 8, "Question 7", 80, 90, 1.6),
            (1, 8, "Which river runs through Lisbon?", 80, 200, 1.0),
            (8, 12, "Tagus", 300, 300, 2.2),
            (12, 16, "Score 350", 80, 120, 1.6),
            (3, 4, "GO", 800, 500, 1.4),
            (6, 7, "GO", 800, 500, 1.4),
            (10, 11, "GO", 800, 500, 1.4),
        ],
    },
    "plain.mp4": {"seconds": 8, "ground": (90, 120, 150), "ink": (0, 0, 0), "lines": []},
}


def pictures(spec: dict[str, Any]) -> Iterator[Rgb]:
    """Yield the frames; a small ball moves along the lower edge of each."""
    lines: list[Line] = spec["lines"]
    for number in range(spec["seconds"] * FPS):
        picture = np.full((WH[1], WH[0], 3), spec["ground"], np.uint8)
        cv2.circle(picture, (40 + number % 600, 460), 14, (180, 90, 60), -1)
        for start_s, end_s, text, left, base, scale in lines:
            if start_s <= number / FPS < end_s:
                thick = 1 if scale < 0.9 else 2
                cv2.putText(
                    picture,
                    text,
                    (left, base),
                    cv2.FONT_HERSHEY_DUPLEX,
                    scale,
                    spec["ink"],
                    thick,
                    cv2.LINE_AA,
                )
        yield picture


def draw(path: Path) -> None:
    """Draw a video of `DRAWN`, unless it is there."""
    if path.exists():
        return
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *WH, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "22"}
        for picture in pictures(DRAWN[path.name]):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())
