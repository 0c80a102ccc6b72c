"""Decoded frames of all videos that a program reads, so that questions about one video do not decode them again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

from vidagent.types import Box
from vidagent.video.decoders.base import DecoderName, Snap
from vidagent.video.frame import Frame

_MOST_BYTES = 128 << 20
_MOST_SHARE = 8
"""A frame that takes more than this part of the room is not kept."""


class FrameKey(NamedTuple):
    """What a frame is known by: the file as it was when it was opened, the time asked for, and how it is shown."""

    file: tuple[int, ...]
    stream: int | None
    decoder: DecoderName
    time_s: float
    snap: Snap
    max_side_px: int | None
    box_px: Box | None


class FrameCache:
    """Frames up to a number of bytes; the least recently used are dropped. Thread-safe.

    Args:
        most_bytes: Most bytes of pixels.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        """Start empty."""
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._frames: OrderedDict[FrameKey, Frame] = OrderedDict()
        self._bytes = 0

    def get(self, key: FrameKey) -> Frame | None:
        """Return a frame, or None if it is not kept."""
        with self._lock:
            frame = self._frames.get(key)
            if frame is not None:
                self._frames.move_to_end(key)
            return frame

    def put(self, key: FrameKey, frame: Frame) -> None:
        """Keep a frame, whose pixels must not be changed from now on."""
        size = frame.rgb.nbytes
        if size > self._most_bytes // _MOST_SHARE:
            return
        frame.rgb.setflags(write=False)
        with self._lock:
            before = self._frames.pop(key, None)
            self._frames[key] = frame
            self._bytes += size - (0 if before is None else before.rgb.nbytes)
            while self._bytes > self._most_bytes:
                self._bytes -= self._frames.popitem(last=False)[1].rgb.nbytes


FRAMES = FrameCache()
"""The cache of this program."""
