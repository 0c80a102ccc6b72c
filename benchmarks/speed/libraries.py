"""Frames at given times by the libraries that decode videos, each used the way its documents say."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import subprocess
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Way = Callable[[Path, Sequence[float], tuple[int, int]], list[Picture]]
"""Opens a file and returns its frames at times that are those of frames, in order, at a size."""

_NEAR_S = 0.002
_FORWARD_S = 1.0
"""A time this little ahead is reached by decoding on."""


def installed() -> dict[str, Way]:
    """Return the ways of the libraries that are there, by name and version."""
    ways = {
        f"PyAV {version('av')}": lambda *asked: _pyav(*asked, threads="SLICE"),
        f"PyAV {version('av')}, frame threads": lambda *asked: _pyav(*asked, threads="FRAME"),
        f"OpenCV {cv2.__version__}": _opencv,
    }
    for module, way in (("decord", _decord), ("torchcodec", _torchcodec)):
        with contextlib.suppress(ImportError, OSError, RuntimeError):
            importlib.import_module(module)
            ways[f"{module} {version(module)}"] = way
    if importlib.util.find_spec("imageio_ffmpeg"):
        ways["ffmpeg CLI"] = _ffmpeg
    return ways


def _pyav(path: Path, times_s: Sequence[float], size_wh: tuple[int, int], *, threads: str) -> list[Picture]:
    found: list[Picture] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = threads
        start_s = (container.start_time or 0) / av.time_base
        frames: Iterator[av.VideoFrame] = iter(())
        at_s = -np.inf
        for time_s in times_s:
            if not at_s < time_s <= at_s + _FORWARD_S:
                assert stream.time_base is not None
                container.seek(int((time_s + start_s + _NEAR_S) / stream.time_base), stream=stream)
                frames = container.decode(stream)
            for frame in frames:
                at_s = float(frame.time or 0.0) - start_s
                if at_s >= time_s - _NEAR_S:
                    small = frame.reformat(width=size_wh[0], height=size_wh[1], format="rgb24")
                    found.append(small.to_ndarray())
                    break
    return found


def _decord(path: Path, times_s: Sequence[float], size_wh: tuple[int, int]) -> list[Picture]:
    decord: Any = importlib.import_module("decord")
    reader = decord.VideoReader(str(path), width=size_wh[0], height=size_wh[1])
    starts_s = reader.get_frame_timestamp(range(len(reader)))[:, 0]
    places = np.searchsorted(starts_s, np.array(times_s) + _NEAR_S) - 1
    return list(reader.get_batch(places).asnumpy())


def _torchcodec(path: Path, times_s: Sequence[float], size_wh: tuple[int, int]) -> list[Picture]:
    decoders: Any = importlib.import_module("torchcodec.decoders")
    decoder = decoders.VideoDecoder(str(path), dimension_order="NHWC", seek_mode="exact")
    shown = decoder.get_frames_played_at([time_s + _NEAR_S for time_s in times_s]).data.numpy()
    return [_scaled(rgb, size_wh) for rgb in shown]


def _opencv(path: Path, times_s: Sequence[float], size_wh: tuple[int, int]) -> list[Picture]:
    capture = cv2.VideoCapture(str(path))
    fps = capture.get(cv2.CAP_PROP_FPS)
    found: list[Picture] = []
    for time_s in times_s:
        capture.set(cv2.CAP_PROP_POS_FRAMES, round(time_s * fps))
        done, bgr = capture.read()
        if done:
            found.append(_scaled(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), size_wh))
    capture.release()
    return found


def _ffmpeg(path: Path, times_s: Sequence[float], size_wh: tuple[int, int]) -> list[Picture]:
    ffmpeg = importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()
    found: list[Picture] = []
    for group in _groups(times_s):
        wanted = "+".join(f"between(t\\,{t - _NEAR_S:.4f}\\,{t + _NEAR_S:.4f})" for t in group)
        filters = f"select={wanted},scale={size_wh[0]}:{size_wh[1]}"
        command = [
            ffmpeg,
            "-v",
            "error",
            "-copyts",
            "-ss",
            f"{max(0.0, group[0] - _NEAR_S):.4f}",
            "-i",
            str(path),
        ]
        command += ["-vf", filters, "-frames:v", str(len(group)), "-fps_mode", "passthrough"]
        command += ["-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
        data = subprocess.run(command, capture_output=True, check=True).stdout
        found.extend(np.frombuffer(data, np.uint8).reshape(-1, size_wh[1], size_wh[0], 3))
    return found


def _groups(times_s: Sequence[float]) -> Iterator[list[float]]:
    """Yield runs of times that lie near each other; the command is started once for each."""
    group: list[float] = []
    for time_s in times_s:
        if group and time_s > group[-1] + _FORWARD_S:
            yield group
            group = []
        group.append(time_s)
    yield group


def _scaled(rgb: Any, size_wh: tuple[int, int]) -> Picture:  # noqa: ANN401 - arrays of three libraries
    return np.asarray(cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
