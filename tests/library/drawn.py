"""Drawn videos for libraries: a colour for each second, and subtitles beside the file."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.embedding_server import COLOURS

RATE = 5


def paint(path: Path, colours: Sequence[str], said: Sequence[tuple[float, float, str]] = ()) -> Path:
    """Write a video of 2 s of each colour, and an .srt file of what is said."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(2 * RATE * len(colours)):
            rgb = COLOURS[colours[number // (2 * RATE)]]
            picture = np.full((64, 96, 3), rgb, np.uint8)
            picture[:8, :8] = number % 200
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    if said:
        path.with_suffix(".srt").write_text(
            "\n\n".join(
                f"{number}\n{_clock(start_s)} --> {_clock(end_s)}\n{text}"
                for number, (start_s, end_s, text) in enumerate(said, 1)
            ),
            "utf-8",
        )
    return path


def _clock(at_s: float) -> str:
    ms = round(at_s * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"
