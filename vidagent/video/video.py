"""An opened video, decoded in a separate process: the rest of the package reads videos through it."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
from numpy.typing import NDArray

from vidagent.errors import UsageError, VideoError
from vidagent.types import Box, VideoInfo
from vidagent.video.content import Content, KnownFiles, content_of
from vidagent.video.decoders.base import DECODERS, DecoderName, Snap
from vidagent.video.frame import Frame, fit_wh
from vidagent.video.index.scan import Scan, from_json
from vidagent.video.index.subtitles import sidecars
from vidagent.video.packets import Packets
from vidagent.video.process.client import Limits, Process
from vidagent.video.sound import MOST_S
from vidagent.video.source import check
from vidagent.video.texts.candidates import Candidates

LOG = logging.getLogger(__name__)
_DEFAULT_LIMITS = Limits()
_EXACT_SCAN_S = 1200.0
"""Videos up to this long are scanned frame by frame; for longer ones, reference pictures suffice, except for texts."""


class Video:
    """One video, its metadata, and its pictures by time; created by `Video.open`.

    Times are seconds on the player's clock. Calls are thread-safe and run one at a time. If the decoding process
    dies, the running call raises `VideoError` and the next one starts a new process.

    Attributes:
        path: Absolute path of the file.
        info: Metadata from the container.
        content: What the file holds, by its hash.
        frames_decoded: Pictures decoded so far.
        stream: Number of the video stream that the caller chose, or None.
        unprotected: Protections of the decoding process that this system lacks, such as "Landlock".
    """

    path: Path
    info: VideoInfo
    content: Content
    frames_decoded: int
    stream: int | None
    unprotected: tuple[str, ...]

    def __init__(
        self,
        path: Path,
        shown: str,
        decoder: DecoderName,
        limits: Limits,
        stream: int | None,
        known: KnownFiles | None,
    ) -> None:
        """Open the file in a new process."""
        self.path = path
        self.frames_decoded = 0
        self._shown = shown
        self._decoder = decoder
        self._limits = limits
        self.stream = stream
        self._lock = threading.Lock()
        self._closed = False
        self._ending = ExitStack()
        self._process = Process(path, shown, decoder, limits, stream)
        try:
            self._process.send("open")
            self.content = content_of(path, shown, known)
            opened = self._receive(limits.open_s)[0]
        except BaseException:
            self._process.kill()
            raise
        facts = opened["info"]
        self.unprotected = tuple(map(str, opened["missing"]))
        if self.unprotected:
            _warn_once(self.unprotected)
        self._has_text_tracks = bool(facts["subtitles"])
        self.info = _info(facts, path, shown, self.content)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        decoder: str = "pyav",
        limits: Limits = _DEFAULT_LIMITS,
        stream: int | None = None,
        known: KnownFiles | None = None,
    ) -> Self:
        """Open a local video file; one of over 64 MB is hashed in the background.

        Args:
            path: Path of the file.
            decoder: One of `DECODERS`.
            limits: Resource limits of decoding.
            stream: Number of the video stream among the streams of the file; by default the one that a player shows.
            known: Files whose hashes are known, so that they need not be read again.

        Raises:
            UsageError: If there is no such decoder or it is not installed, or no video stream of that number.
            VideoError: If the file is missing, unreadable, not a video, too large, or cannot be decoded correctly
                by that decoder.
        """
        if decoder not in DECODERS:
            raise UsageError(f"decoder must be one of {', '.join(DECODERS)}; got {decoder!r}")
        name: DecoderName = next(known for known in DECODERS if known == decoder)
        return cls(check(path), os.fspath(path), name, limits, stream, known)

    def frames_at(
        self,
        times_s: Sequence[float],
        *,
        snap: Snap = "exact",
        max_side_px: int | None = None,
        box_px: Box | None = None,
    ) -> list[Frame]:
        """Return the picture a player shows at each time, in the given order.

        That is the last picture with PTS at or before the time, or the first picture if the time is earlier.

        Args:
            times_s: Seconds, finite, in any order.
            snap: `"exact"`, or `"keyframe"` for the keyframe at or before each time, with its own true time.
            max_side_px: Longest side; larger pictures are scaled down, smaller ones left.
            box_px: Part of the upright picture, cropped before scaling.

        Raises:
            UsageError: If an argument is out of range, or the pictures would take more than `limits.call_bytes`.
            VideoError: If the video cannot be decoded.
        """
        times = [float(t_s) for t_s in times_s]
        _check_finite(times)
        _check_options(snap, max_side_px)
        self._check_box(box_px)
        each = self._frame_bytes(max_side_px, box_px)
        self._check_room(len(times) * each)
        order = sorted(range(len(times)), key=times.__getitem__)
        step = max(1, self._limits.reply_bytes // each)
        found: dict[int, Frame] = {}
        for first in range(0, len(order), step):
            part = order[first : first + step]
            header, pictures = self._call(
                "frames_at",
                times_s=[times[place] for place in part],
                snap=snap,
                max_side_px=max_side_px,
                box_px=box_px,
            )
            frames = list(map(Frame, header["times_s"], pictures, header["damaged"]))
            found |= {place: frames[index] for place, index in zip(part, header["order"], strict=True)}
        return [found[place] for place in range(len(times))]

    def frames_between(
        self, start_s: float, end_s: float, *, max_side_px: int | None = None, stride: int = 1
    ) -> list[Frame]:
        """Return every `stride`-th picture whose PTS lies in `[start_s, end_s)`, in order.

        Raises:
            UsageError: If an argument is out of range, or the pictures take more than `limits.call_bytes`; `walk`
                has no such bound.
            VideoError: If the video cannot be decoded.
        """
        frames: list[Frame] = []
        size = 0
        for frame in self.walk(start_s, end_s, max_side_px=max_side_px, stride=stride):
            size += frame.rgb.nbytes
            self._check_room(size)
            frames.append(frame)
        return frames

    def walk(
        self, start_s: float, end_s: float, *, max_side_px: int | None = None, stride: int = 1
    ) -> Iterator[Frame]:
        """Yield what `frames_between` returns, fetching a bounded part at a time."""
        _check_finite([start_s, end_s])
        _check_options("exact", max_side_px)
        if stride < 1:
            raise UsageError(f"stride must be 1 or more, got {stride}")
        next_s: float | None = start_s
        while next_s is not None and next_s < end_s:
            header, pictures = self._call(
                "frames_between",
                start_s=next_s,
                end_s=end_s,
                max_side_px=max_side_px,
                stride=stride,
                max_bytes=min(self._limits.reply_bytes, self._limits.call_bytes),
            )
            yield from map(Frame, header["times_s"], pictures, header["damaged"])
            next_s = header["next_s"]

    def frame_times(self, start_s: float, end_s: float) -> NDArray[np.float64]:
        """Return the times of all pictures in `[start_s, end_s)`, sorted; nothing is decoded."""
        _check_finite([start_s, end_s])
        times: NDArray[np.float64] = self._call("frame_times", start_s=start_s, end_s=end_s)[1][0]
        return times

    def packets(self) -> Packets:
        """Return time, size and keyframe flag of every coded picture; nothing is decoded."""
        header, (times_s, sizes, keyframes) = self._call("packets")
        return Packets(times_s, sizes, keyframes, bool(header["exact_times"]))

    def subtitles(self) -> list[tuple[float, float, str]]:
        """Return the lines of the embedded text tracks as `(start_s, end_s, text)`, by start time."""
        cues = self._call("subtitles")[0]["cues"] if self._has_text_tracks else []
        return [(float(start_s), float(end_s), str(text)) for start_s, end_s, text in cues]

    def sound(self, start_s: float, end_s: float) -> NDArray[np.int16]:
        """Return the sound of `[start_s, end_s)`, 16 kHz mono; silence where there is none.

        Raises:
            UsageError: If the range is empty, or longer than `sound.MOST_S`.
            VideoError: If the sound cannot be decoded.
        """
        _check_finite([start_s, end_s])
        if not 0 < end_s - start_s <= MOST_S:
            raise UsageError(f"a stretch of sound must be up to {MOST_S:g} s long, got {end_s - start_s:g}")
        data = self._call("sound", start_s=start_s, end_s=end_s)[1][0]
        return data.view("<i2").astype(np.int16, copy=False)

    def scan(self, on_progress: Callable[[float], None] | None = None, *, texts: bool = False) -> Scan:
        """Decode the whole video once, and return what `scan.Scanner` finds in small grey pictures.

        Args:
            on_progress: Called about once a second with the fraction done.
            texts: Whether to look for what may be text, too.
        """
        exact = texts or self.info.duration_s <= _EXACT_SCAN_S  # texts come and go between reference pictures
        header, arrays = self._call(
            "scan", on_progress=on_progress, duration_s=self.info.duration_s, all_frames=exact, texts=texts
        )
        scan = from_json(header)
        return replace(scan, texts=Candidates.unpacked(header["texts"], arrays[0])) if texts else scan

    @property
    def closed(self) -> bool:
        """Whether the video was closed."""
        return self._closed

    def close(self) -> None:
        """Stop the decoding process; a call running in another thread raises `VideoError`."""
        self._closed = True
        self._process.kill()
        self._ending.close()

    def on_close(self, work: Callable[[], None]) -> None:
        """Call a function once the video is closed."""
        self._ending.callback(work)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(
        self,
        op: str,
        *,
        on_progress: Callable[[float], None] | None = None,
        **arguments: Any,  # noqa: ANN401 - JSON values
    ) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        with self._lock:
            if self._closed:
                raise VideoError(f"{self._shown}: the video was closed")
            if not self._process.alive:
                self._restart()
            self._process.send(op, **arguments)
            return self._receive(self._limits.call_s, on_progress)

    def _receive(
        self, limit_s: float, on_progress: Callable[[float], None] | None = None
    ) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        header, arrays = self._process.wait(limit_s=limit_s, on_progress=on_progress)
        self.frames_decoded += int(header["decoded"])
        return header, arrays

    def _restart(self) -> None:
        self._process.kill()
        self._process = Process(self.path, self._shown, self._decoder, self._limits, self.stream)
        self._process.send("open")
        self._receive(self._limits.open_s)

    def _frame_bytes(self, max_side_px: int | None, box_px: Box | None) -> int:
        size_wh = (self.info.width, self.info.height)
        if box_px is not None:
            size_wh = (box_px[2] - box_px[0], box_px[3] - box_px[1])
        return 3 * math.prod(fit_wh(size_wh, max_side_px))

    def _check_room(self, size: int) -> None:
        if size > self._limits.call_bytes:
            raise UsageError(
                f"the pictures asked for take {size / 1e6:.0f} MB, and one call returns at most "
                f"{self._limits.call_bytes / 1e6:.0f} MB: ask for fewer or smaller ones"
            )

    def _check_box(self, box_px: Box | None) -> None:
        width, height = self.info.width, self.info.height
        if box_px is None:
            return
        x0, y0, x1, y1 = box_px
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise UsageError(f"box {list(box_px)} must lie within the picture [0, 0, {width}, {height}]")


@cache
def _warn_once(unprotected: tuple[str, ...]) -> None:
    LOG.warning(
        "videos are decoded without %s, which this system lacks; see `vidagent doctor`",
        " and ".join(unprotected),
    )


def _check_finite(times_s: Sequence[float]) -> None:
    for t_s in times_s:
        if not math.isfinite(t_s):
            raise UsageError(f"a time must be a finite number of seconds, got {t_s!r}")


def _check_options(snap: str, max_side_px: int | None) -> None:
    if snap not in get_args(Snap):
        raise UsageError(f"snap must be one of {', '.join(get_args(Snap))}; got {snap!r}")
    if max_side_px is not None and max_side_px < 1:
        raise UsageError(f"max_side_px must be 1 or more, got {max_side_px}")


def _info(facts: dict[str, Any], path: Path, shown: str, content: Content) -> VideoInfo:
    subtitles = (*facts["subtitles"], *(sidecar.name for sidecar in sidecars(path)))
    fractions = {name: Fraction(facts[name]) for name in ("fps", "pixel_aspect")}
    rest = {**facts, **fractions, "subtitles": subtitles, "other_streams": tuple(facts["other_streams"])}
    return VideoInfo(path=shown, fingerprint=content.fingerprint, content=content, **rest)
