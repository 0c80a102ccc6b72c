"""Pictures with a known truth: drawn ones, and frames of the real videos, all as JPEG a model would get."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vidagent.video.texts.reader import TextReader

Rgb = NDArray[np.uint8]


def _jpeg(rgb: Rgb, quality: int = 90) -> Rgb:
    _, data = cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1])


@pytest.fixture(scope="session")
def jpeg() -> Callable[..., Rgb]:
    """Return a picture as it is after JPEG."""
    return _jpeg


@pytest.fixture(scope="session")
def busy() -> Callable[..., Rgb]:
    """Return a picture full of soft coloured spots, different for each seed."""

    def draw(seed: int, width: int = 640, height: int = 360) -> Rgb:
        spots = np.random.default_rng(seed).integers(20, 200, (height // 30, width // 30, 3), dtype=np.uint8)
        return cv2.resize(spots, (width, height), interpolation=cv2.INTER_CUBIC)

    return draw


@pytest.fixture(scope="session")
def reader() -> TextReader:
    """Return one reader for all tests: its models take half a second to load."""
    return TextReader()


@pytest.fixture(scope="session")
def frame_of(videos: Path) -> Callable[[str, float], Rgb]:
    """Return the frame of a real video that is on the screen at a time."""

    def frame(name: str, time_s: float) -> Rgb:
        with av.open(str(videos / name)) as container:
            stream = container.streams.video[0]
            start_s = float((stream.start_time or 0) * stream.time_base)
            container.seek(int((time_s + start_s) * av.time_base))
            shown = None
            for decoded in container.decode(stream):
                if shown is not None and decoded.time - start_s > time_s:
                    break
                shown = decoded
            return _jpeg(shown.to_ndarray(format="rgb24"))

    return frame
