"""Videos for the benchmarks of speed: moving footage of any size and length, joined from a few drawn scenes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import cv2

from benchmarks.long_video import FPS, Picture, encode, join
from benchmarks.needle_footage import scene
from benchmarks.speed.turns import Setting

_SCENES = 6


def subject(setting: Setting) -> Path:
    """Return the video of a setting: the one given, or one drawn for it."""
    return setting.video or drawn(setting.folder, setting.length_s, setting.size_wh)


def drawn(folder: Path, length_s: float, size_wh: tuple[int, int]) -> Path:
    """Return a video at least so long, which is drawn if it is not there; its scenes are kept for the next one."""
    width, height = size_wh
    path = folder / f"{width}x{height}-{length_s:g}s.mp4"
    if path.exists():
        return path
    parts, frames = [], 0
    for number in cycle(range(_SCENES)):
        part = folder / f"scene{number}-{width}x{height}.mp4"
        if not part.exists():
            encode(_scaled(number, size_wh), part)
        parts.append((part, scene(number).frames))
        frames += parts[-1][1]
        if frames >= length_s * FPS:
            break
    join(parts, path)
    return path


def _scaled(number: int, size_wh: tuple[int, int]) -> Iterator[Picture]:
    for rgb in scene(number).pictures():
        yield cv2.resize(rgb, size_wh, interpolation=cv2.INTER_CUBIC)
