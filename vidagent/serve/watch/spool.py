"""The segments that wait to be asked about, on a disk of which they take a bounded part."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidagent.video.stream.cutter import Piece


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the stream in a file, whose own times begin at 0.

    Args:
        path: The file.
        start_s: Where it begins, in seconds since watching began; of a file, since its beginning.
        end_s: Where it ends.
        arrived_s: `time.time` at which its end came in.
    """

    path: Path
    start_s: float
    end_s: float
    arrived_s: float


Skip = Callable[[float, float, str], None]
"""Told of a stretch that nobody looks at: from, to, why."""


class Spool:
    """A queue of segments; the oldest are dropped, and told, when they take too much room."""

    def __init__(self, folder: Path, max_bytes: int, skip: Skip) -> None:
        """Keep at most `max_bytes` of segments in a folder."""
        self._folder, self._max_bytes, self._skip = folder, max_bytes, skip
        self._waiting: deque[Segment] = deque()
        self._bytes = 0
        self._number = 0
        self._closed = False
        self._changed = threading.Condition()

    def add(self, piece: Piece, start_s: float) -> None:
        """Write a piece; drop the oldest that wait, if there is no room for it."""
        with self._changed:
            self._number += 1
            path = self._folder / f"{self._number:06}.mkv"
            while self._waiting and self._bytes + len(piece.data) > self._max_bytes:
                old = self._waiting.popleft()
                self._forget(old)
                self._skip(old.start_s, old.end_s, "behind: the segments that wait fill their room")
            path.write_bytes(piece.data)
            self._bytes += len(piece.data)
            end_s = start_s + piece.end_s - piece.start_s
            self._waiting.append(Segment(path, start_s, end_s, time.time()))
            self._changed.notify_all()

    def take(self) -> Segment | None:
        """Wait for the oldest segment; None once the stream has ended and nothing is left."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait(0.5)  # so that Ctrl-C is seen
            return self._waiting.popleft() if self._waiting else None

    def done(self, segment: Segment) -> None:
        """Delete a segment that was taken."""
        with self._changed:
            self._forget(segment)

    def close(self) -> None:
        """Say that nothing more comes."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def left(self) -> list[Segment]:
        """Return the segments that wait."""
        with self._changed:
            return list(self._waiting)

    def _forget(self, segment: Segment) -> None:
        self._bytes -= segment.path.stat().st_size
        segment.path.unlink(missing_ok=True)
